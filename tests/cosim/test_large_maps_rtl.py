"""Layers that take their operand in parts, on the RTL: every tensor, every cycle."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.large_maps import NETWORKS, compiled
from tests.simulators import needs_verilator


@needs_verilator
@pytest.mark.cosim
@pytest.mark.parametrize("name", NETWORKS)
def test_rtl_agrees(name: str, tmp_path: Path) -> None:
    report = compiled(NETWORKS[name], tmp_path).verify("rtl", images=1)
    assert report["errors"]["implementation"]["differing_bytes"] == 0
    assert report["cycles"]["rtl"] == report["cycles"]["estimated"]
