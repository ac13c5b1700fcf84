"""The command line: what it prints and writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli_runs import LENET, SAMPLE

from cimc.cli import compile_command
from cimc.cli.main import run
from cimc.cli.opt import run as run_opt


def test_writes_the_output_directory(built: Path) -> None:
    names = {path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()}
    stages = ("nn", "nn-quantised", "cim", "cim-scheduled", "bit")
    assert {f"{stage}.mlir" for stage in stages} <= names
    assert {"program.bin", "dram.bin", "dram.map.json", "listing.txt", "plan.json"} <= names
    assert {"report.json", "manifest.json", "rtl/cimc_core.sv", "rtl/cimc_pkg.sv"} <= names
    assert {"rtl/files.f", "flow/config.mk"} <= names
    assert any(name.startswith("weights/") for name in names)
    assert any(name.startswith("multipliers/") for name in names)
    assert set(json.loads((built / "manifest.json").read_text())["files"]) == names - {
        "manifest.json"
    }
    listed = (built / "rtl" / "files.f").read_text().split()
    assert all((built / "rtl" / name).is_file() for name in listed)
    assert (built / "dram.bin").read_bytes().startswith((built / "program.bin").read_bytes())
    assert json.loads((built / "report.json").read_text())["verification"]["level"] == "emulate"


def test_same_input_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    assert run([LENET, "--calibration", SAMPLE, "-o", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "manifest.json").read_bytes() == (
        built / "manifest.json"
    ).read_bytes()


def test_default_output_directory_and_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([LENET, "--calibration", SAMPLE, "--images", "2"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert re.search(r"^total +416,520 ", captured.out, re.MULTILINE)
    assert re.search(r"^implementation  0 of [\d,]+ bytes differ", captured.out, re.MULTILINE)
    assert "onnxruntime, 2 images" in captured.out
    assert (here / "build" / "lenet" / "report.json").is_file()


def test_verbose_says_every_step(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compile", LENET, "-v", "--verify=none", "-o", "out"]) == 0
    steps = capsys.readouterr().err.splitlines()
    assert steps[0].startswith("import ")
    assert {"quantise", "cim-schedule", "write out"} <= set(steps)


def test_noise_is_noted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([LENET, "--verify=none"]) == 0
    assert "note: RANGES ARE NOT REAL" in capsys.readouterr().out


def test_plan_round_trip(built: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = json.loads((built / "plan.json").read_text())
    first = plan["layers"][0]["node"]
    plan["layers"][0] |= {"multiplier": "exact"}
    Path("mine.json").write_text(json.dumps(plan))
    argv = [LENET, "--calibration", SAMPLE, "--plan", "mine.json", "-o", "out"]
    assert run(argv) == 0
    written = json.loads((here / "out" / "plan.json").read_text())
    assert written == plan
    report = json.loads((here / "out" / "report.json").read_text())
    by_node = {layer["node"]: layer for layer in report["layers"]}
    assert by_node[first]["multiplier"] == "exact"
    assert by_node[first]["reads"] == 7  # one a bit: the input is signed


def test_exact_multiplier_has_no_approximation_error(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([LENET, "--calibration", SAMPLE, "--multiplier", "exact"]) == 0
    assert re.search(r"^approximation   none", capsys.readouterr().out, re.MULTILINE)


def test_verify_each(here: Path) -> None:
    assert run([LENET, "--calibration", SAMPLE, "--verify-each", "--verify=none"]) == 0


@pytest.mark.parametrize("stage", compile_command.STAGES)
def test_emit_prints_and_writes_nothing(
    stage: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([LENET, f"--emit={stage}"]) == 0
    expected = {"microcode": "LOAD_WEIGHTS", "sv": "endmodule", "nn-quantised": "!nn.quant"}
    assert expected.get(stage, "func.func @main") in capsys.readouterr().out
    assert list(here.iterdir()) == []


def test_print_ir_after(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [LENET, "--verify=none", "--print-ir-after=quantise", "--print-ir-after=cim-tile"]
    assert run(argv) == 0
    printed = re.findall(r"^// IR after (.+)$", capsys.readouterr().err, re.MULTILINE)
    assert printed == ["quantise", "cim-tile"]
    assert run([LENET, "--verify=none", "--print-ir-after-all"]) == 0
    printed = re.findall(r"^// IR after (.+)$", capsys.readouterr().err, re.MULTILINE)
    assert printed == list(compile_command.PIPELINE)


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["targets"]) == 0
    assert re.search(r"^daism +16 banks.* 512 +1024 +daism-pc3-lj$", capsys.readouterr().out, re.M)
    assert run(["multipliers"]) == 0
    assert re.search(r"^exact +8 +8 +- +0\.000 +0\.000 +0 +0\.00$", capsys.readouterr().out, re.M)
    assert run(["multipliers", "daism-pc3"]) == 0
    assert "daism-pc3: exact rows for the top 3 bits" in capsys.readouterr().out


def test_cimc_opt_continues_from_the_output_directory(
    built: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cim = str(built / "cim.mlir")
    passes = "cim-tile,cim-allocate,cim-schedule,cim-estimate-cycles"
    assert run_opt([cim, "-p", passes, "--print-debuginfo"]) == 0
    expected = (built / "cim-scheduled.mlir").read_text()
    assert capsys.readouterr().out.strip() == expected.strip()


def test_cimc_opt_reads_onnx_and_saves_weights(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_opt([LENET, "-p", "canonicalise-nn", "-o", "nn.mlir"]) == 0
    assert run_opt(["nn.mlir", "-p", "assign-precision{weight-bits=4}"]) == 0
    assert "weight_bits = 4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["x.mlir"], "error: [Errno 2] No such file or directory: 'x.mlir'"),
        ([LENET, "-p", "no-such"], "error: Unrecognized"),
        ([LENET, "--target", "dais"], "error: unknown target 'dais'; did you mean 'daism'?"),
        ([LENET, "--weights", "none"], "error: none: no folder of weights"),
    ],
)
def test_cimc_opt_errors_are_short(
    argv: list[str], message: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_opt(argv) in (1, 2)
    captured = capsys.readouterr().err
    assert captured.startswith(message)
    assert "Traceback" not in captured
