"""The trained models, their preprocessing files and the image sample."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

MODELS = Path(__file__).parents[2] / "models"
sys.path.insert(0, str(MODELS))
try:
    import data
    from evaluate import top1
finally:
    sys.path.pop(0)

NAMES = ("lenet", "resnet8", "resnet18_w16")


def test_sample_is_as_described() -> None:
    calibration, images, labels = data.load_sample()
    assert calibration.shape == images.shape == (256, 28, 28)
    assert calibration.dtype == images.dtype == np.uint8
    assert labels.dtype == np.int64
    assert set(labels.tolist()) == set(range(10))
    assert not np.array_equal(calibration, images)


def test_sample_comes_from_the_full_set() -> None:
    if not data.DEBIAN_ROOT.is_dir():
        pytest.skip("Debian package dataset-fashion-mnist is not installed")
    calibration, images, labels = data.load_sample()
    train_images, _ = data.load("train")
    test_images, test_labels = data.load("test")
    assert len(train_images) == 60_000
    assert len(test_labels) == 10_000
    assert np.array_equal(train_images[:256], calibration)
    assert np.array_equal(test_images[:256], images)
    assert np.array_equal(test_labels[:256], labels)


@pytest.mark.parametrize("name", NAMES)
def test_model_recognises_the_sample(name: str) -> None:
    _, images, labels = data.load_sample()
    path = MODELS / f"{name}.onnx"
    assert top1(path, images, labels) >= 0.88
    assert top1(path, images, np.roll(labels, 1)) < 0.3


@pytest.mark.parametrize("name", NAMES)
def test_model_is_one_file_of_dynamic_batch(name: str) -> None:
    model = onnx.load(MODELS / f"{name}.onnx", load_external_data=False)
    assert all(tensor.raw_data or tensor.dims for tensor in model.graph.initializer)
    assert all(
        tensor.data_location == onnx.TensorProto.DEFAULT for tensor in model.graph.initializer
    )
    (entry,) = model.graph.input
    batch, *image = entry.type.tensor_type.shape.dim
    assert batch.dim_param == "batch"
    spec = data.Preprocess.read(data.preprocess_path(MODELS / f"{name}.onnx"))
    x = spec(np.zeros((1, 28, 28), np.uint8))
    assert [dim.dim_value for dim in image] == list(x.shape[1:])


def test_preprocess_formula() -> None:
    spec = data.Preprocess(1 / 255, [0.5, 0.25], [0.5, 0.125], [1, 0, 2, 3], 2)
    image = np.full((1, 2, 2), 255, np.uint8)
    x = spec(image)
    assert x.shape == (1, 2, 5, 5)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x[0, :, 1, 0], [1.0, 6.0], rtol=1e-6)
    np.testing.assert_allclose(x[0, :, 0, 0], [-1.0, -2.0], rtol=1e-6)
    np.testing.assert_allclose(x[0, :, 4, 4], [-1.0, -2.0], rtol=1e-6)


def test_preprocess_file_round_trip(tmp_path: Path) -> None:
    spec = data.Preprocess(0.5, [0.1], [0.2], [1, 2, 3, 4], 3)
    spec.write(tmp_path / "a.json")
    assert data.Preprocess.read(tmp_path / "a.json") == spec


def test_idx_reader_names_a_file_of_another_kind(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x01\x05"))
    assert data.read_idx(path, data.LABELS_MAGIC).tolist() == [5]
    with pytest.raises(ValueError, match="not an IDX file with magic number 0x803"):
        data.read_idx(path, data.IMAGES_MAGIC)
