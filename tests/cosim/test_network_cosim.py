"""Whole networks: the RTL gives the bytes of emulator and interpreters, in the estimated cycles."""

from __future__ import annotations

from pathlib import Path

import pytest
from cim_networks import lenet_like, residual
from rtl_comparison import (
    cim_compilation,
    compare_with_rtl,
    elements,
    random_input,
    verify_network,
)
from simulators import needs_icarus, needs_verilator

from cimc.api import CompiledModel, compile
from cimc.passes.allocate import AllocatePass
from cimc.passes.tile import TilePass
from cimc.targets.isa import Opcode

pytestmark = pytest.mark.cosim


@needs_verilator
def test_lenet(lenet: CompiledModel) -> None:
    verify_network(lenet.network, 2)


@needs_verilator
@pytest.mark.parametrize(
    ("name", "target", "multiplier", "images"),
    [
        ("lenet", "daism", "exact", 2),
        ("lenet", "daism-small", "daism-pc2-tr", 1),
        ("resnet8", "daism", None, 1),
        ("resnet18_w16", "daism", None, 1),
    ],
)
def test_trained_networks(
    name: str, target: str, multiplier: str | None, images: int, models: Path
) -> None:
    sample = models / "fashion_mnist_sample.npz"
    path = models / f"{name}.onnx"
    compiled = compile(path, target, calibration=sample, multiplier=multiplier)
    verify_network(compiled.network, images)


@needs_verilator
def test_chosen_plan_of_lenet(models: Path) -> None:
    """A multiplier for each layer, as the compiler chooses them: rows and reads change between."""
    compiled = compile(
        models / "lenet.onnx",
        calibration=models / "fashion_mnist_sample.npz",
        target_sqnr=25,
        choices=["exact", "daism-fla", "daism-pc3-lj", "daism-pc4-lj", "daism-hla"],
    )
    layers = [layer for layer in compiled.report["layers"] if layer["macs"]]
    assert len({layer["multiplier"] for layer in layers}) >= 2
    verify_network(compiled.network, 2)


@needs_verilator
def test_repaired_lenet(models: Path) -> None:
    sample = models / "fashion_mnist_sample.npz"
    compiled = compile(
        models / "lenet.onnx", calibration=sample, multiplier="daism-fla", repair="weights"
    )
    assert any(step["kept"] for step in compiled.report["repair"]["steps"])
    verify_network(compiled.network, 2)


@needs_verilator
@pytest.mark.parametrize("capacity", [2600, 950])
def test_spilled_tensors_in_strips(capacity: int) -> None:
    allocate = AllocatePass(capacity=capacity)
    compilation = cim_compilation(residual(5), "daism", allocate=allocate)
    assert sum(region.space == "dram" for region in compilation.image.regions) > 1
    compared = compare_with_rtl(compilation, random_input(compilation.image))
    assert compared.compared_bytes == elements(compilation.image)


@needs_verilator
def test_partial_sums_over_many_tiles() -> None:
    tile = TilePass(max_steps=2, max_pixels=30)
    compilation = cim_compilation(lenet_like(6), "daism", tile=tile)
    commands = compilation.image.commands
    assert any(c.opcode is Opcode.ARRAY and c["psum_in"] for c in commands)
    compare_with_rtl(compilation, random_input(compilation.image))


@needs_icarus
@pytest.mark.tools
@pytest.mark.parametrize("target", ["daism", "daism-small"])
def test_small_network_on_icarus(target: str) -> None:
    compilation = cim_compilation(lenet_like(3), target)
    compared = compare_with_rtl(compilation, random_input(compilation.image), simulator="icarus")
    assert compared.compared_bytes == elements(compilation.image)
