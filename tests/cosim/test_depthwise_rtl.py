"""Depthwise layers on the RTL: the emulator's bytes, the estimated cycles."""

from __future__ import annotations

import math

import pytest
from depthwise_networks import depthwise_chain, separable
from planted_errors import Plant, numbers_of, set_field, with_dram
from rtl_comparison import cim_compilation, compare_with_rtl, random_input
from simulators import needs_verilator

from cimc.backend.image import Image
from cimc.diagnostics import VerifyFailed
from cimc.passes.allocate import AllocatePass
from cimc.targets.isa import Opcode

pytestmark = [pytest.mark.cosim, needs_verilator]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("target", ["daism", "daism-small"])
def test_layers_of_all_kinds(seed: int, target: str) -> None:
    compilation = cim_compilation(depthwise_chain(seed), target)
    image = compilation.image
    assert len(numbers_of(image, Opcode.LOAD_TAPS)) >= 4
    compared = compare_with_rtl(compilation, random_input(image, seed))
    assert compared.compared_bytes == sum(math.prod(region.type.hwc) for region in image.regions)


@pytest.mark.parametrize("capacity", [None, 4000, 2000])
def test_between_convolutions(capacity: int | None) -> None:
    """Whole maps, and maps that do not fit the buffer: each strip loads its taps again."""
    allocate = AllocatePass(capacity=capacity)
    compilation = cim_compilation(separable(1), "daism-small", allocate=allocate)
    compare_with_rtl(compilation, random_input(compilation.image))


def change_weight(image: Image) -> Image:
    """One bit of the first channel's last tap."""
    load = image.commands[numbers_of(image, Opcode.LOAD_TAPS)[0]]
    last = load["dram"] + (load["taps"] - 1) * image.target.geometry.beat_bytes

    def change(memory: bytearray) -> None:
        memory[last] ^= 0x40

    return with_dram(image, change)


PLANTED: dict[str, Plant] = {
    "weight": change_weight,
    "base": lambda image: set_field(image, Opcode.LOAD_TAPS, "base", lambda v: v + 1),
    "parameters": lambda image: set_field(image, Opcode.LOAD_TAPS, "param_set", lambda v: 1 - v),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_errors_are_seen(name: str) -> None:
    compilation = cim_compilation(separable(1), "daism-small")
    given = PLANTED[name](compilation.image)
    with pytest.raises(VerifyFailed, match="depthwise1"):
        compare_with_rtl(compilation, random_input(compilation.image), given=given)
