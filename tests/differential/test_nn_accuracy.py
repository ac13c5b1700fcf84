"""Top-1 of the quantised networks on the whole Fashion-MNIST test set."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from small_onnx import onnxruntime_result
from test_nn_quantised import quantised, result

from cimc.frontend import Preprocess

DATA = Path("/usr/share/datasets/fashion-mnist")
CHUNK = 250


def read_idx(name: str, header: int) -> NDArray[Any]:
    """Bytes of a gzipped IDX file behind its header."""
    path = DATA / f"t10k-{name}-ubyte.gz"
    if not path.is_file():
        pytest.skip(f"{path} is missing; install the Debian package dataset-fashion-mnist")
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet", "resnet8", "resnet18_w16"])
def test_exact_multipliers_keep_top1(name: str, models: Path):
    """Within 0.3 points of onnxruntime's float result on 10,000 images."""
    images, labels = read_idx("images-idx3", 16).reshape(-1, 28, 28), read_idx("labels-idx1", 8)
    path = models / f"{name}.onnx"
    imported = quantised(path, models / "fashion_mnist_sample.npz")
    how = Preprocess.read(Preprocess.beside(path))
    right = np.zeros(2, int)
    for at in range(0, len(images), CHUNK):
        x, wanted = how(images[at : at + CHUNK, ..., None]), labels[at : at + CHUNK]
        answers = (onnxruntime_result(path, {"input": x}), result(imported, x))
        right += [(answer.argmax(1) == wanted).sum() for answer in answers]
    points = right / len(images) * 100
    assert points[1] >= points[0] - 0.3
