"""Runs single ONNX nodes with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto
from onnx.helper import make_graph, make_model, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented

Array = NDArray[Any]
Values = Mapping[str, Array]

IR_VERSION = 8


def session(model: bytes) -> onnxruntime.InferenceSession:
    """A session that changes nothing in the graph and whose products do not saturate.

    The option makes weights uint8, for which operators are missing where activations are int8;
    those do not saturate.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    try:
        options.add_session_config_entry("session.x64quantprecision", "1")
        return onnxruntime.InferenceSession(model, options, providers=providers)
    except NotImplemented:
        options.add_session_config_entry("session.x64quantprecision", "0")
        return onnxruntime.InferenceSession(model, options, providers=providers)


def build_model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    constants: Values,
    opset: int,
) -> ModelProto:
    """A model with the operators of onnxruntime."""
    tensors = [from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = make_graph(list(nodes), "fuzz", list(inputs), list(outputs), tensors)
    opsets = [make_opsetid("", opset), make_opsetid("com.microsoft", 1)]
    return make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def onnx_type(array: Array) -> int:
    """The number that ONNX gives the element type."""
    return from_array(array.reshape(-1)[:1]).data_type


class NodeRunner:
    """One node, ready to run on any values of its inputs."""

    def __init__(self, node: NodeProto, given: Values, constants: Values, opset: int):
        """`given` are examples of what is not constant."""
        self.node = node
        self.names = [name for name in dict.fromkeys(node.input) if name in given]
        self.outputs = [name for name in node.output if name]
        inputs = [make_tensor_value_info(n, onnx_type(given[n]), None) for n in self.names]
        outputs = [ValueInfoProto(name=name) for name in self.outputs]
        fixed = {n: constants[n] for n in node.input if n in constants and n not in given}
        model = build_model([node], inputs, outputs, fixed, opset)
        self._session = session(model.SerializeToString())

    def __call__(self, values: Values) -> dict[str, Array]:
        """Results by name."""
        found = self._session.run(None, {name: values[name] for name in self.names})
        return dict(zip(self.outputs, map(np.asarray, found), strict=True))


def initialisers(graph: GraphProto) -> dict[str, Array]:
    """Constants of `graph` by name."""
    from onnx.numpy_helper import to_array

    return {tensor.name: to_array(tensor) for tensor in graph.initializer}
