"""Calibration data from arrays, files and images, with a stated preprocessing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx.helper import make_tensor_value_info
from PIL import Image
from small_onnx import FLOAT, model, node, random, save

from cimc.diagnostics import InvalidInput
from cimc.frontend import ImportedModel, Preprocess, load, load_calibration

HALF = {"scale": 0.5, "mean": [1.0], "std": [2.0]}


@pytest.fixture
def grey(tmp_path: Path) -> ImportedModel:
    """A model of one input x, 1x6x4."""
    return load(save(model([node("Relu", ["x"])], shape=("N", 1, 6, 4)), tmp_path))


@pytest.fixture
def colour(tmp_path: Path) -> ImportedModel:
    """A model of one input x, 3x6x4."""
    return load(save(model([node("Relu", ["x"])], shape=("N", 3, 6, 4)), tmp_path, "c.onnx"))


def write_json(path: Path, data: Any) -> Path:
    path.write_text(json.dumps(data))
    return path


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def test_float_arrays_are_taken_as_they_are(grey: ImportedModel, tmp_path: Path):
    x = random(5, 1, 6, 4)
    np.save(tmp_path / "x.npy", x)
    for data in (tmp_path / "x.npy", {"x": x}, {"x": x.astype(np.float64)}):
        found = load_calibration(grey, data)
        np.testing.assert_array_equal(found.arrays["x"], x)
        assert found.arrays["x"].dtype == np.float32
        assert found.ranges_are_real


def test_integer_images_are_preprocessed(colour: ImportedModel, tmp_path: Path):
    spec = HALF | {"pad": [1, 0, 2, 1], "channels": 3, "mean": [1.0, 2.0, 3.0]}
    how = write_json(tmp_path / "how.json", spec)
    raw = images(5, 3, 3)
    expected = np.zeros((5, 3, 6, 4), np.float32)
    expected[:, :, 1:4, 0:3] = raw[:, None]
    expected = (expected * 0.5 - np.float32([1, 2, 3])[:, None, None]) / 2
    found = load_calibration(colour, {"x": raw}, how)
    np.testing.assert_allclose(found.arrays["x"], expected, rtol=1e-6)


@pytest.mark.parametrize("layout", [(5, 3, 6, 4), (5, 6, 4, 3)])
def test_both_layouts_of_colour_images(
    layout: tuple[int, ...], colour: ImportedModel, tmp_path: Path
):
    raw = images(*layout)
    found = load_calibration(colour, {"x": raw}, write_json(tmp_path / "how.json", HALF))
    planes = raw if layout[1] == 3 else raw.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found.arrays["x"], (planes * np.float32(0.5) - 1) / 2)


def test_the_preprocessing_beside_the_model_is_the_default(grey: ImportedModel, tmp_path: Path):
    raw = images(2, 6, 4)
    with pytest.raises(InvalidInput, match="integer images need a preprocessing"):
        load_calibration(grey, {"x": raw})
    write_json(tmp_path / "m.preprocess.json", HALF)
    found = load_calibration(grey, {"x": raw})
    np.testing.assert_allclose(found.arrays["x"][:, 0], (raw * np.float32(0.5) - 1) / 2)


@pytest.mark.parametrize("chosen", ["x", "calibration", "images", "other"])
def test_names_in_an_npz(chosen: str, grey: ImportedModel, tmp_path: Path):
    order = ["x", "calibration", "images", "other"]
    rest = order[order.index(chosen) + 1 :] if chosen != "other" else []
    arrays = {name: random(2, 1, 6, 4, seed=i) for i, name in enumerate([chosen, *rest])}
    np.savez(tmp_path / "x.npz", **arrays)
    found = load_calibration(grey, tmp_path / "x.npz")
    np.testing.assert_array_equal(found.arrays["x"], arrays[chosen])


def test_a_folder_of_images(grey: ImportedModel, tmp_path: Path):
    folder = tmp_path / "photos"
    folder.mkdir()
    raw = images(3, 12, 10)
    for name, image in zip("bca", raw, strict=True):
        Image.fromarray(image).save(folder / f"{name}.png")
    (folder / "notes.txt").write_text("not an image")
    how = write_json(tmp_path / "how.json", HALF | {"crop": [6, 4]})
    found = load_calibration(grey, folder, how)
    sorted_by_name = raw[[2, 0, 1], 3:9, 3:7]
    np.testing.assert_allclose(found.arrays["x"][:, 0], (sorted_by_name * np.float32(0.5) - 1) / 2)


def test_resize_keeps_the_aspect_ratio_of_one_value(tmp_path: Path):
    how = Preprocess.read(write_json(tmp_path / "how.json", {"resize": 6, "crop": [6, 4]}))
    flat = np.full((1, 12, 24, 3), 7, np.uint8)
    assert how(flat).shape == (1, 3, 6, 4)
    assert (how(flat) == 7).all()
    assert Preprocess(resize=(5, 9))(flat).shape == (1, 3, 5, 9)


def test_no_data_is_noise_and_says_so(grey: ImportedModel):
    first, again = (load_calibration(grey, None) for _ in range(2))
    assert first.source == "4 tensors of seeded noise"
    assert not first.ranges_are_real
    np.testing.assert_array_equal(first.arrays["x"], again.arrays["x"])


def test_at_most_256_images(grey: ImportedModel):
    assert len(load_calibration(grey, {"x": random(300, 1, 6, 4)}).arrays["x"]) == 256


def test_two_inputs_need_an_array_each(tmp_path: Path):
    proto = model([node("Add", ["x", "z"])], shape=("N", 1, 6, 4))
    proto.graph.input.append(make_tensor_value_info("z", FLOAT, ("N", 1, 6, 4)))
    imported = load(save(proto, tmp_path))
    a, b = random(2, 1, 6, 4), random(2, 1, 6, 4, seed=1)
    np.savez(tmp_path / "two.npz", z=b, x=a)
    found = load_calibration(imported, tmp_path / "two.npz").arrays
    np.testing.assert_array_equal(found["z"], b)
    np.save(tmp_path / "one.npy", a)
    with pytest.raises(InvalidInput, match=r"2 inputs need an \.npz, one array each"):
        load_calibration(imported, tmp_path / "one.npy")
    with pytest.raises(InvalidInput, match=r"calibration is for \['x'\], the model's inputs are"):
        load_calibration(imported, {"x": a})
    with pytest.raises(InvalidInput, match=r"inputs have \[1, 2\] images"):
        load_calibration(imported, {"x": a, "z": b[:1]})


# Errors

BAD_ARRAYS = {
    "shape": (
        random(5, 1, 6, 5),
        "arrays: calibration for input 'x' has shape [5, 1, 6, 5], expected [N, 1, 6, 4]",
    ),
    "no batch": (
        random(1, 6, 4),
        "arrays: calibration for input 'x' has shape [1, 6, 4], expected [N, 1, 6, 4]",
    ),
    "type": (
        np.zeros((2, 1, 6, 4), bool),
        "arrays: calibration for input 'x' has type bool; expected floats or integer images",
    ),
    "text": (
        np.array("image"),
        "arrays: calibration for input 'x' has type <U5; expected floats or integer images",
    ),
    "not finite": (
        np.full((2, 1, 6, 4), np.nan, np.float32),
        "arrays: calibration for input 'x' holds NaN or infinite values",
    ),
    "empty": (
        random(0, 1, 6, 4),
        "arrays: inputs have [0] images; need equal, above 0",
    ),
    "image shape": (
        images(2, 6, 5),
        "arrays: calibration for input 'x' has shape [2, 1, 6, 5], expected [N, 1, 6, 4]",
    ),
    "image rank": (
        images(6, 4),
        "arrays: calibration for input 'x' has shape [6, 4] of uint8; expected images [N,H,W], "
        "[N,C,H,W] or [N,H,W,C] for an input of [1, 1, 6, 4]",
    ),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_bad_arrays(name: str, grey: ImportedModel, tmp_path: Path):
    array, expected = BAD_ARRAYS[name]
    write_json(tmp_path / "m.preprocess.json", HALF)
    with pytest.raises(InvalidInput) as caught:
        load_calibration(grey, {"x": array})
    assert str(caught.value) == expected


def bad_file(tmp_path: Path, kind: str) -> Path:
    """A calibration path that cannot be used."""
    path = tmp_path / {"folder": "empty", "suffix": "x.txt"}.get(kind, f"x.{kind[:3]}")
    match kind:
        case "folder":
            path.mkdir()
        case "npy garbage" | "npz garbage":
            path.write_bytes(b"garbage")
        case "npy truncated":
            np.save(path, random(2, 1, 6, 4))
            path.write_bytes(path.read_bytes()[:150])
        case "npy objects":
            np.save(path, np.array([{}], object), allow_pickle=True)
        case "npz names":
            np.savez(path, a=random(1), b=random(1))
        case "suffix":
            path.write_text("1 2 3")
    return path


BAD_FILES = {
    "none": "no such calibration file or folder",
    "suffix": "calibration must be .npy, .npz or a folder of images",
    "folder": "holds no images (.png, .jpg, .jpeg, .bmp, .webp, .ppm, .pgm)",
    "npy garbage": "not a readable array file: ",
    "npz garbage": "not a readable array file: ",
    "npy truncated": "not a readable array file: ",
    "npy objects": "not a readable array file: ",
    "npz names": "holds a, b; expected an array 'x'",
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_files(kind: str, grey: ImportedModel, tmp_path: Path):
    path = bad_file(tmp_path, kind)
    with pytest.raises(InvalidInput) as caught:
        load_calibration(grey, path)
    assert str(caught.value).startswith(f"{path}: {BAD_FILES[kind]}")
    assert "\n" not in str(caught.value)


def test_bad_image(grey: ImportedModel, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    bad = tmp_path / "photos" / "a.png"
    bad.write_bytes(b"garbage")
    with pytest.raises(InvalidInput, match=f"{bad}: not a readable image"):
        load_calibration(grey, tmp_path / "photos", write_json(tmp_path / "how.json", HALF))


def test_image_of_another_size(grey: ImportedModel, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    Image.fromarray(images(5, 5)).save(tmp_path / "photos" / "a.png")
    with pytest.raises(InvalidInput) as caught:
        load_calibration(grey, tmp_path / "photos", write_json(tmp_path / "how.json", HALF))
    assert str(caught.value) == (
        f"{tmp_path}/photos/a.png after preprocessing has shape [1, 1, 5, 5], expected [N, 1, 6, 4]"
    )


BAD_PREPROCESS = {
    "key": ({"scael": 1}, "unknown key 'scael'; did you mean 'scale'?"),
    "list": ([1], "preprocessing must be an object"),
    "scale": ({"scale": "x"}, "bad value 'x' for 'scale'"),
    "scale of two": ({"scale": [1, 2]}, "bad value [1, 2] for 'scale'"),
    "mean": ({"mean": []}, "bad value [] for 'mean'"),
    "infinite": ({"mean": [float("inf")]}, "bad value [inf] for 'mean'"),
    "std": ({"std": [0.0]}, "value [0.0] for 'std' is out of range"),
    "pad": ({"pad": [1, 2]}, "bad value [1, 2] for 'pad'"),
    "negative pad": ({"pad": [0, -1, 0, 0]}, "value [0, -1, 0, 0] for 'pad' is out of range"),
    "channels": ({"channels": 2}, "bad value 2 for 'channels'"),
    "crop": ({"crop": [1, 2, 3]}, "bad value [1, 2, 3] for 'crop'"),
    "resize": ({"resize": 0}, "value 0 for 'resize' is out of range"),
    "true": ({"resize": True}, "bad value True for 'resize'"),
}


@pytest.mark.parametrize("name", BAD_PREPROCESS)
def test_bad_preprocess(name: str, tmp_path: Path):
    data, expected = BAD_PREPROCESS[name]
    path = write_json(tmp_path / "p.json", data)
    with pytest.raises(InvalidInput) as caught:
        Preprocess.read(path)
    assert str(caught.value) == f"{path}: {expected}"


def test_preprocess_that_is_no_json(tmp_path: Path):
    path = tmp_path / "p.json"
    with pytest.raises(InvalidInput, match="cannot read the preprocessing: No such file"):
        Preprocess.read(path)
    path.write_text("{")
    with pytest.raises(InvalidInput, match="cannot read the preprocessing: not JSON"):
        Preprocess.read(path)


def test_preprocess_that_does_not_fit_the_images():
    with pytest.raises(InvalidInput, match="images have 3 channels, channels=1 is wanted"):
        Preprocess(channels=1)(images(1, 4, 4, 3))
    with pytest.raises(InvalidInput, match="2 values of mean for 3 channels"):
        Preprocess(mean=(1, 2))(images(1, 4, 4, 3))
    with pytest.raises(InvalidInput, match="crop 5x5 of images of 4x4"):
        Preprocess(crop=(5,))(images(1, 4, 4, 3))
    with pytest.raises(InvalidInput, match="resize needs uint8 images, got int64"):
        Preprocess(resize=(2,))(images(1, 4, 4, 3).astype(np.int64))
