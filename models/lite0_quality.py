"""How close 8-bit forms of EfficientNet-Lite0 come to its floats, on the photographs beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from quantise_ort import quantise

import cimc

BATCH = 10
CHOICE = {
    "target_sqnr": 13.0,
    "minimise": "exact-macs",
    "choices": ("daism-pc3-lj", "exact"),
    "repair": "offsets",
}
"""Arguments of cimc.compile: more approximate products than 90 %, and 12 dB on other photographs.

One dB more is asked for, as the two photographs that are calibrated on are few.
"""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Photos:
    """Network inputs [N,3,224,224], and the class of each of `images`."""

    images: Floats
    labels: NDArray[np.int64]
    calibration: Floats

    @staticmethod
    def read(folder: Path) -> Photos:
        """Those that get_efficientnet_lite0.py left in `folder`."""
        how = json.loads((folder / "efficientnet_lite0.preprocess.json").read_text("utf-8"))
        with np.load(folder / "photos.npz") as found:
            images, calibration = (
                ((found[name].astype(np.float32) - how["mean"]) / how["std"])
                .transpose(0, 3, 1, 2)
                .astype(np.float32)
                for name in ("images", "calibration")
            )
            return Photos(images, found["labels"], calibration)


@dataclass(frozen=True)
class Quality:
    """Images that a form and the floats put in the same class; signal to noise of the scores."""

    same: int
    sqnr_db: float
    right: int
    """Images in the class that they are labelled with."""


def quality(found: NDArray[Any], real: NDArray[Any], labels: NDArray[np.int64]) -> Quality:
    """Compare scores [N, 1000] with those of the floats."""
    answers = found.argmax(axis=1)
    noise = max(float(np.square(found - real).sum()), np.finfo(np.float64).tiny)
    return Quality(
        int(np.count_nonzero(answers == real.argmax(axis=1))),
        10 * (math.log10(float(np.square(real).sum())) - math.log10(noise)),
        int(np.count_nonzero(answers == labels)),
    )


def approximate_share(compiled: cimc.CompiledModel) -> float:
    """Part of the multiply-accumulates with products that are not exact."""
    layers = compiled.report["layers"]
    exact = sum(layer["macs"] for layer in layers if layer["multiplier"] == "exact")
    return 1 - exact / sum(layer["macs"] for layer in layers)


def batched(run: Callable[[Floats], Any], images: Floats) -> NDArray[Any]:
    """Scores of all images, `BATCH` at a time."""
    parts = (images[i : i + BATCH] for i in range(0, len(images), BATCH))
    return np.concatenate([np.asarray(run(part)) for part in parts])


def onnxruntime_scores(model: onnx.ModelProto, images: Floats) -> Floats:
    """Scores by onnxruntime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return batched(lambda x: session.run(None, {"image": x})[0], images)


def onnxruntime_int8(model: onnx.ModelProto, photos: Photos, per_channel: bool) -> Floats:
    """The same of onnxruntime's own 8-bit form: uint8 activations, ranges from `calibration`."""
    form = quantise(model, photos.calibration, "qdq", per_channel=per_channel)
    return onnxruntime_scores(form, photos.images)
