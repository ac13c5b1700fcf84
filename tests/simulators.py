"""Marks of tests that run the RTL: they skip, with the reason, where the simulator is missing."""

from __future__ import annotations

import pytest

from cimc.sim.cosim.tools import SimulatorName, missing_tools


def _needs(simulator: SimulatorName) -> pytest.MarkDecorator:
    missing = missing_tools(simulator)
    return pytest.mark.skipif(bool(missing), reason=f"{simulator} needs {', '.join(missing)}")


needs_verilator = _needs("verilator")
needs_icarus = _needs("icarus")
