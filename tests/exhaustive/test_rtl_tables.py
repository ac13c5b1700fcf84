"""Table = bit-level definition = generated SystemVerilog: every named multiplier, every pair."""

from __future__ import annotations

import subprocess
from pathlib import Path
from shutil import which

import numpy as np
import pytest
from numpy.typing import NDArray
from rtl_tables import Dut, first_difference, lint, missing_tool, simulate

from cimc import multipliers
from cimc.backend.systemverilog import emit_module
from cimc.multipliers.logic import module_name

WIDTHS = ((8, 8), (7, 8), (7, 7))
NAMES = multipliers.accepted_names()
DUTS = [
    (name, m, n)
    for name in NAMES
    for m, n in (WIDTHS if "daism" in multipliers.get(name).arrays else WIDTHS[:1])
]
"""What the one build holds; other widths of the digital ones are in test_rtl_pairs.py."""
PLANTED = "cimc_mul_planted"
SAMPLE = (
    "exact",
    "daism-hla-lh",
    "daism-pc3-lj",
    "daism-pc2-tr-lj-r2b",
    "openacm-log",
    "tosam-h1-t3",
)

needs_verilator = pytest.mark.skipif(missing_tool() is not None, reason=str(missing_tool()))


def dut_of(name: str, stored_bits: int, broadcast_bits: int) -> Dut:
    module = multipliers.get(name).module(stored_bits, broadcast_bits)
    return Dut(module.sym_name.data, stored_bits, broadcast_bits, emit_module(module))


def planted() -> Dut:
    """`daism-pc3` with one stored row shifted by one column too many."""
    good = dut_of("daism-pc3", 8, 8)
    text = good.text.replace(good.module, PLANTED)
    right, wrong = (
        "wire [15:0] row_4 = 16'(stored_i) << 4;",
        "wire [15:0] row_4 = 16'(stored_i) << 5;",
    )
    assert text.count(right) == 1
    return Dut(PLANTED, 8, 8, text.replace(right, wrong))


@pytest.fixture(scope="module")
def rtl(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NDArray[np.uint16]]:
    duts = [dut_of(*dut) for dut in DUTS]
    return simulate([*duts, planted()], tmp_path_factory.mktemp("rtl_tables"))


@needs_verilator
@pytest.mark.cosim
def test_every_product_of_every_multiplier(rtl: dict[str, NDArray[np.uint16]]) -> None:
    wrong = []
    for name, m, n in DUTS:
        module = module_name(name, m, n)
        if where := first_difference(multipliers.get(name).table(m, n), rtl[module]):
            wrong.append(f"{module}: {where}")
    assert not wrong
    assert len(rtl) == len(DUTS) + 1


@needs_verilator
@pytest.mark.cosim
def test_a_row_shifted_by_one_column_is_found(rtl: dict[str, NDArray[np.uint16]]) -> None:
    where = first_difference(multipliers.get("daism-pc3").table(8, 8), rtl[PLANTED])
    assert where == "M=1 N=16: expected 16, RTL 32"


@needs_verilator
@pytest.mark.cosim
def test_lint_is_silent_on_generated_text_and_not_on_an_unread_wire(tmp_path: Path) -> None:
    good = dut_of("daism-pc2-tr", 8, 8)
    assert "unused_broadcast_i" in good.text
    assert lint(good, tmp_path) == ""
    text = good.text.replace("wire unused_broadcast_i = ^{broadcast_i[0]};", "")
    assert "UNUSEDSIGNAL" in lint(Dut(good.module, 8, 8, text), tmp_path)


@pytest.mark.tools
@pytest.mark.skipif(which("iverilog") is None, reason="iverilog is not installed")
def test_icarus_computes_the_same_products(tmp_path: Path) -> None:
    for name in SAMPLE:
        dut = dut_of(name, 8, 8)
        assert first_difference(multipliers.get(name).table(8, 8), icarus(dut, tmp_path)) is None
    assert first_difference(multipliers.get("daism-pc3").table(8, 8), icarus(planted(), tmp_path))


def icarus(dut: Dut, folder: Path) -> NDArray[np.uint16]:
    """Product table of an 8 x 8 multiplier under Icarus."""
    (folder / "dut.sv").write_text(dut.text)
    (folder / "tb.sv").write_text(f"""
module tb;
  reg [15:0] pair; wire [15:0] product; integer i, file;
  {dut.module} u (.stored_i(pair[15:8]), .broadcast_i(pair[7:0]), .product_o(product));
  initial begin
    file = $fopen("products.txt", "w");
    for (i = 0; i < 65536; i = i + 1) begin
      pair = i[15:0];
      #1 $fwrite(file, "%0d\\n", product);
    end
    $fclose(file);
    $finish;
  end
endmodule
""")
    build = ["iverilog", "-g2012", "-Wall", "-Wno-timescale", "-o", "tb.vvp", "tb.sv", "dut.sv"]
    done = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    subprocess.run(["vvp", "-n", "tb.vvp"], cwd=folder, capture_output=True, check=True)
    return np.loadtxt(folder / "products.txt", dtype=np.uint16).reshape(256, 256)


needs_yosys = pytest.mark.skipif(which("yosys") is None, reason="yosys is not installed")


def synthesise(dut: Dut, folder: Path) -> str:
    """Yosys' complaint about undriven, doubly driven or stored bits; empty when there is none."""
    (folder / "dut.sv").write_text(dut.text)
    script = f"read_verilog -sv dut.sv; synth -flatten -top {dut.module}; check -assert; "
    script += "select -assert-none t:$_DLATCH* t:$_DFF* t:$_SDFF*; select -assert-min 8 t:$_*"
    done = subprocess.run(
        ["yosys", "-q", "-p", script], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.tools
@needs_yosys
@pytest.mark.parametrize("name", SAMPLE)
def test_yosys_makes_plain_logic_of_it(name: str, tmp_path: Path) -> None:
    assert synthesise(dut_of(name, 8, 8), tmp_path) == ""


@pytest.mark.tools
@needs_yosys
def test_yosys_finds_a_planted_latch(tmp_path: Path) -> None:
    good = dut_of("daism-fla", 8, 8)
    latch = "reg [15:0] kept; always @* if (stored_i[0]) kept = read_0; assign product_o = kept;"
    text = good.text.replace("assign product_o = read_0;", latch)
    assert text != good.text
    assert "DLATCH" in synthesise(Dut(good.module, 8, 8, text), tmp_path)
