"""Verification passes on what the compiler makes, and catches and locates what is planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted_errors import IN_FIRST_CONV, set_field

from cimc.api import CompiledModel, compile
from cimc.backend.compiler import Network
from cimc.backend.image import Image
from cimc.diagnostics import VerifyFailed
from cimc.sim.compare import Comparison
from cimc.sim.verify import check_cycles, cim_codes, verify
from cimc.sim.verify_each import MeaningChecker
from cimc.targets.isa import Opcode

Inputs = dict[str, np.ndarray]

FIRST_CONV = "lenet.onnx node #0 'node_conv2d'"


@pytest.fixture(scope="module")
def x(lenet: CompiledModel) -> Inputs:
    calibration = lenet.compilation.ctx.calibration
    assert calibration is not None
    return {"input": calibration.arrays["input"][:1]}


def quiet(text: str) -> None:
    pass


def with_image(compiled: CompiledModel, image: Image) -> Network:
    """The network of `compiled` with another memory image."""
    return replace(compiled.network, parts=(replace(compiled.compilation, image=image),))


def test_levels_of_lenet_agree(lenet: CompiledModel, x: Inputs) -> None:
    found = verify(lenet.network, x, "emulate", "verilator", quiet)
    assert found.errors["implementation"]["differing_bytes"] == 0
    assert found.errors["implementation"]["compared_bytes"] > 10_000
    assert found.rtl_cycles is None


@pytest.mark.parametrize("name", IN_FIRST_CONV)
def test_planted_errors_are_caught_and_located(name: str, lenet: CompiledModel, x: Inputs) -> None:
    broken = with_image(lenet, IN_FIRST_CONV[name](lenet.compilation.image))
    with pytest.raises(VerifyFailed) as caught:
        verify(broken, x, "emulate", "verilator", quiet)
    assert str(caught.value).startswith(FIRST_CONV)
    assert "the emulator disagrees with the cim interpreter" in str(caught.value)
    assert "expected" in str(caught.value)


def test_undefined_commands_are_located(lenet: CompiledModel, x: Inputs) -> None:
    image = set_field(lenet.compilation.image, Opcode.LOAD_WEIGHTS, "rows", lambda v: v + 1)
    with pytest.raises(VerifyFailed, match="the emulator cannot execute the program: command"):
        verify(with_image(lenet, image), x, "emulate", "verilator", quiet)


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


def test_a_retire_that_is_missing_is_caught(lenet: CompiledModel) -> None:
    compilation = lenet.compilation

    class Run:
        retires = ()
        cycles = compilation.cycles.total

    with pytest.raises(VerifyFailed, match="0 retires"):
        check_cycles(compilation.image, compilation.cycles, Run())  # type: ignore[arg-type]
