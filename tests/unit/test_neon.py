"""The NEON kernels against numpy, on an emulated processor.

Python itself does not run there: a C++ program reads layers from a file. It needs a compiler for
aarch64 (Debian: g++-aarch64-linux-gnu) and qemu-aarch64 (qemu-user).
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from test_compiled_layers import PRODUCTS, Case, layer, result

from cimc.kernels import TableProduct, native
from cimc.kernels.operand import alphabet
from cimc.kernels.rows import RowPlan, row_plan

NATIVE = Path(__file__).parents[2] / "cimc" / "kernels" / "native"
DRIVER = Path(__file__).with_name("neon_driver.cpp")
COMPILER, PROCESSOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
CASES = 60


def built(folder: Path, file: str = "row_gather.h", old: str = "", new: str = "") -> Path:
    """The driver with the NEON kernels, `old` in `file` made `new`."""
    for tool in (COMPILER, PROCESSOR):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    sources = shutil.copytree(NATIVE, folder / "native")
    text = (sources / file).read_text("utf-8")
    assert old in text
    (sources / file).write_text(text.replace(old, new) if old else text, "utf-8")
    options = ["-std=c++17", "-O3", "-fwrapv", "-static", "-pthread", "-DCIMC_HAVE_NEON"]
    files = [sources / f"{name}.cpp" for name in ("neon", "portable", "dispatch", "workspace")]
    program = folder / "driver"
    command = [COMPILER, *options, f"-I{sources}", DRIVER, *files, "-o", program]
    subprocess.run([str(part) for part in command], check=True)
    return program


def plan_of(product: TableProduct, case: Case, signed: bool) -> RowPlan | None:
    """The plan that `product` takes for `case`."""
    rows = min(len(product.table), 1 << case.weights.largest.bit_length())
    return row_plan(alphabet(-77 if signed else 0), case.weights.alphabet, product.table[:rows])


def packed(plan: RowPlan, case: Case, threads: int) -> bytes:
    """A case as the driver reads it."""
    windows, finish = case.windows, case.finish
    shape = len(windows.memory), len(windows.pixels), len(finish.bias)
    partial = np.zeros(shape, np.int32) if finish.partial is None else finish.partial
    numbers = [plan.mode, plan.group, len(plan.chain.table), plan.base, plan.step, plan.flip]
    sizes = [*windows.memory.shape, shape[1], len(windows.offsets), windows.run, shape[2]]
    ends = [finish.add, finish.codes is None, finish.zero, finish.low, finish.high, threads]
    parts: list[tuple[object, type]] = [
        (numbers, np.int64),
        (plan.chain.table, np.int16),
        (plan.chain.steps, np.uint8),
        (plan.sign, np.int16),
        (plan.first, np.uint16),
        (plan.second, np.uint16),
        (plan.negative, np.uint8),
        ([*sizes, *ends], np.int64),
        (windows.memory, np.uint8),
        (windows.pixels, np.int64),
        (windows.offsets, np.int64),
        (case.weights.codes, np.uint8),
        (partial, np.int32),
        (finish.bias, np.int32),
        (finish.multiplier, np.int32),
        (finish.shift, np.int64),
    ]
    return b"".join(np.ascontiguousarray(part).astype(kind).tobytes() for part, kind in parts)


def check(program: Path, folder: Path) -> int:
    """Run random layers through `program`; returns how many there were."""
    rng, cases, expected = np.random.default_rng(0), list[bytes](), list[bytes]()
    modes = set[int]()
    for number in range(CASES):
        product = list(PRODUCTS.values())[number % len(PRODUCTS)]
        bits = 7 if product.table.shape[1] == 128 else 8
        signed = bool(number // len(PRODUCTS) % 2) and bits == 8
        case = layer(rng, bits, ("sums", "codes")[number % 2], add=number % 3 == 0)
        plan = plan_of(product, case, signed)
        if plan is None:
            continue
        modes.add(int(plan.mode))
        cases.append(packed(plan, case, threads=1 + number % 2))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(native.CHOICE, native.NUMPY)
            expected.append(result(case, product, signed).tobytes())
    assert modes == {0, 1, 2, 3}, "every way to make products is tried"
    given, found = folder / "cases", folder / "found"
    given.write_bytes(np.int64(len(cases)).tobytes() + b"".join(cases))
    names = ["neon", str(given), str(found)]
    subprocess.run([PROCESSOR, str(program), *names], check=True, timeout=1200)
    data = found.read_bytes()
    assert len(data) == sum(len(each) for each in expected)
    for number, each in enumerate(expected):
        assert data[: len(each)] == each, f"layer {number} differs"
        data = data[len(each) :]
    return len(cases)


@pytest.mark.slow
def test_layers(tmp_path: Path) -> None:
    assert check(built(tmp_path), tmp_path) > CASES // 2


@pytest.mark.slow
def test_a_planted_error_is_found(tmp_path: Path) -> None:
    program = built(
        tmp_path, "vectors.h", "odd += (Words)value >> 16;", "odd += (Words)value >> 15;"
    )
    with pytest.raises(AssertionError, match="differs"):
        check(program, tmp_path)
