"""Nodes that run on the host: which ones can, and what their results are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto
from onnx.defs import SchemaError, get_schema, has
from onnx.helper import make_graph, make_model, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array
from onnx.shape_inference import InferenceError, infer_shapes
from xdsl.dialects.builtin import (
    BFloat16Type,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerType,
    Signedness,
)
from xdsl.ir import Attribute, SSAValue

from cimc.dialects.nn import shape_of, tensor_of
from cimc.interp.nn_host import result_types

IR_VERSION = 8
"""Of host parts: nothing in a part without functions or training needs a newer one."""

KNOWN_VALUES = 4096
"""Constants up to this many elements take part in shape inference by value."""

ELEMENTS: Mapping[int, Attribute] = {
    TensorProto.FLOAT: Float32Type(),
    TensorProto.DOUBLE: Float64Type(),
    TensorProto.FLOAT16: Float16Type(),
    TensorProto.BFLOAT16: BFloat16Type(),
    TensorProto.BOOL: IntegerType(1),
    TensorProto.INT8: IntegerType(8),
    TensorProto.INT16: IntegerType(16),
    TensorProto.INT32: IntegerType(32),
    TensorProto.INT64: IntegerType(64),
    TensorProto.UINT8: IntegerType(8, Signedness.UNSIGNED),
    TensorProto.UINT16: IntegerType(16, Signedness.UNSIGNED),
    TensorProto.UINT32: IntegerType(32, Signedness.UNSIGNED),
    TensorProto.UINT64: IntegerType(64, Signedness.UNSIGNED),
}
"""Element types of tensors on the host."""

ONNX_ELEMENTS: Mapping[Attribute, int] = {
    attribute: number for number, attribute in ELEMENTS.items()
}


@dataclass(frozen=True)
class TensorKind:
    """ONNX element type and shape of a tensor."""

    element: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class HostPart:
    """What one `nn.host` runs: `inputs` and `outputs` name its operands and results in order."""

    nodes: tuple[NodeProto, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, NDArray[Any]]
    reason: str


class HostRefused(Exception):
    """A node cannot run on the host; the text says why, and what to do."""


def kind_of(value: SSAValue[Any]) -> TensorKind:
    """Kind of a tensor of the program."""
    return TensorKind(ONNX_ELEMENTS[tensor_of(value).get_element_type()], shape_of(value))


def attribute_of(kind: TensorKind) -> Attribute:
    """Element type of `kind`."""
    return ELEMENTS[kind.element]


def operator_name(proto: NodeProto) -> str:
    """``Relu``, or ``com.microsoft.Gelu``."""
    return proto.op_type if is_standard(proto) else f"{proto.domain}.{proto.op_type}"


def is_standard(proto: NodeProto) -> bool:
    """`proto` belongs to the standard operators."""
    return proto.domain in ("", "ai.onnx")


def host_results(
    proto: NodeProto,
    opsets: Sequence[OperatorSetIdProto],
    operands: Mapping[str, TensorKind],
    constants: Mapping[str, NDArray[Any]],
) -> dict[str, TensorKind]:
    """Outputs of `proto`, in order, when it runs on the host; `check_operator` has let it pass.

    Raises:
        HostRefused: it cannot.
        ValueError: it breaks the rules of ONNX.
    """
    model = part_model([proto], opsets, operands, constants, [n for n in proto.output if n])
    found = inferred(model)
    if not all(kind is not None for kind in found.values()):
        try:
            reported = result_types(model.SerializeToString())
        except ValueError as e:
            if is_standard(proto):
                reported = {}
            else:
                raise HostRefused(unknown(proto)) from e
        found = {name: kind or reported_kind(reported, name) for name, kind in found.items()}
    results: dict[str, TensorKind] = {}
    for name, kind in found.items():
        if kind is None:
            raise HostRefused(
                f"shape or type of output '{name}' depends on the data; cut the model before it"
            )
        if kind.element not in ELEMENTS:
            element = TensorProto.DataType.Name(kind.element)
            raise HostRefused(f"output '{name}' has the unsupported element type {element}")
        results[name] = kind
    return results


def unknown(proto: NodeProto) -> str:
    """Why an operator that nothing here can execute is refused."""
    return (
        f"operator {operator_name(proto)} is not supported; "
        "replace it in the model or cut the model before it"
    )


def check_operator(proto: NodeProto, opsets: Sequence[OperatorSetIdProto]) -> None:
    """Refuse operators that do not exist, hold subgraphs or are random."""
    if any(a.HasField("g") or a.graphs for a in proto.attribute):
        raise HostRefused(
            f"control flow ({proto.op_type}) is not supported; export the model without it"
        )
    if proto.op_type.startswith("Random") or proto.op_type in ("Bernoulli", "Multinomial"):
        raise HostRefused(unknown(proto))
    if is_standard(proto) and not has(proto.op_type, version_of(opsets), ""):
        raise HostRefused(unknown(proto))


def version_of(opsets: Sequence[OperatorSetIdProto]) -> int:
    """Version of the standard operators."""
    return max((o.version for o in opsets if o.domain in ("", "ai.onnx")), default=1)


def part_opsets(
    nodes: Sequence[NodeProto], opsets: Sequence[OperatorSetIdProto]
) -> list[OperatorSetIdProto]:
    """The oldest standard opset in which `nodes` mean the same, and the other domains in use."""
    latest = version_of(opsets)
    oldest = 13
    for node in nodes:
        if is_standard(node):
            try:
                oldest = max(oldest, get_schema(node.op_type, latest, "").since_version)
            except SchemaError:
                oldest = latest
    used = {node.domain for node in nodes if not is_standard(node)}
    others = [o for o in opsets if o.domain in used]
    missing = used - {o.domain for o in others}
    return [
        make_opsetid("", min(oldest, latest)),
        *others,
        *(make_opsetid(domain, 1) for domain in sorted(missing)),
    ]


def part_model(
    nodes: Sequence[NodeProto],
    opsets: Sequence[OperatorSetIdProto],
    operands: Mapping[str, TensorKind],
    constants: Mapping[str, NDArray[Any]],
    outputs: Sequence[str],
) -> ModelProto:
    """A model of `nodes` alone."""
    inputs = [make_tensor_value_info(n, k.element, k.shape) for n, k in operands.items()]
    results = [ValueInfoProto(name=name) for name in outputs]
    stored = [from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = make_graph(list(nodes), "host", inputs, results, stored)
    return make_model(graph, opset_imports=part_opsets(nodes, opsets), ir_version=IR_VERSION)


def inferred(model: ModelProto) -> dict[str, TensorKind | None]:
    """Kinds of the outputs of `model`, None where `onnx` does not know.

    Raises:
        ValueError: the inputs do not go together.
    """
    light = ModelProto()
    light.CopyFrom(model)
    del light.graph.initializer[:]
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= KNOWN_VALUES:
            light.graph.initializer.append(tensor)
        else:
            info = make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            light.graph.input.append(info)
    try:
        outputs = infer_shapes(light, strict_mode=True, data_prop=True).graph.output
    except (InferenceError, RuntimeError) as e:
        text = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise ValueError(text.rpartition("Error] ")[2]) from e
    return {value.name: known_kind(value) for value in outputs}


def known_kind(value: ValueInfoProto) -> TensorKind | None:
    """Kind of `value`; None when its type or a dimension is unknown, or it is no tensor."""
    tensor = value.type.tensor_type
    if not tensor.elem_type or not tensor.HasField("shape"):
        return None
    if any(d.WhichOneof("value") != "dim_value" for d in tensor.shape.dim):
        return None
    return TensorKind(tensor.elem_type, tuple(d.dim_value for d in tensor.shape.dim))


def reported_kind(
    reported: Mapping[str, tuple[str, tuple[int, ...] | None]], name: str
) -> TensorKind | None:
    """Kind of output `name` as onnxruntime names it, ``tensor(float)``."""
    text, shape = reported.get(name, ("", None))
    element = text.removeprefix("tensor(").removesuffix(")").upper()
    if shape is None or element not in TensorProto.DataType.keys():
        return None
    return TensorKind(TensorProto.DataType.Value(element), shape)
