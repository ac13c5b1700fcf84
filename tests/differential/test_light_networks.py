"""The nine networks of the `onnx` package: import, and every layer against onnxruntime."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cimc.dialects import nn
from cimc.frontend import load
from tests.light_networks import layers, saved, two_images

MODELS = Path(__file__).parents[2] / "models"
sys.path.insert(0, str(MODELS))
try:
    from reweight_light import LIGHT, names, reweighted
finally:
    sys.path.pop(0)

QUICK = ("light_shufflenet", "light_squeezenet", "light_inception_v1")
LARGE = {"light_bvlc_alexnet", "light_zfnet512", "light_vgg19"}
TOLERANCE = 2e-5
"""Largest difference as a part of the largest element: float32 sums in another order."""

HOST: Mapping[str, list[str]] = {
    "light_bvlc_alexnet": ["LRN", "LRN", "Softmax"],
    "light_densenet121": [],
    "light_inception_v1": ["LRN", "LRN", "Softmax"],
    "light_zfnet512": ["LRN", "LRN", "Softmax"],
}
"""What runs on the host; elsewhere only Softmax."""


def some_slow(slow: set[str]) -> list[Any]:
    """All names, of which `slow` are left out of quick runs."""
    return [pytest.param(n, marks=pytest.mark.slow) if n in slow else n for n in names()]


@pytest.mark.parametrize("name", some_slow(LARGE))
def test_network_imports(name: str):
    imported = load(LIGHT / f"{name}.onnx")
    host = [op.nodes.data for op in imported.module.walk() if isinstance(op, nn.HostOp)]
    assert host == HOST.get(name, ["Softmax"])


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in names()],
)
def test_layers_are_those_of_onnxruntime(name: str, tmp_path: Path):
    model = reweighted(name)
    found = list(layers(model, load(saved(model, tmp_path)), two_images()))
    assert len(found) > 20
    for layer in found:
        assert layer.difference <= TOLERANCE * layer.magnitude, layer
        assert layer.apart > 1e-4 * layer.magnitude, f"two inputs look alike: {layer}"


def test_planted_error_is_seen(tmp_path: Path):
    """One weight of 1.2 million, changed by a tenth."""
    model = reweighted("light_squeezenet")
    imported = load(saved(model, tmp_path))
    first = next(op for op in imported.module.walk() if isinstance(op, nn.ConvOp))
    array = imported.weights.get(first.weights.key.data).copy()
    array[3, 1, 1, 2] *= 1.1
    first.weights = nn.store_blob(imported.weights, array)
    found = list(layers(model, imported, two_images()))
    assert any(layer.difference > TOLERANCE * layer.magnitude for layer in found)
