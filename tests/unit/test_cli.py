"""The command line: what it prints, its exit codes, and that errors leave nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cimc.cli import compile_command
from cimc.cli.main import run
from cimc.cli.opt import run as run_opt

ROOT = Path(__file__).parents[2]
LENET = str(ROOT / "models" / "lenet.onnx")
SAMPLE = str(ROOT / "models" / "fashion_mnist_sample.npz")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of LeNet."""
    out = tmp_path_factory.mktemp("cli") / "lenet"
    assert run([LENET, "--calibration", SAMPLE, "-o", str(out)]) == 0
    return out


def error_line(capsys: pytest.CaptureFixture[str], code: int, argv: list[str]) -> str:
    """Run `argv`, which must fail with `code` and one line on standard error; returns it."""
    assert run(argv) == code
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("error: ")
    return lines[0].removeprefix("error: ")


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


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["no.onnx"], "no.onnx: no such model file"),
        (["target"], "target: no such model file; did you mean the command 'targets'?"),
        ([LENET, "--target", "dasm"], "unknown target 'dasm'; did you mean 'daism'?"),
        ([LENET, "--multiplier", "daism-pc9"], "unknown multiplier 'daism-pc9'; did you mean '"),
        ([LENET, "--calibration", "no.npz"], "no.npz: no such calibration file or folder"),
        ([LENET, "--plan", "no.json"], "no.json: cannot read the plan: No such file or directory"),
        ([LENET, "-o", "file"], "file: not a directory; choose another one with -o"),
        ([LENET, "-o", "file/out"], "file/out: cannot be written (a parent is not a directory)"),
        ([LENET, "-o", "."], ".: holds 2 files that cimc did not write (bad.onnx, file)"),
        (["bad.onnx"], "bad.onnx: not an ONNX model"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    argv: list[str], message: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "file").write_text("x")
    (here / "bad.onnx").write_bytes(Path(LENET).read_bytes()[:1000])
    assert error_line(capsys, 1, argv).startswith(message)
    assert sorted(path.name for path in here.iterdir()) == ["bad.onnx", "file"]


def test_wrong_calibration_shape(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("x.npy", np.zeros((4, 3, 8, 8), np.float32))
    message = error_line(capsys, 1, [LENET, "--calibration", "x.npy"])
    assert "x.npy" in message
    assert "3" in message
    assert not (here / "build").exists()


def test_plan_for_a_layer_that_does_not_exist(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("plan.json").write_text('{"layers": [{"node": "node_conv2", "multiplier": "exact"}]}')
    message = error_line(capsys, 1, [LENET, "--plan", "plan.json"])
    assert message.startswith("plan.json: the network has no layer 'node_conv2'; did you mean '")
    Path("plan.json").write_text('{"layers": [{"node": "node_conv2d", "multiplier": "exakt"}]}')
    message = error_line(capsys, 1, [LENET, "--plan", "plan.json"])
    assert message.endswith("unknown multiplier 'exakt'; did you mean 'exact'?")


def test_missing_simulator(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = shutil.which
    absent = ("g++", "iverilog")
    monkeypatch.setattr(shutil, "which", lambda name: None if name in absent else find(name))
    message = error_line(capsys, 1, [LENET, "--verify=rtl"])
    assert "simulator verilator needs g++: apt install g++" in message
    message = error_line(capsys, 1, [LENET, "--verify=rtl", "--simulator=icarus"])
    assert "simulator icarus needs iverilog: apt install iverilog" in message
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    "argv",
    [
        [],
        [LENET, "--verify=maybe"],
        [LENET, "--images=0"],
        [LENET, "--no-such-option"],
        [LENET, "--min-snr=much"],
        ["targets", "extra"],
    ],
)
def test_usage_errors(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(argv)
    assert caught.value.code == 2
    assert "usage: cimc" in capsys.readouterr().err


def test_unknown_pass_to_print(capsys: pytest.CaptureFixture[str]) -> None:
    message = error_line(capsys, 2, [LENET, "--print-ir-after=quantize"])
    assert message == "--print-ir-after: unknown pass 'quantize'; did you mean 'quantise'?"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("cimc ")


def test_defects_are_one_line_without_debug(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(compile_command, "compile", defect)
    message = error_line(capsys, 1, [LENET])
    assert message.startswith("internal error: ZeroDivisionError: planted; run again with --debug")
    assert run([LENET, "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.fixture
def slow_start(here: Path) -> Iterator[subprocess.Popen[str]]:
    """A compilation in a process of its own, stopped in the middle by a pass that waits."""
    script = (
        "import signal, sys, time\n"
        # shells start background jobs, of which this may be one, with it ignored
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from cimc.backend import artifacts\n"
        "from cimc.cli import main\n"
        "artifacts.write_rtl = lambda *a: (print('writing', flush=True), time.sleep(60))\n"
        f"sys.argv = ['cimc', {LENET!r}, '--verify=none', '-o', 'out']\n"
        "main.main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_keeps_the_earlier_output(
    number: signal.Signals, built: Path, here: Path, slow_start: subprocess.Popen[str]
) -> None:
    shutil.copytree(built, here / "out")
    assert slow_start.stdout is not None
    assert slow_start.stdout.readline() == "writing\n"
    assert [p.name for p in here.iterdir() if p.name.startswith(".out.")]
    time.sleep(0.1)
    slow_start.send_signal(number)
    _, error = slow_start.communicate(timeout=30)
    assert slow_start.returncode == 130
    assert error == "interrupted; nothing was written\n"
    assert [path.name for path in here.iterdir()] == ["out"]
    assert (here / "out" / "manifest.json").read_bytes() == (built / "manifest.json").read_bytes()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--choices=exact"], "--choices: say what to keep with --min-snr or --target-sqnr"),
        (["--bits=4,8"], "--bits: say what to keep with --min-snr or --target-sqnr"),
        (
            ["--target-sqnr=20", "--multiplier=exact"],
            "--multiplier is for all layers; give --choices, or fix layers in a --plan",
        ),
        (
            ["--min-snr=20", "--exact-front=1"],
            "--exact-front is for uniform layers; give --choices, or fix layers in a --plan",
        ),
    ],
)
def test_choices_that_make_no_sense(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert error_line(capsys, 2, [LENET, *argv, "--emit=nn"]) == message


def test_chosen_multipliers(capsys: pytest.CaptureFixture[str]) -> None:

    argv = ["--calibration", SAMPLE, "--min-snr", "24", "--choices", "exact, daism-pc3-lj"]
    assert run([LENET, *argv, "--emit=nn-quantised"]) == 0
    found = capsys.readouterr().out
    assert 'multiplier = "exact"' in found
    assert 'multiplier = "daism-pc3-lj"' in found
