"""One ONNX node as an operation on the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from onnx import NodeProto, OperatorSetIdProto
from onnx.helper import make_node, np_dtype_to_tensor_dtype
from xdsl.dialects.builtin import UnknownLoc

from cimc.frontend.builder import Builder
from cimc.frontend.host import (
    HostRefused,
    TensorKind,
    check_operator,
    host_results,
    kind_of,
    operator_name,
)
from cimc.frontend.node import Constant, Node, Operand, Tensor, holds_codes, is_constant

Shapes = Callable[[int], Mapping[str, tuple[int, ...]]]
"""Shapes that `onnx` infers in the whole model, for a batch."""


def hosted(
    node: Node, reason: str, opsets: Sequence[OperatorSetIdProto], shapes: Shapes
) -> Sequence[Operand | None]:
    """Results of `node` on the host, which runs it because of `reason`.

    Empty when an input comes from an unsupported node of unknown shape.

    Raises:
        HostRefused: it cannot run there.
        InvalidModel: its inputs do not go together.
    """
    proto = NodeProto()
    proto.CopyFrom(node.proto)
    check_operator(proto, opsets)
    if any(node.given(i) and value is None for i, value in enumerate(node.inputs)):
        return []
    if any(map(holds_codes, node.inputs)):
        raise HostRefused("reads codes; put DequantizeLinear before it")
    operands: dict[str, Tensor] = {}
    constants: dict[str, Constant] = {}
    for i, value in enumerate(node.inputs):
        if is_constant(value):
            constants[proto.input[i]] = value
        elif node.given(i):
            tensor = node.value(i)
            assert not is_constant(tensor)
            proto.input[i] = node.builder.name_of(tensor)
            operands[proto.input[i]] = tensor
    kinds = {name: kind_of(tensor) for name, tensor in operands.items()}
    try:
        results = host_results(proto, opsets, kinds, constants)
    except ValueError as e:
        raise node.invalid(str(e)) from e
    check_batch(node, results, shapes)
    why = f"{node.name} ({operator_name(proto)}): {reason}"
    made = node.builder.host([proto], operands, constants, results, node.location, why)
    rest = iter(made)
    return [next(rest) if name else None for name in proto.output]


def check_batch(node: Node, results: Mapping[str, TensorKind], shapes: Shapes) -> None:
    """Refuse a node that is not the same for one image as for the batch that the file fixes."""
    if node.batch == 1:
        return
    whole = shapes(node.batch)
    for name, kind in results.items():
        if name in whole and whole[name] != (node.batch, *kind.shape[1:]):
            raise HostRefused(
                f"its result has shape {list(whole[name])} for a batch of {node.batch}, "
                f"{list(kind.shape)} for one image; export with a batch of 1"
            )
    axis = node.attr_int("axis", 1) if node.has("axis") else 1
    if any(axis in (0, -len(kind.shape)) for kind in results.values()):
        raise HostRefused(f"attribute axis={axis} is that of the batch; export with a batch of 1")


def copied(builder: Builder, name: str, value: Tensor | Constant) -> Tensor:
    """Input or constant `value`, handed through the host as output `name`."""
    source, result = builder.fresh(f"{name}_source"), builder.fresh(f"{name}_copy")
    operands: dict[str, Tensor] = {}
    constants: dict[str, Constant] = {}
    if is_constant(value):
        kind = TensorKind(np_dtype_to_tensor_dtype(value.dtype), value.shape)
        constants[source] = value
    else:
        source, kind = builder.name_of(value), kind_of(value)
        operands[source] = value
    node, results = make_node("Identity", [source], [result]), {result: kind}
    reason = f"output {name} is not computed"
    return builder.host([node], operands, constants, results, UnknownLoc(), reason)[0]
