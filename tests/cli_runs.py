"""Running the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cimc.cli.main import run

ROOT = Path(__file__).parents[1]
LENET = str(ROOT / "models" / "lenet.onnx")
SAMPLE = str(ROOT / "models" / "fashion_mnist_sample.npz")


def error_line(capsys: pytest.CaptureFixture[str], code: int, argv: list[str]) -> str:
    """Run `argv`, which must fail with `code` and one line on standard error; returns it."""
    assert run(argv) == code
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("error: ")
    return lines[0].removeprefix("error: ")
