"""Unusable models: one line that names the file, the node, the numbers and the remedy."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.external_data_helper import convert_model_to_external_data
from onnx.helper import make_graph, make_node, make_tensor_value_info
from small_onnx import FLOAT, model, node, random, save

from cimc.diagnostics import InvalidModel, UnsupportedModel
from cimc.frontend import load
from cimc.interp.nn import run

W = random(4, 3, 3, 3)
BRANCH = make_graph(
    [make_node("Identity", ["x"], ["b"])], "b", [], [make_tensor_value_info("b", FLOAT, None)]
)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def message(path: Path, error: type[Exception] = InvalidModel) -> str:
    """Text of the error that importing `path` raises; a single line."""
    with pytest.raises(error) as caught:
        load(path)
    assert type(caught.value) is error
    text = str(caught.value)
    assert "\n" not in text
    return text


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


# Nodes

BROKEN = {
    "undefined input": (
        [node("Relu", ["nothing"])],
        {},
        "m.onnx node #0 'y_Relu' (Relu): input 'nothing' is not defined before this node",
    ),
    "cycle": (
        [node("Add", ["x", "y"], "a"), node("Relu", ["a"], "y")],
        {},
        "m.onnx node #0 'a_Add' (Add): input 'y' is not defined before this node",
    ),
    "defined twice": (
        [node("Relu", ["x"]), make_node("Relu", ["x"], ["y"], name="again")],
        {},
        "m.onnx node #1 'again' (Relu): output 'y' is defined twice",
    ),
    "missing input": (
        [node("Conv", ["x"])],
        {},
        "m.onnx node #0 'y_Conv' (Conv): input 1 is missing",
    ),
    "too many inputs": (
        [node("Relu", ["x", "x"])],
        {},
        "m.onnx node #0 'y_Relu' (Relu): has 2 inputs; Relu has at most 1",
    ),
    "twice in one node": (
        [make_node("Split", ["x"], ["y", "y"], name="s", axis=2)],
        {},
        "m.onnx node #0 's' (Split): output 'y' is defined twice",
    ),
    "nameless output": (
        [make_node("Split", ["x"], ["a", "", "y"], name="s", axis=2)],
        {},
        "m.onnx node #0 's' (Split): output 1 has no name",
    ),
    "channels": (
        [node("Conv", ["x", "w"])],
        {"w": random(4, 2, 3, 3)},
        "m.onnx node #0 'y_Conv' (Conv): weights have shape [4, 2, 3, 3], but the input has 3 "
        "channels, group is 1 and kernel_shape is [3, 3]",
    ),
    "kernel too large": (
        [node("Conv", ["x", "w"])],
        {"w": random(4, 3, 9, 9)},
        "m.onnx node #0 'y_Conv' (Conv): kernel [9, 9] with pads [0, 0, 0, 0] does not fit in a "
        "map of [8, 8]",
    ),
    "bias": (
        [node("Conv", ["x", "w", "b"])],
        {"w": W, "b": random(5)},
        "m.onnx node #0 'y_Conv' (Conv): bias has shape [5], expected [4]",
    ),
    "group": (
        [node("Conv", ["x", "w"], group=2)],
        {"w": W},
        "m.onnx node #0 'y_Conv' (Conv): group 2 must divide 3 inputs and 4 outputs",
    ),
    "attribute type": (
        [node("Conv", ["x", "w"], strides=1.5)],
        {"w": W},
        "m.onnx node #0 'y_Conv' (Conv): attribute strides must be of type INTS",
    ),
    "weights rank": (
        [node("Conv", ["x", "w"])],
        {"w": random(4, 3)},
        "m.onnx node #0 'y_Conv' (Conv): weights must have rank 4, got shape [4, 3]",
    ),
    "pads length": (
        [node("Conv", ["x", "w"], pads=[1, 1])],
        {"w": W},
        "m.onnx node #0 'y_Conv' (Conv): attribute pads must be four values, got [1, 1]",
    ),
    "gemm inner size": (
        [node("Flatten", ["x"], "f"), node("Gemm", ["f", "w"])],
        {"w": random(100, 5)},
        "m.onnx node #1 'y_Gemm' (Gemm): weights stand for [5, 100] (outputs, inputs), but the "
        "input is [1, 192]",
    ),
    "batch norm size": (
        [node("BatchNormalization", ["x", "s", "s", "s", "s"])],
        {"s": random(4)},
        "m.onnx node #0 'y_BatchNormalization' (BatchNormalization): scale has shape [4], "
        "expected [3]",
    ),
    "negative variance": (
        [node("BatchNormalization", ["x", "s", "s", "s", "v"])],
        {"s": random(3), "v": np.float32([1, -1, 1])},
        "m.onnx node #0 'y_BatchNormalization' (BatchNormalization): var + epsilon "
        "1e-05 is not above 0 in every channel",
    ),
    "reshape size": (
        [node("Reshape", ["x", "t"])],
        {"t": ints(1, 100)},
        "m.onnx node #0 'y_Reshape' (Reshape): a tensor of shape [1, 3, 8, 8] cannot take the "
        "shape [1, 100]",
    ),
    "clip ends": (
        [node("Clip", ["x", "low"])],
        {"low": np.float32(np.nan)},
        "m.onnx node #0 'y_Clip' (Clip): ends nan and 3.4028234663852886e+38 are no range",
    ),
    "division by zero": (
        [node("Div", ["x", "c"])],
        {"c": np.zeros((3, 1, 1), np.float32)},
        "m.onnx node #0 'y_Div' (Div): division by a constant that holds 0",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_node(name: str, tmp_path: Path):
    nodes, constants, expected = BROKEN[name]
    assert message(save(model(nodes, constants), tmp_path)) == expected


REMEDY = "is not supported; replace it in the model or cut the model before it"

UNSUPPORTED = {
    "operator": ([node("Foo", ["x"])], {}, f"(Foo): operator Foo {REMEDY}"),
    "operator of another domain": (
        [make_node("Foo", ["x"], ["y"], name="y_Foo", domain="org.example")],
        {},
        f"(Foo): operator org.example.Foo {REMEDY}",
    ),
    "randomness": (
        [node("RandomNormal", [], shape=[1, 3, 8, 8])],
        {},
        f"(RandomNormal): operator RandomNormal {REMEDY}",
    ),
    "control flow": (
        [node("If", ["c"], then_branch=BRANCH, else_branch=BRANCH)],
        {"c": np.array(True)},
        "(If): control flow (If) is not supported; export the model without it",
    ),
    "shape of data": (
        [node("NonZero", ["x"])],
        {},
        "(NonZero): shape or type of output 'y' depends on the data; cut the model before it",
    ),
    "computed shape": (
        [
            node("Flatten", ["x"], "f", axis=4),
            node("Cast", ["f"], "s", to=7),
            node("Squeeze", ["s", "one"], "t"),
            node("Reshape", ["x", "t"]),
        ],
        {"one": ints(1)},
        "(Reshape): input 1 ('t') is not constant; store it in the model; on the host: shape or "
        "type of output 'y' depends on the data; cut the model before it",
    ),
    "negative pads": (
        [node("Conv", ["x", "w"], pads=[0, -1, 0, 0])],
        {"w": W},
        "(Conv): attribute pads=[0, -1, 0, 0] is negative; use a Slice before export",
    ),
    "training": (
        [node("BatchNormalization", ["x", "s", "s", "s", "v"], training_mode=1)],
        {"s": random(3), "v": np.ones(3, np.float32)},
        "(BatchNormalization): attribute training_mode=1; export the model in evaluation mode",
    ),
    "training dropout": (
        [node("Dropout", ["x", "r", "t"])],
        {"r": np.float32(0.5), "t": np.array(True)},
        "(Dropout): input training_mode is true; export the model in evaluation mode",
    ),
    "bad folding": (
        [node("Gather", ["c", "i"], "g"), node("Add", ["x", "g"])],
        {"c": random(3), "i": ints(7)},
        "(Gather): cannot be evaluated (index 7 is out of bounds for axis 0 with size 3); "
        "simplify the model before import",
    ),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_node(name: str, tmp_path: Path):
    nodes, constants, expected = UNSUPPORTED[name]
    text = message(save(model(nodes, constants), tmp_path), UnsupportedModel)
    at = next(i for i, n in enumerate(nodes) if f"({n.op_type})" in expected)
    assert text == f"m.onnx node #{at} '{nodes[at].name}' {expected}"


FIXED_BATCH = {
    "shape": (
        node("Reshape", ["x", "t"]),
        {"t": ints(8, 3, 4, 8)},
        "shape [8, 3, 4, 8] holds the batch of 4; export with a batch of 1",
    ),
    "axis": (
        node("Softmax", ["x"], axis=0),
        {},
        "attribute axis=0 is that of the batch; export with a batch of 1",
    ),
    "reduction": (
        node("ReduceMin", ["x"], axes=[0]),
        {},
        "its result has shape [1, 3, 8, 8] for a batch of 4, [1, 3, 8, 8] for one image; export "
        "with a batch of 1",
    ),
}


@pytest.mark.parametrize("name", FIXED_BATCH)
def test_nodes_that_mix_a_fixed_batch(name: str, tmp_path: Path):
    last, constants, expected = FIXED_BATCH[name]
    proto = model([node("Relu", ["x"], "r"), last], constants, shape=(4, 3, 8, 8))
    proto.graph.node[1].input[0] = "r"
    assert expected in message(save(proto, tmp_path), UnsupportedModel)


def test_everything_unsupported_is_listed_at_once(tmp_path: Path):
    nodes = [
        node("LRN", ["x"], "a", size=3),
        node("Conv", ["a", "w"], "b", pads=[1, 1, 1, 1]),
        node("NonZero", ["b"], "c"),
        node("Foo", ["b"], "d"),
        node("Bar", ["d"], "e"),
        node("Add", ["e", "b"]),
    ]
    with pytest.raises(UnsupportedModel) as caught:
        load(save(model(nodes, {"w": W}), tmp_path))
    assert str(caught.value).splitlines() == [
        "m.onnx: 3 parts are not supported:",
        "  m.onnx node #2 'c_NonZero' (NonZero): shape or type of output 'c' depends on the data; "
        "cut the model before it",
        f"  m.onnx node #3 'd_Foo' (Foo): operator Foo {REMEDY}",
        f"  m.onnx node #4 'e_Bar' (Bar): operator Bar {REMEDY}",
    ]


def test_huge_constant_is_refused(tmp_path: Path):
    nodes = [node("ConstantOfShape", ["n"], "c"), node("Add", ["x", "c"])]
    text = message(save(model(nodes, {"n": ints(1 << 40)}), tmp_path), UnsupportedModel)
    assert "a constant of shape [1099511627776] is too large" in text
