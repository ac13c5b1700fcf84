"""Static int8 quantisation by onnxruntime, in both of its forms."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

# DequantizeLinear has an axis since then.
PER_CHANNEL_OPSET = 13


class Reader(CalibrationDataReader):
    """Feeds calibration images one by one."""

    def __init__(self, name: str, images: NDArray[np.float32]) -> None:
        self.feeds: Iterator[dict[str, NDArray[np.float32]]] = iter(
            {name: image[None]} for image in images
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next input, or None."""
        return next(self.feeds, None)


TYPES = {"u8": QuantType.QUInt8, "s8": QuantType.QInt8}


def quantise(
    model: onnx.ModelProto,
    images: NDArray[np.float32],
    form: Literal["qdq", "qoperator"],
    *,
    types: str = "u8s8",
    per_channel: bool = True,
) -> onnx.ModelProto:
    """8-bit model, `types` of activations and weights, ranges seen on `images` [N,C,H,W].

    Weights have one scale an output with `per_channel`, else one. The first graph input must be
    the image. ValueError if the opset is older than 13.
    """
    opset = next(entry.version for entry in model.opset_import if not entry.domain)
    if opset < PER_CHANNEL_OPSET:
        raise ValueError(f"opset {opset}: per-channel scales need opset {PER_CHANNEL_OPSET}")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            Reader(model.graph.input[0].name, images),
            quant_format={"qdq": QuantFormat.QDQ, "qoperator": QuantFormat.QOperator}[form],
            per_channel=per_channel,
            activation_type=TYPES[types[:2]],
            weight_type=TYPES[types[2:]],
        )
        return onnx.load(target)
