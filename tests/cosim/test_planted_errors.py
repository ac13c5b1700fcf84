"""Errors planted in a memory image, an estimate or the RTL are caught and located."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from cim_networks import lenet_like
from planted_errors import IN_FIRST_CONV, set_field
from rtl_comparison import cim_compilation, compare_with_rtl, random_input
from simulators import needs_icarus, needs_verilator

from cimc.api import CompiledModel
from cimc.backend import rtl_sources
from cimc.backend.compiler import Compilation
from cimc.backend.image import Image
from cimc.diagnostics import VerifyFailed
from cimc.targets.isa import Opcode

pytestmark = pytest.mark.cosim
DIFFERS = (
    r".*: the RTL disagrees with the emulator: \d+ of \d+ codes differ, "
    r"first at image 0, channel \d+, row \d+, column \d+: expected -?\d+, got -?\d+; "
)
CONV1_END = 7
"""Number of the ARRAY command that adds the last tile of conv1 and post-processes."""
ARRAY, VECTOR, LOAD, LOAD_WEIGHTS = Opcode.ARRAY, Opcode.VECTOR, Opcode.LOAD, Opcode.LOAD_WEIGHTS


@pytest.fixture(scope="module")
def small() -> Compilation:
    """Convolutions, pools and matrix products on the small machine."""
    return cim_compilation(lenet_like(3), "daism-small")


def check_caught(compilation: Compilation, given: Image, message: str) -> None:
    with pytest.raises(VerifyFailed, match=message):
        compare_with_rtl(compilation, random_input(compilation.image), given=given)


@needs_verilator
@pytest.mark.parametrize("name", IN_FIRST_CONV)
def test_changed_bits_in_the_image_of_lenet(name: str, lenet: CompiledModel) -> None:
    compilation = lenet.compilation
    calibration = compilation.ctx.calibration
    assert calibration is not None
    x = {"input": calibration.arrays["input"][:1]}
    given = IN_FIRST_CONV[name](compilation.image)
    with pytest.raises(VerifyFailed, match=r"^lenet\.onnx node #0 'node_conv2d'" + DIFFERS):
        compare_with_rtl(compilation, x, given=given)


@needs_verilator
@pytest.mark.parametrize(
    ("opcode", "nth", "field", "node"),
    [
        (LOAD_WEIGHTS, 0, "w_zero", "#1 '/conv1'"),
        (LOAD_WEIGHTS, 0, "row_base", "#1 '/conv1'"),
        (LOAD_WEIGHTS, 0, "bits", "#1 '/conv1'"),
        (ARRAY, 0, "src", "#1 '/conv1'"),
        (ARRAY, 0, "src_x", "#1 '/conv1'"),
        (ARRAY, 0, "src_y", "#1 '/conv1'"),
        (ARRAY, CONV1_END, "dst_x", "#1 '/conv1'"),
        (ARRAY, CONV1_END, "dst_y", "#1 '/conv1'"),
        (ARRAY, 0, "a_zero", "#1 '/conv1'"),
        (ARRAY, 0, "bits", "#1 '/conv1'"),
        (ARRAY, 0, "left_justify", "#1 '/conv1'"),
        (ARRAY, CONV1_END, "param_set", "#1 '/conv1'"),
        (ARRAY, CONV1_END, "y_zero", "#1 '/conv1'"),
        (VECTOR, 0, "a", "#2 '/max_pool'"),
        (VECTOR, 0, "d1", "#2 '/max_pool'"),
        (VECTOR, -1, "a0", "#4 '/max_pool'"),
        (VECTOR, -1, "b0", "#4 '/max_pool'"),
        (VECTOR, -1, "op", "#4 '/max_pool'"),
        (ARRAY, -1, "dst", "#6 '/fc2'"),
    ],
)
def test_the_lowest_bit_of_a_field(
    opcode: Opcode, nth: int, field: str, node: str, small: Compilation
) -> None:
    given = set_field(small.image, opcode, field, lambda value: value ^ 1, nth)
    check_caught(small, given, rf"^test\.onnx node {node}" + DIFFERS)


@needs_verilator
@pytest.mark.parametrize(
    ("opcode", "nth", "field", "flipped", "message"),
    [
        (ARRAY, CONV1_END, "signal", 4, r"^/max_pool is not reached .*: the RTL has not finished"),
        (VECTOR, 0, "tag", 1, r"^/max_pool: the RTL never completes tag 3"),
        (LOAD, 0, "buffer", 1, r"^/input is not reached as estimated: the RTL simulation stopped"),
        (ARRAY, CONV1_END, "period", 4, r"^/conv1: estimated .* in cycle \d+, the RTL .* \d+"),
    ],
)
def test_hangs_assertions_and_late_cycles(
    opcode: Opcode, nth: int, field: str, flipped: int, message: str, small: Compilation
) -> None:
    given = set_field(small.image, opcode, field, lambda value: value ^ flipped, nth)
    check_caught(small, given, message)


@needs_verilator
def test_an_estimate_that_is_one_cycle_off(small: Compilation) -> None:
    estimate = small.cycles
    retires = list(estimate.retires)
    unit, tag, cycle = retires[3]
    retires[3] = unit, tag, cycle + 1
    for wrong, message in [
        (replace(estimate, retires=retires), rf"estimated .* in cycle {cycle + 1}, .* {cycle}$"),
        (replace(estimate, total=estimate.total - 1), f"the RTL took {estimate.total} cycles"),
    ]:
        ctx = type("Context", (), {"cycles": wrong})()
        with pytest.raises(VerifyFailed, match=message):
            compare_with_rtl(replace(small, ctx=ctx), random_input(small.image))


@needs_icarus
@pytest.mark.tools
@pytest.mark.parametrize(
    ("file", "right", "wrong", "message"),
    [
        # The wordlines of rows 0 and 1 are swapped.
        (
            "daism/cimc_wordline_decode.sv",
            "wordlines_o <= wordlines;",
            "wordlines_o <= {wordlines[Window-1:2], wordlines[0], wordlines[1]};",
            r"^test\.onnx node #1 '/conv1'" + DIFFERS,
        ),
        # Bit lines that two cells pull down give the XOR in place of the OR.
        (
            "daism/cimc_bank.sv",
            "bitlines = bitlines | row_q",
            "bitlines = bitlines ^ row_q",
            r"^test\.onnx node #1 '/conv1'" + DIFFERS,
        ),
        # Memory answers a cycle late.
        (
            "tb/cimc_tb.sv",
            "parameter int MemoryLatency = cimc_pkg::MemoryLatency",
            "parameter int MemoryLatency = cimc_pkg::MemoryLatency + 1",
            r"^/input: estimated to be complete in cycle \d+, the RTL completes /input in cycle",
        ),
    ],
)
def test_an_error_in_the_rtl(
    file: str,
    right: str,
    wrong: str,
    message: str,
    small: Compilation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(rtl_sources.rtl_dir(), tmp_path / "rtl")
    source = tmp_path / "rtl" / file
    text = source.read_text("utf-8")
    assert text.count(right) == 1
    source.write_text(text.replace(right, wrong), "utf-8")
    monkeypatch.setattr(rtl_sources, "_PACKAGE", tmp_path / "cimc")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(VerifyFailed, match=message):
        compare_with_rtl(small, random_input(small.image), simulator="icarus")
