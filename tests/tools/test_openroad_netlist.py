"""Yosys and OpenSTA on the OpenROAD hand-over of the small targets."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from netlist_flow import synthesis_faults, timing_faults, write_design
from netlist_tools import run

from cimc.backend.openroad.flow import cell_area_um2
from cimc.backend.rtl_sources import rtl_texts
from cimc.targets import Target, get

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(shutil.which("yosys") is None, reason="yosys is not installed"),
]
needs_sta = pytest.mark.skipif(shutil.which("sta") is None, reason="sta (opensta) is not installed")

TARGET = get("daism-small")

# A core small enough to synthesise in a second; each planted fault changes it.
CORE = """
module cimc_core (
  input  logic clk_i, input logic rst_ni, input logic start_i, input logic [3:0] data_i,
  output logic done_o, output logic [63:0] word_o
);
  logic extra;
  logic [3:0] stage_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) stage_q <= '0;
    else stage_q <= data_i;
  end
  always_comb begin
    extra = 1'b0;
    if (start_i) extra = data_i[0];
  end
  assign done_o = extra ^ stage_q[0];
  cimc_sram_1r1w #(.Width(64), .Depth(32)) u_memory (
    .clk_i(clk_i), .we_i(start_i), .waddr_i({start_i, data_i}), .wdata_i({16{stage_q}}),
    .re_i(done_o), .raddr_i({start_i, stage_q}), .rdata_o(word_o));
endmodule
"""


def synthesise(folder: Path) -> tuple[int, str]:
    """Return code and log of flow/synth.tcl."""
    command = ["yosys", "-c", "synth.tcl"]
    done = run(command, folder / "flow", LIBERTY=str(folder / "tiny.lib"), ABC_OPTIONS="-fast")
    return done.returncode, done.stdout


def time_netlist(folder: Path) -> str:
    """Log of flow/sta.tcl."""
    command = ["sta", "-no_splash", "-exit", "sta.tcl"]
    return run(command, folder / "flow", LIBERTY=str(folder / "tiny.lib")).stdout


@pytest.fixture(
    scope="module",
    params=[TARGET, pytest.param(get("dcim-small"), marks=pytest.mark.slow)],
    ids=lambda t: t.name,
)
def target(request: pytest.FixtureRequest) -> Target:
    return request.param


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory, target: Target) -> tuple[Path, int, str]:
    """The synthesised accelerator: folder, return code and log."""
    folder = write_design(tmp_path_factory.mktemp("core") / "out", target, rtl_texts(target))
    return folder, *synthesise(folder)


def test_core_synthesises_without_faults(core: tuple[Path, int, str], target: Target) -> None:
    folder, code, log = core
    assert synthesis_faults(log) == []
    assert code == 0
    assert log.count("Found and reported 0 problems.") >= 3
    assert "module cimc_core(" in (folder / "flow" / "netlist.v").read_text()
    statistics = (folder / "flow" / "netlist.stat.txt").read_text()
    area = re.search(r"Chip area for top module .*: ([\d.]+)", statistics)
    assert area is not None
    # The die is sized by a formula; the macros count as black boxes without area here.
    assert float(area[1]) == pytest.approx(cell_area_um2(target), rel=0.05)


@needs_sta
def test_core_is_linked_and_constrained(core: tuple[Path, int, str]) -> None:
    log = time_netlist(core[0])
    assert timing_faults(log) == []
    groups = set(re.findall(r"Path Group: (\S+)", log))
    assert groups == {"core_clock", "vclk_io", "**async_default**"}


def planted(folder: Path, old: str = "", new: str = "") -> Path:
    """The small core with `old` replaced."""
    assert old in CORE
    return write_design(folder / "out", TARGET, {"cimc_core.sv": CORE.replace(old, new)})


def test_small_core_has_no_faults(tmp_path: Path) -> None:
    code, log = synthesise(planted(tmp_path))
    assert (code, synthesis_faults(log)) == (0, [])


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("extra = 1'b0;", "", "Latch inferred for signal"),
        ("assign done_o = extra ^ stage_q[0];", "", "has no driver"),
        (
            "assign done_o = extra",
            "assign done_o = stage_q[1]; assign done_o = extra",
            "conflicting",
        ),
        ("extra = data_i[0];", "extra = ~done_o;", "found logic loop"),
        (".we_i(start_i), ", "", "has no driver"),
        (".Depth(32)", ".Depth(64)", "cimc_macro_of_this_size_is_missing"),
        (
            "assign done_o",
            "logic [3:0] mem_q [64]; always_ff @(posedge clk_i) mem_q[{2'b0, data_i}] <= stage_q;"
            " logic [3:0] word; always_ff @(posedge clk_i) word <= mem_q[{2'b0, stage_q}];"
            " assign word_o[3:0] = word; assign done_o",
            "conflicting",
        ),
    ],
)
def test_planted_synthesis_faults_are_found(tmp_path: Path, old: str, new: str, fault: str) -> None:
    code, log = synthesise(planted(tmp_path, old, new))
    assert code != 0
    assert any(fault in line for line in synthesis_faults(log)), log[-2000:]


@needs_sta
@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("netlist.v", "DFFR_X1 ", "DFFR_X7 ", "DFFR_X7 not found"),
        ("netlist.v", ".CK(clk_i)", ".CK(data_i[0])", "unclocked register"),
        ("constraint.sdc", "set_output_delay", "#", "unconstrained endpoint"),
        ("constraint.sdc", "set_input_delay", "#", "input ports missing"),
        ("lib/cimc_sram_1r1w_32x64.lib", "bus(waddr_i)", "bus(address_i)", "waddr_i"),
    ],
)
def test_planted_timing_faults_are_found(
    tmp_path: Path, file: str, old: str, new: str, fault: str
) -> None:
    folder = planted(tmp_path)
    synthesise(folder)
    assert timing_faults(time_netlist(folder)) == []
    path = folder / "flow" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    faults = timing_faults(time_netlist(folder))
    assert any(fault in line for line in faults), faults
