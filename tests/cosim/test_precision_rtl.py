"""Precision per layer on the RTL: fewer bits need fewer cycles, and no byte differs."""

from __future__ import annotations

from pathlib import Path

import pytest
from cim_networks import mixed_bits
from planted_errors import set_field
from rtl_comparison import (
    cim_compilation,
    compare_with_rtl,
    elements,
    random_input,
    verify_network,
)
from simulators import needs_verilator

from cimc.api import CompiledModel, compile
from cimc.diagnostics import VerifyFailed
from cimc.passes.plan import LayerPlan, Plan
from cimc.passes.tile import TilePass
from cimc.targets.isa import Opcode

pytestmark = pytest.mark.cosim


@needs_verilator
@pytest.mark.parametrize("target", ["daism", "daism-small"])
@pytest.mark.parametrize(
    ("seed", "tile"),
    [
        (0, TilePass()),
        (1, TilePass(packing="lanes", wide=1, max_steps=5)),
        (2, TilePass(packing="lanes", wide=0, max_steps=5)),
        (3, TilePass(packing="banks")),
    ],
)
def test_mixed_bits(target: str, seed: int, tile: TilePass) -> None:
    compilation = cim_compilation(mixed_bits(seed), target, tile=tile)
    compared = compare_with_rtl(compilation, random_input(compilation.image))
    assert compared.compared_bytes == elements(compilation.image)


@needs_verilator
@pytest.mark.parametrize("name", ["dual", "wide"])
def test_a_wrong_use_of_the_lanes_is_seen(name: str) -> None:
    """The comparison above can fail: one ARRAY command with this field the other way round."""
    tile = TilePass(packing="lanes")
    compilation = cim_compilation(mixed_bits(2), "daism", tile=tile)
    image = compilation.image
    arrays = [c for c in image.commands if c.opcode is Opcode.ARRAY]
    nth = next(i for i, c in enumerate(arrays) if c["dual"] and c["psum_out"] == 0)
    wrong = set_field(image, Opcode.ARRAY, name, lambda v: 1 - v, nth)
    with pytest.raises(VerifyFailed, match="conv"):
        compare_with_rtl(compilation, random_input(image), given=wrong)


def four_bits(model: Path, sample: Path, multiplier: str) -> tuple[CompiledModel, CompiledModel]:
    """The network of `model` with 8 bits, and with 4 but for its first and its last layer."""
    whole = compile(model, calibration=sample, multiplier=multiplier)
    layers = Plan.of(whole.compilation.quantised).layers[1:-1]
    plan = Plan(tuple(LayerPlan(each.node, None, 4, 4) for each in layers))
    return whole, compile(model, calibration=sample, multiplier=multiplier, plan=plan)


@needs_verilator
@pytest.mark.parametrize("multiplier", ["daism-pc3-lj", "exact"])
def test_resnet18_with_four_bits(models: Path, multiplier: str) -> None:
    """At most 0.6 of the cycles, on the same machine, with the same multiplier."""
    paths = models / "resnet18_w16.onnx", models / "fashion_mnist_sample.npz"
    whole, four = four_bits(*paths, multiplier)
    verify_network(four.network, 1)
    cycles = four.report["cycles"]["estimated"]
    assert cycles <= 0.6 * whole.report["cycles"]["estimated"]
    packings = {layer["packing"] for layer in four.report["layers"]}
    assert {"bytes", "banks", "lanes"} <= packings
