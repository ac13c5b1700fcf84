"""EfficientNet-Lite0 with its ImageNet weights: exact, and with the plan that is chosen for it."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest

from cimc.api import compile

MODELS = Path(__file__).parents[2] / "models"
sys.path.insert(0, str(MODELS))
try:
    from lite0_quality import (
        CHOICE,
        Photos,
        approximate_share,
        batched,
        onnxruntime_int8,
        onnxruntime_scores,
        quality,
    )
finally:
    sys.path.pop(0)


@pytest.mark.slow
def test_as_good_as_onnxruntime(lite0: Path) -> None:
    path = lite0 / "efficientnet_lite0.onnx"
    photos, model = Photos.read(lite0), onnx.load(path)
    real = onnxruntime_scores(model, photos.images)
    assert quality(real, real, photos.labels).right >= 90, "not the trained network"
    compiled = compile(path, calibration={"image": photos.calibration}, multiplier="exact")
    scores = batched(lambda x: compiled.run(None, {"image": x})[0], photos.images)
    ours = quality(scores, real, photos.labels)
    theirs = quality(onnxruntime_int8(model, photos, True), real, photos.labels)
    assert ours.same >= theirs.same
    assert ours.sqnr_db >= theirs.sqnr_db


@pytest.mark.slow
def test_nine_tenths_of_the_products_are_approximate(lite0: Path) -> None:
    path = lite0 / "efficientnet_lite0.onnx"
    photos = Photos.read(lite0)
    real = onnxruntime_scores(onnx.load(path), photos.images)
    compiled = compile(path, calibration={"image": photos.calibration}, **CHOICE)
    used = {layer["multiplier"] for layer in compiled.report["layers"] if layer["macs"]}
    assert used == {"daism-pc3-lj", "exact"}
    assert approximate_share(compiled) >= 0.9
    scores = batched(lambda x: compiled.run(None, {"image": x})[0], photos.images)
    found = quality(scores, real, photos.labels)
    assert found.same >= 95
    assert found.sqnr_db >= 12
