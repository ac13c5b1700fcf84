"""Builds ONNX models of a few nodes for tests, and runs them with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto
from onnx.helper import (
    make_graph,
    make_model,
    make_node,
    make_opsetid,
    make_tensor_value_info,
)
from onnx.numpy_helper import from_array

FLOAT = TensorProto.FLOAT
IMAGE = ("N", 3, 8, 8)


def model(
    nodes: Sequence[NodeProto],
    constants: Mapping[str, NDArray[Any]] | None = None,
    *,
    shape: Sequence[int | str | None] = IMAGE,
    opset: int = 17,
    output: str = "y",
    ir_version: int = 8,
    constants_as_inputs: bool = False,
) -> ModelProto:
    """A model from float input `x` to `output`; `constants` become initialisers."""
    tensors = [from_array(array, name) for name, array in (constants or {}).items()]
    inputs = [make_tensor_value_info("x", FLOAT, shape)]
    if constants_as_inputs:
        inputs += [make_tensor_value_info(t.name, t.data_type, t.dims) for t in tensors]
    outputs = [make_tensor_value_info(output, FLOAT, None)]
    graph = make_graph(list(nodes), "g", inputs, outputs, tensors)
    opsets = [make_opsetid("", opset)]
    return make_model(graph, opset_imports=opsets, ir_version=ir_version)


def node(op: str, inputs: Sequence[str], output: str = "y", **attributes: Any) -> NodeProto:
    """A node named after its operator and output."""
    return make_node(op, list(inputs), [output], name=f"{output}_{op}", **attributes)


def save(proto: ModelProto, folder: Path, name: str = "m.onnx") -> Path:
    """Write `proto` and return its path."""
    path = folder / name
    onnx.save(proto, path)
    return path


def onnxruntime_result(path: Path, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """First output of onnxruntime on `inputs`.

    Without its graph optimisations: they let a pool take a padding whose zeros count.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    result = session.run(None, dict(inputs))[0]
    assert isinstance(result, np.ndarray)
    return result


def random(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
