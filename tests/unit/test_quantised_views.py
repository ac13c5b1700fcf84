"""Conversions between reshapes and transposes: they move with the elements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto
from onnx.helper import make_node
from small_onnx import model, node, onnxruntime_result, random, save

from cimc.api import compile
from cimc.dialects.nn import ShuffleOp
from cimc.frontend import load

X = random(3, 6, 4, 5)
GRID = {"s": np.float32(0.03), "z": np.uint8(120)}
SHAPES = {
    "apart": np.array([0, 2, 3, 4, 5]),
    "back": np.array([0, 6, 4, 5]),
    "cut": np.array([4, 2]),
}


def on_grid(x: str) -> list[NodeProto]:
    """`x` as codes `x_q` and back as `x_d`."""
    return [
        node("QuantizeLinear", [x, "s", "z"], f"{x}_q"),
        node("DequantizeLinear", [f"{x}_q", "s", "z"], f"{x}_d"),
    ]


SHUFFLE = [
    *on_grid("x"),
    node("Reshape", ["x_d", "apart"], "a"),
    *on_grid("a"),
    node("Transpose", ["a_d"], "t", perm=[0, 2, 1, 3, 4]),
    *on_grid("t"),
    node("Reshape", ["t_d", "back"], "b"),
    *on_grid("b"),
    node("Relu", ["b_d"]),
]
MOVED_CODES = [
    node("QuantizeLinear", ["x", "s", "z"], "q"),
    node("Reshape", ["q", "apart"], "a"),
    node("Transpose", ["a"], "t", perm=[0, 2, 1, 3, 4]),
    node("Reshape", ["t", "back"], "b"),
    node("DequantizeLinear", ["b", "s", "z"]),
]
TURNED = [
    node("Transpose", ["x"], "a", perm=[0, 2, 3, 1]),
    *on_grid("a"),
    node("Transpose", ["a_d"], "b", perm=[0, 3, 1, 2]),
    node("Relu", ["b"]),
]
TURNED_PART = [
    node("Transpose", ["x"], "a", perm=[0, 2, 3, 1]),
    *on_grid("a"),
    make_node("Split", ["a_d", "cut"], ["b", "rest"], name="split", axis=3),
    *on_grid("b"),
    node("Relu", ["b_d"]),
]
FUNCTION_OF_FIVE = [
    node("Reshape", ["x", "apart"], "a"),
    node("Sigmoid", ["a"], "f"),
    *on_grid("f"),
    node("Reshape", ["f_d", "back"], "b"),
    node("Relu", ["b"]),
]


@pytest.mark.parametrize("nodes", [SHUFFLE, MOVED_CODES, TURNED, TURNED_PART, FUNCTION_OF_FIVE])
def test_result(nodes: list[NodeProto], tmp_path: Path) -> None:
    path = save(model(nodes, GRID | SHAPES, shape=("N", 6, 4, 5)), tmp_path)
    compiled = compile(path, target="daism-small", calibration={"x": X})
    (found,) = compiled.run(None, {"x": X})
    np.testing.assert_allclose(found, onnxruntime_result(path, {"x": X}), atol=0.02)
    assert compiled.verify()["errors"]["implementation"]["differing_bytes"] == 0


def test_a_shuffle_of_codes_is_one_operation(tmp_path: Path) -> None:
    path = save(model(SHUFFLE, GRID | SHAPES, shape=("N", 6, 4, 5)), tmp_path)
    kinds = [type(op) for op in load(path).module.walk()]
    assert kinds.count(ShuffleOp) == 1
    assert not compile(path, calibration={"x": X}).network.host_parts
