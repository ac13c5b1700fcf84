"""Every network with every multiplier of target daism on RTL: 0 bytes differ, exact cycles. Slow.

`-o junit_family=legacy --junitxml=FILE` keeps the figures of each run: images, bytes, cycles.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rtl_comparison import elements, verify_network
from simulators import needs_icarus, needs_verilator

from cimc import targets
from cimc.api import CompiledModel, compile
from cimc.passes.chooser import usable
from cimc.sim.cosim.tools import SimulatorName

pytestmark = [pytest.mark.cosim, pytest.mark.slow]
Record = Callable[[str, object], None]
IMAGES = {"lenet": 10, "resnet8": 2, "resnet18_w16": 2}


def check(
    compiled: CompiledModel, images: int, record: Record, simulator: SimulatorName = "verilator"
) -> None:
    """Raises where anything differs; records what was compared."""
    compilation = compiled.compilation
    found = verify_network(compiled.network, images, simulator)
    record("images", images)
    record("rtl_bytes", images * elements(compilation.image))
    record("compared_bytes", found.errors["implementation"]["compared_bytes"])
    record("cycles", compilation.cycles.total)


@needs_verilator
@pytest.mark.parametrize("multiplier", usable(targets.get("daism")))
@pytest.mark.parametrize("name", IMAGES)
def test_trained_networks(
    name: str, multiplier: str, models: Path, record_property: Record
) -> None:
    sample = models / "fashion_mnist_sample.npz"
    compiled = compile(models / f"{name}.onnx", calibration=sample, multiplier=multiplier)
    check(compiled, IMAGES[name], record_property)


@needs_icarus
@pytest.mark.tools
def test_lenet_on_icarus(lenet: CompiledModel, record_property: Record) -> None:
    check(lenet, 10, record_property, "icarus")


@needs_verilator
def test_full_size_resnet18(models: Path, tmp_path: Path, record_property: Record) -> None:
    path = tmp_path / "resnet18.onnx"
    subprocess.run([sys.executable, str(models / "make_resnet18.py"), str(path)], check=True)
    check(compile(path), 1, record_property)
