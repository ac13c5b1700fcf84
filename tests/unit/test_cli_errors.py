"""The command line: errors are one line with an exit code, and leave nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cli_runs import LENET, ROOT, SAMPLE, error_line

from cimc.cli import compile_command
from cimc.cli.main import run


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
        [LENET, "--repair=gain,ofset"],
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
