"""Shared fixtures: models of the repository, and one compiled network for many tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cimc.api import CompiledModel

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of the trained models."""
    return ROOT / "models"


@pytest.fixture(scope="session")
def lenet(models: Path) -> CompiledModel:
    """LeNet for the default target; tests must not change it."""
    from cimc.api import compile  # tests of a single part do not pay for the whole

    return compile(models / "lenet.onnx", calibration=models / "fashion_mnist_sample.npz")


@pytest.fixture(scope="session")
def lite0(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of EfficientNet-Lite0 and its photographs: fetched before, or now."""
    folder = ROOT / "build" / "efficientnet_lite0"
    if (folder / "photos.npz").is_file():
        return folder
    folder = tmp_path_factory.mktemp("efficientnet_lite0")
    command = [sys.executable, str(models / "get_efficientnet_lite0.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.stderr.startswith("error: "):
        pytest.skip(f"EfficientNet-Lite0 cannot be fetched: {done.stderr.strip()}")
    assert not done.returncode, done.stderr
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def built(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of LeNet; tests must not change it."""
    from cimc.cli.main import run

    out = tmp_path_factory.mktemp("cli") / "lenet"
    sample = models / "fashion_mnist_sample.npz"
    assert run([str(models / "lenet.onnx"), "--calibration", str(sample), "-o", str(out)]) == 0
    return out
