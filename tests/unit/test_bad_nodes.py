"""Nodes that are broken or not supported: every one named, with the numbers and the remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from model_errors import BRANCH, W, ints, message
from onnx.helper import make_node
from small_onnx import model, node, random, save

from cimc.diagnostics import UnsupportedModel
from cimc.frontend import load

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
