"""Nodes without a unit on the machine: they run on the host, merged, with their reasons."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import NodeProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from small_onnx import FLOAT, IMAGE, model, node, onnxruntime_result, random, save

from cimc.diagnostics import node_names
from cimc.dialects import nn
from cimc.frontend import ImportedModel, load
from cimc.interp.nn import run

W = random(4, 3, 3, 3, seed=1)


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


@dataclass
class Case:
    """Nodes of which some run on the host, for `reason`."""

    nodes: list[NodeProto]
    reason: str
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    opset: int = 17
    shape: tuple[int | str | None, ...] = IMAGE


CASES = {
    "operator": Case([node("LRN", ["x"], size=3)], "operator LRN has no unit on the machine"),
    "softmax": Case(
        [node("Flatten", ["x"], "f"), node("Softmax", ["f"])],
        "operator Softmax has no unit on the machine",
    ),
    "computed weights": Case(
        [node("Conv", ["x", "w1"])],
        "input 1 ('w1') is not constant; store it in the model",
        shape=(1, 3, 3, 3),
    ),
    "mean over channels": Case(
        [node("ReduceMean", ["x"], axes=[1])],
        "axes [1]; only height and width together are supported",
    ),
    "reflection": Case(
        [node("Pad", ["x", "p"], mode="reflect")],
        "attribute mode='reflect'; only 'constant' is supported",
        {"p": ints(0, 0, 1, 1, 0, 0, 1, 1)},
    ),
    "padded channels": Case(
        [node("Pad", ["x", "p"])],
        "pads [0, 1, 0, 0, 0, 0, 0, 0]; only height and width can grow",
        {"p": ints(0, 1, 0, 0, 0, 0, 0, 0)},
    ),
    "broadcast along rows": Case(
        [node("ReduceMax", ["x"], "m", axes=[3]), node("Add", ["x", "m"])],
        "shapes [1, 3, 8, 8] and [1, 3, 8, 1] differ; only tensors of one shape, or one with a "
        "single value a channel, go together",
    ),
    "constant map": Case(
        [node("Add", ["x", "c"])],
        "constant of shape [1, 3, 8, 8] with a tensor of [1, 3, 8, 8]; only one value, or one a "
        "channel, is supported",
        {"c": random(1, 3, 8, 8)},
    ),
    "constant a column": Case(
        [node("Add", ["x", "c"])],
        "constant of shape [1, 1, 3, 1] does not vary along the channels alone",
        {"c": random(1, 1, 3, 1)},
        shape=("N", 3, 3, 8),
    ),
    "quotient": Case(
        [node("Exp", ["x"], "e"), node("Div", ["x", "e"])],
        "both inputs are computed; only one of them may be",
    ),
    "other shape": Case(
        [node("Reshape", ["x", "t"], "r"), node("Relu", ["r"])],
        "[1, 3, 8, 8] to [1, 6, 4, 8] is no flattening, channel shuffle or 1x1 map",
        {"t": ints(-1, 6, 4, 8)},
    ),
    "shape across an axis": Case(
        [node("Reshape", ["x", "t"])],
        "[1, 3, 8, 8] to [1, 8, 24] cuts through an axis; only flattening, channel shuffles and "
        "1x1 maps are supported",
        {"t": ints(-1, 8, 24)},
    ),
    "transposed": Case(
        [node("Transpose", ["x"], "t", perm=[0, 2, 3, 1]), node("Relu", ["t"])],
        "[1, 3, 8, 8] to [1, 8, 8, 3] is no flattening, channel shuffle or 1x1 map",
    ),
    "integers": Case(
        [node("Cast", ["x"], "i", to=7), node("Abs", ["i"], "a"), node("Cast", ["a"], to=1)],
        "attribute to=7; only casts between float types are supported; a_Abs (Abs): input 0 has "
        "elements of i64; only f32 is supported; y_Cast (Cast): input 0 has elements of i64; only "
        "f32 is supported",
    ),
    "rank 3": Case(
        [node("Reshape", ["x", "t"], "r"), node("Relu", ["r"])],
        "input 0 has shape [1, 3, 64]; only rank 2 and 4 is supported",
        {"t": ints(0, 3, 64)},
    ),
    "concatenated rows": Case(
        [node("Relu", ["x"], "r"), node("Concat", ["x", "r"], axis=2)],
        "attribute axis=2; only 1, the channels, is supported",
    ),
    "backwards": Case(
        [node("Slice", ["x", "a", "b", "i", "s"])],
        "starts, sizes and steps [(0, 1, 1), (0, 3, 1), (0, 8, 1), (7, 8, -1)]; only forward "
        "steps are supported",
        {"a": ints(7), "b": ints(-9), "i": ints(3), "s": ints(-1)},
    ),
    "linear resize": Case(
        [node("Resize", ["x", "", "s"], mode="linear")],
        "attributes mode='linear', keep_aspect_ratio_policy='stretch'; only 'nearest' and "
        "'stretch' are supported",
        {"s": np.float32([1, 1, 2, 2])},
    ),
    "uneven resize": Case(
        [node("Resize", ["x", "", "s"])],
        "positions of axis 2 are taken unevenly; only whole factors and even sampling are "
        "supported",
        {"s": np.float32([1, 1, 1.5, 1])},
    ),
    "indices": Case(
        [
            make_node("MaxPool", ["x"], ["p", "i"], name="y_MaxPool", kernel_shape=[2, 2]),
            node("Cast", ["i"], to=1),
        ],
        "output Indices is used; only the first output is supported; y_Cast (Cast): input 0 has "
        "elements of i64; only f32 is supported",
    ),
}
CASES["computed weights"].nodes.insert(0, node("Relu", ["x"], "w1"))


def host_ops(imported: ImportedModel) -> list[nn.HostOp]:
    return [op for op in imported.module.walk() if isinstance(op, nn.HostOp)]


@pytest.mark.parametrize("name", CASES)
def test_host_node_means_what_onnxruntime_says(name: str, tmp_path: Path):
    case = CASES[name]
    path = save(model(case.nodes, case.constants, shape=case.shape, opset=case.opset), tmp_path)
    imported = load(path)
    assert case.reason in "; ".join(op.reason.data for op in host_ops(imported))
    count = 1 if case.shape[0] == 1 else 2
    x = random(count, *imported.inputs[0].shape[1:], seed=5)
    each = [onnxruntime_result(path, {"x": x[i : i + 1]}) for i in range(count)]
    got = run(imported.module, imported.weights, {"x": x}).outputs["y"]
    np.testing.assert_allclose(got, np.concatenate(each), rtol=1e-4, atol=1e-5)


def test_neighbours_are_one_stay_on_the_host(tmp_path: Path):
    """Two chains that meet on the host, with a way around them through the machine."""
    nodes = [
        node("LRN", ["x"], "a", size=3),
        node("LRN", ["a"], "b", size=3),
        node("Relu", ["b"], "c"),
        node("LRN", ["b"], "d", size=5),
        node("CumSum", ["c", "axis"], "e"),
        node("Sin", ["e"], "s"),
        node("Softmax", ["s"], "f", axis=1),
        node("Max", ["f", "d"]),
    ]
    path = save(model(nodes, {"axis": ints(3)}), tmp_path)
    imported = load(path)
    assert [op.nodes.data for op in host_ops(imported)] == [
        "LRN, LRN",
        "CumSum",
        "LRN, Softmax, Max",
    ]
    names = [node_names(op.location) for op in imported.module.walk() if op.results]
    assert names == [
        ["a_LRN", "b_LRN"],
        ["c_Relu"],
        ["e_CumSum"],
        ["s_Sin"],
        ["d_LRN", "f_Softmax", "y_Max"],
    ]
    x = random(2, 3, 8, 8)
    got = run(imported.module, imported.weights, {"x": x}).outputs["y"]
    np.testing.assert_allclose(got, onnxruntime_result(path, {"x": x}), rtol=1e-4, atol=1e-5)


def test_operator_of_onnxruntime(tmp_path: Path):
    proto = model(
        [make_node("BiasGelu", ["x", "b"], ["y"], name="y", domain="com.microsoft")],
        {"b": random(8)},
    )
    proto.opset_import.append(make_opsetid("com.microsoft", 1))
    path = save(proto, tmp_path)
    imported = load(path)
    assert [op.nodes.data for op in host_ops(imported)] == ["BiasGelu"]
    x = random(2, 3, 8, 8)
    got = run(imported.module, imported.weights, {"x": x}).outputs["y"]
    np.testing.assert_allclose(got, onnxruntime_result(path, {"x": x}), rtol=1e-5, atol=1e-6)


def test_nodes_that_nothing_reads_vanish(tmp_path: Path):
    nodes = [node("LRN", ["x"], "a", size=3), node("Relu", ["a"], "b"), node("Relu", ["x"])]
    imported = load(save(model(nodes), tmp_path))
    assert [op.name for op in imported.module.walk() if op.results] == ["nn.relu"]


def test_whole_tensors_of_any_type(tmp_path: Path):
    """Without a batch: integers, rank 3, a constant output and one that is an input."""
    graph = make_graph(
        [
            node("Add", ["a", "a"], "sum"),
            node("Concat", ["f", "f"], "both", axis=0),
            node("Shape", ["f"], "shape"),
        ],
        "g",
        [make_tensor_value_info("a", 7, [2, 3, 4]), make_tensor_value_info("f", FLOAT, [3, 2])],
        [make_tensor_value_info(name, 7, None) for name in ("sum", "both", "shape", "f")],
    )
    path = save(make_model(graph, opset_imports=[make_opsetid("", 17)], ir_version=8), tmp_path)
    imported = load(path, whole=True)
    a, f = np.arange(24).reshape(2, 3, 4), random(3, 2)
    got = run(imported.module, imported.weights, {"a": a, "f": f}).outputs
    np.testing.assert_array_equal(got["sum"], a + a)
    np.testing.assert_array_equal(got["both"], np.concatenate([f, f]))
    np.testing.assert_array_equal(got["shape"], [3, 2])
    np.testing.assert_array_equal(got["f"], f)
