"""Unusable models: one line that names the file, the node, the numbers and the remedy."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from model_errors import W, message
from onnx import TensorProto
from onnx.external_data_helper import convert_model_to_external_data
from onnx.helper import make_tensor_value_info
from small_onnx import FLOAT, model, node, random, save

from cimc.diagnostics import InvalidModel, UnsupportedModel
from cimc.frontend import load
from cimc.interp.nn import run

# Files


def test_missing_file(tmp_path: Path):
    path = tmp_path / "none.onnx"
    assert message(path) == f"{path}: cannot read the model: No such file or directory"


def test_folder_instead_of_file(tmp_path: Path):
    assert message(tmp_path) == f"{tmp_path}: cannot read the model: Is a directory"


@pytest.mark.parametrize("garbage", [b"", b"\x00" * 100, b"not an onnx file at all\n" * 10])
def test_garbage(garbage: bytes, tmp_path: Path):
    path = tmp_path / "m.onnx"
    path.write_bytes(garbage)
    text = message(path)
    assert text.startswith(f"{path}: ")
    assert re.search(
        f"not an ONNX model, or truncated \\({len(garbage)} bytes\\)|empty graph", text
    )


def test_truncated_at_every_length(models: Path, tmp_path: Path):
    """No length may give a traceback, or a model that is silently smaller."""
    whole = (models / "lenet.onnx").read_bytes()
    path = tmp_path / "m.onnx"
    rng = np.random.default_rng(0)
    for length in [*range(0, 4000, 97), *rng.integers(4000, len(whole), 40)]:
        path.write_bytes(whole[:length])
        with pytest.raises((InvalidModel, UnsupportedModel)):
            load(path)


def test_empty_graph(tmp_path: Path):
    path = save(model([]), tmp_path)
    assert re.fullmatch(rf"{path}: empty graph: no nodes in \d+ bytes", message(path))


def test_old_and_new_opsets(tmp_path: Path):
    path = save(model([node("Relu", ["x"])], opset=6), tmp_path)
    assert message(path, UnsupportedModel) == (
        f"{path}: opset 6 is older than 7; convert it with onnx.version_converter"
    )
    path = save(model([node("Relu", ["x"])], opset=999), tmp_path)
    assert f"{path}: opset 999 is newer than " in message(path, UnsupportedModel)


def test_no_opset(tmp_path: Path):
    proto = model([node("Relu", ["x"])])
    del proto.opset_import[:]
    path = save(proto, tmp_path)
    assert message(path) == f"{path}: names no opset version; export it again"


# External data


def external(tmp_path: Path) -> tuple[Path, onnx.ModelProto]:
    """A convolution with its weights in w.data."""
    proto = model([node("Conv", ["x", "w"])], {"w": W})
    convert_model_to_external_data(proto, location="w.data", size_threshold=0)
    return save(proto, tmp_path), onnx.load(tmp_path / "m.onnx", load_external_data=False)


def relocated(tmp_path: Path, **fields: str) -> Path:
    """The same with other external-data fields."""
    path, proto = external(tmp_path)
    for entry in proto.graph.initializer[0].external_data:
        entry.value = fields.pop(entry.key, entry.value)
    for key, value in fields.items():
        proto.graph.initializer[0].external_data.add(key=key, value=value)
    path.write_bytes(proto.SerializeToString())
    return path


def test_external_data_is_read(tmp_path: Path):
    imported = load(external(tmp_path)[0])
    whole = load(save(model([node("Conv", ["x", "w"])], {"w": W}), tmp_path, "whole.onnx"))
    x = {"x": random(1, 3, 8, 8)}
    got, expected = (run(m.module, m.weights, x).outputs["y"] for m in (imported, whole))
    np.testing.assert_array_equal(got, expected)


def test_missing_external_data(tmp_path: Path):
    path, _ = external(tmp_path)
    (tmp_path / "w.data").unlink()
    assert message(path) == (
        f"{path}: external data of tensor 'w': cannot read 'w.data': No such file or directory; "
        "keep the file beside the model"
    )


def test_short_external_data(tmp_path: Path):
    path, _ = external(tmp_path)
    (tmp_path / "w.data").write_bytes(b"\x00" * 10)
    assert message(path) == (
        f"{path}: external data of tensor 'w': 'w.data' holds 10 bytes at offset 0, 432 are needed"
    )


@pytest.mark.parametrize("location", ["../w.data", "/etc/passwd", "sub/../../w.data"])
def test_external_data_outside_the_folder(location: str, tmp_path: Path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "w.data").write_bytes(b"\x00" * 432)
    path = relocated(tmp_path / "inner", location=location)
    assert message(path) == (
        f"{path}: external data of tensor 'w': path '{location}' leaves the folder of the model; "
        "refused"
    )


def test_external_data_through_a_link_outside(tmp_path: Path):
    (tmp_path / "inner").mkdir()
    path, _ = external(tmp_path / "inner")
    (tmp_path / "inner" / "w.data").rename(tmp_path / "w.data")
    (tmp_path / "inner" / "w.data").symlink_to(tmp_path / "w.data")
    assert "leaves the folder of the model" in message(path)


@pytest.mark.parametrize("offset", ["-5", "x", "9999999"])
def test_bad_external_offset(offset: str, tmp_path: Path):
    path = relocated(tmp_path, offset=offset)
    assert message(path).startswith(f"{path}: external data of tensor 'w': ")


# Inputs


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (
            ("N", 3, "H", 8),
            "m.onnx input 'x': dimension 2 (height) is dynamic ('H'); export with a fixed size",
        ),
        (
            (1, 3, 8, None),
            "m.onnx input 'x': dimension 3 (width) is dynamic; export with a fixed size",
        ),
        (
            (1, 3, 8, -1),
            "m.onnx input 'x': dimension 3 (width) is dynamic; export with a fixed size",
        ),
        ((1, 3, 8), "m.onnx input 'x': rank 3; only [N,C,H,W] and [N,K] are supported"),
        (None, "m.onnx input 'x': rank unknown; only [N,C,H,W] and [N,K] are supported"),
    ],
)
def test_input_shapes(shape: tuple[int | str, ...], expected: str, tmp_path: Path):
    proto = model([node("Relu", ["x"])])
    proto.graph.input[0].CopyFrom(make_tensor_value_info("x", FLOAT, shape))
    assert message(save(proto, tmp_path), UnsupportedModel) == expected


def test_two_dynamic_sizes_are_both_named(tmp_path: Path):
    path = save(model([node("Relu", ["x"])], shape=("N", 3, "H", "W")), tmp_path)
    with pytest.raises(UnsupportedModel) as caught:
        load(path)
    assert str(caught.value).splitlines() == [
        "m.onnx: 2 parts are not supported:",
        "  m.onnx input 'x': dimension 2 (height) is dynamic ('H'); export with a fixed size",
        "  m.onnx input 'x': dimension 3 (width) is dynamic ('W'); export with a fixed size",
    ]


def test_input_type(tmp_path: Path):
    proto = model([node("Relu", ["x"])])
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    assert message(save(proto, tmp_path), UnsupportedModel) == (
        "m.onnx input 'x': element type UINT8; only FLOAT is supported"
    )


def test_output_that_is_an_input(tmp_path: Path):
    path = save(model([node("Relu", ["x"], "r")], output="x"), tmp_path)
    assert message(path, UnsupportedModel) == (
        "m.onnx output 'x': is not computed from the inputs; remove it"
    )


def test_no_inputs(tmp_path: Path):
    proto = model([node("Relu", ["x"])])
    del proto.graph.output[:]
    assert message(save(proto, tmp_path)) == "m.onnx: the graph has no inputs or no outputs"


# Weights


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(value: float, tmp_path: Path):
    w = W.copy()
    w[2, 1, 0, 2] = value
    assert message(save(model([node("Conv", ["x", "w"])], {"w": w}), tmp_path)) == (
        "m.onnx node #0 'y_Conv' (Conv): weights 'w' hold 1 NaN or infinite values, the first at "
        "[2, 1, 0, 2]; train or export the model again"
    )


def test_damaged_initialiser(tmp_path: Path):
    proto = model([node("Conv", ["x", "w"])], {"w": W})
    proto.graph.initializer[0].raw_data = proto.graph.initializer[0].raw_data[:-4]
    text = message(save(proto, tmp_path))
    assert text.startswith("m.onnx: tensor 'w' of shape [4, 3, 3, 3] is damaged: ")


@pytest.mark.parametrize("w", [np.zeros_like(W), np.full_like(W, 0.5)], ids=["zero", "constant"])
def test_channels_without_variation_work(w: np.ndarray, tmp_path: Path):
    imported = load(save(model([node("Conv", ["x", "w"])], {"w": w}), tmp_path))
    y = run(imported.module, imported.weights, {"x": random(1, 3, 8, 8)}).outputs["y"]
    assert np.isfinite(y).all()
