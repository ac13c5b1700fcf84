"""Verification passes on what the compiler makes, and catches and locates what is planted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cimc.api import CompiledModel, compile
from cimc.backend.compiler import Compilation
from cimc.backend.image import Image
from cimc.diagnostics import VerifyFailed
from cimc.sim.compare import Comparison
from cimc.sim.emulate import pack_inputs, run_batch
from cimc.sim.verify import check_cycles, check_rtl, cim_codes, verify
from cimc.sim.verify_each import MeaningChecker
from cimc.targets.isa import COMMAND_BYTES, Opcode, layout

Inputs = dict[str, np.ndarray]

FIRST_CONV = "lenet.onnx node #0 'node_conv2d'"


@pytest.fixture(scope="module")
def x(lenet: CompiledModel) -> Inputs:
    calibration = lenet.compilation.ctx.calibration
    assert calibration is not None
    return {"input": calibration.arrays["input"][:1]}


def quiet(text: str) -> None:
    pass


def with_dram(image: Image, change: Callable[[bytearray], None]) -> Image:
    memory = bytearray(image.dram)
    change(memory)
    return replace(image, dram=bytes(memory))


def set_field(image: Image, opcode: Opcode, name: str, value: Callable[[int], int]) -> Image:
    """Change one field of the first command of a kind, in the bytes of the program."""
    number = next(i for i, c in enumerate(image.commands) if c.opcode is opcode)
    field, at = next((f, at) for f, at in layout(opcode) if f.name == name)
    new = value(image.commands[number][name]) & ((1 << field.bits) - 1)

    def change(memory: bytearray) -> None:
        place = slice(number * COMMAND_BYTES, (number + 1) * COMMAND_BYTES)
        word = int.from_bytes(memory[place], "little")
        word &= ~(((1 << field.bits) - 1) << at)
        memory[place] = (word | new << at).to_bytes(COMMAND_BYTES, "little")

    return with_dram(image, change)


def flip_weight_bit(image: Image) -> Image:
    """The top magnitude bit of one weight of the first layer."""
    load = next(c for c in image.commands if c.opcode is Opcode.LOAD_WEIGHTS)
    geometry = image.target.geometry
    head = -(-4 * load["steps"] // geometry.beat_bytes) * geometry.beat_bytes
    first = load["dram"] + head + 8 * geometry.outputs * load["has_params"]

    def change(memory: bytearray) -> None:
        memory[first] ^= 0x40

    return with_dram(image, change)


PLANTED: dict[str, Callable[[Image], Image]] = {
    "microcode bit": lambda image: set_field(image, Opcode.ARRAY, "src", lambda v: v ^ 1),
    "weight bit": flip_weight_bit,
    "stride": lambda image: set_field(image, Opcode.ARRAY, "src_x", lambda v: v + 1),
    # In the first conv, read k uses bit 2k + 1 of the activation in place of bit 2k.
    "wordline": lambda image: set_field(image, Opcode.ARRAY, "masks", lambda v: v & ~0x10),
}


def test_levels_of_lenet_agree(lenet: CompiledModel, x: Inputs) -> None:
    found = verify(lenet.compilation, x, "emulate", "verilator", quiet)
    assert found.errors["implementation"]["differing_bytes"] == 0
    assert found.errors["implementation"]["compared_bytes"] > 10_000
    assert found.rtl_cycles is None


@pytest.mark.parametrize("name", PLANTED)
def test_planted_errors_are_caught_and_located(name: str, lenet: CompiledModel, x: Inputs) -> None:
    broken = replace(lenet.compilation, image=PLANTED[name](lenet.compilation.image))
    with pytest.raises(VerifyFailed) as caught:
        verify(broken, x, "emulate", "verilator", quiet)
    assert str(caught.value).startswith(FIRST_CONV)
    assert "the emulator disagrees with the cim interpreter" in str(caught.value)
    assert "expected" in str(caught.value)


def test_undefined_commands_are_located(lenet: CompiledModel, x: Inputs) -> None:
    image = set_field(lenet.compilation.image, Opcode.LOAD_WEIGHTS, "rows", lambda v: v + 1)
    with pytest.raises(VerifyFailed, match="the emulator cannot execute the program: command"):
        verify(replace(lenet.compilation, image=image), x, "emulate", "verilator", quiet)


def test_comparison_names_the_first_difference(lenet: CompiledModel, x: Inputs) -> None:
    region = lenet.compilation.image.regions[1]
    expected = cim_codes(lenet.compilation, x)[region.op]
    got = expected.copy()
    got[0, 3, 5, 2] += 1
    got[0, 4, 0, 0] += 1
    comparison = Comparison()
    comparison.tensor(region, ("A", "B"), expected, got)
    with pytest.raises(VerifyFailed) as caught:
        comparison.check()
    value = int(expected[0, 3, 5, 2])
    assert str(caught.value) == (
        f"{FIRST_CONV} + lenet.onnx node #1 'node_relu' (cim.conv, tag {region.tag}): "
        f"B disagrees with A: 2 of {expected.size} codes differ, first at image 0, channel 2, "
        f"row 3, column 5: expected {value}, got {value + 1}; 2 of {expected.size} bytes differ "
        "in all; this is a defect of cimc or of a changed image, not of the model"
    )


def test_verify_each_catches_a_pass_that_changes_the_meaning(
    lenet: CompiledModel, models, x: Inputs
) -> None:
    def broken_pass(name: str, module) -> None:
        if name == "cim-tile":
            conv = next(op for op in module.walk() if op.name == "cim.conv")
            conv.multiplier = type(conv.multiplier)("exact")

    with pytest.raises(VerifyFailed, match="pass 'cim-tile' changed the meaning: output 'output'"):
        compile(
            models / "lenet.onnx",
            calibration=x,
            after_pass=[broken_pass],
            verify_each=True,
        )


def test_meaning_is_compared_exactly_between_integer_levels(
    lenet: CompiledModel, x: Inputs
) -> None:
    compilation = lenet.compilation
    check = MeaningChecker(compilation.ctx.weights, x)
    check("quantise", compilation.quantised)
    check("cim-schedule", compilation.scheduled)


needs_verilator = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("g++", "make", "perl")),
    reason="Verilator needs g++, make and perl",
)


def rtl_of(compilation: Compilation, image: Image, x: Inputs) -> Comparison:
    """Run the RTL on `image`, compare with the emulator on the compilation's own image."""
    emulated = run_batch(compilation.image, pack_inputs(compilation.image, x), regions=True)
    comparison = Comparison()
    changed = replace(compilation, image=image)
    check_rtl(changed, x, emulated, "verilator", comparison, quiet)
    return comparison


@pytest.mark.cosim
@needs_verilator
def test_rtl_of_lenet_agrees(lenet: CompiledModel, x: Inputs) -> None:
    found = verify(lenet.compilation, x, "rtl", "verilator", quiet)
    assert found.errors["implementation"]["differing_bytes"] == 0
    assert found.rtl_cycles == lenet.compilation.cycles.total


@pytest.mark.cosim
@needs_verilator
@pytest.mark.parametrize("name", PLANTED)
def test_planted_errors_are_caught_in_rtl(name: str, lenet: CompiledModel, x: Inputs) -> None:
    comparison = rtl_of(lenet.compilation, PLANTED[name](lenet.compilation.image), x)
    with pytest.raises(VerifyFailed) as caught:
        comparison.check()
    assert str(caught.value).startswith(FIRST_CONV)
    assert "the RTL disagrees with the emulator" in str(caught.value)


@pytest.mark.cosim
@needs_verilator
def test_planted_cycle_is_caught(lenet: CompiledModel, x: Inputs) -> None:
    image = set_field(lenet.compilation.image, Opcode.ARRAY, "period", lambda v: v + 1)
    with pytest.raises(VerifyFailed, match=r"node_conv2d.*estimated to be complete in cycle \d+"):
        rtl_of(lenet.compilation, image, x)


def test_a_retire_that_is_missing_is_caught(lenet: CompiledModel) -> None:
    compilation = lenet.compilation

    class Run:
        retires = ()
        cycles = compilation.cycles.total

    with pytest.raises(VerifyFailed, match="0 retires"):
        check_cycles(compilation.image, compilation.cycles, Run())  # type: ignore[arg-type]
