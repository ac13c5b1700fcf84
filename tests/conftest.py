"""Shared fixtures: models of the repository, and one compiled network for many tests."""

from __future__ import annotations

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
