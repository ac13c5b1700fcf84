"""EfficientNet-Lite0 with its ImageNet weights, beside onnxruntime's own 8-bit quantisation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from cimc.api import compile
from cimc.frontend.preprocess import Preprocess

MODELS = Path(__file__).parents[2] / "models"
sys.path.insert(0, str(MODELS))
try:
    from quantise_ort import quantise
finally:
    sys.path.pop(0)

pytestmark = pytest.mark.slow

BATCH = 10


def onnxruntime_logits(model: onnx.ModelProto, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits [N, 1000]."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    parts = (images[i : i + BATCH] for i in range(0, len(images), BATCH))
    return np.concatenate([np.asarray(session.run(None, {"image": x})[0]) for x in parts])


def quality(found: NDArray[Any], real: NDArray[Any]) -> tuple[int, float]:
    """Images with the answer of `real`, and the ratio of signal to noise of the logits in dB."""
    same = np.count_nonzero(found.argmax(axis=1) == real.argmax(axis=1))
    return int(same), float(10 * np.log10(np.square(real).sum() / np.square(found - real).sum()))


def test_as_good_as_onnxruntime(lite0: Path) -> None:
    path = lite0 / "efficientnet_lite0.onnx"
    prepare = Preprocess.read(Preprocess.beside(path))
    with np.load(lite0 / "photos.npz") as photos:
        images, labels = prepare(photos["images"]), photos["labels"]
        calibration = prepare(photos["calibration"])
    model = onnx.load(path)
    real = onnxruntime_logits(model, images)
    assert np.count_nonzero(real.argmax(axis=1) == labels) >= 90, "not the trained network"
    compiled = compile(path, calibration={"image": calibration}, multiplier="exact")
    parts = (images[i : i + BATCH] for i in range(0, len(images), BATCH))
    ours = quality(np.concatenate([compiled.run(None, {"image": x})[0] for x in parts]), real)
    theirs = quality(onnxruntime_logits(quantise(model, calibration, "qdq"), images), real)
    print(f"agreement of {len(images)}, dB: cimc {ours}, onnxruntime {theirs}")
    assert ours[0] >= theirs[0]
    assert ours[1] >= theirs[1]
