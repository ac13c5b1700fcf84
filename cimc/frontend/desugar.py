"""Operators on codes, as DequantizeLinear, their float operator and QuantizeLinear.

That covers QLinearConv and its relatives, which name scales as inputs, and operators such as
MaxPool that keep the codes of their input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from onnx import NodeProto, helper
from xdsl.ir import SSAValue

from cimc.dialects.nn import QuantType, quant_of
from cimc.frontend.host import operator_name
from cimc.frontend.node import Constant, Node, Operand
from cimc.frontend.view import View

KEEP_CODES = frozenset(
    (
        "Concat",
        "Dropout",
        "Flatten",
        "GlobalMaxPool",
        "Identity",
        "MaxPool",
        "Pad",
        "Reshape",
        "Resize",
        "Slice",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    )
)
"""Operators that may read codes; their results are codes of the same scale and zero point."""


@dataclass(frozen=True)
class Layout:
    """A float operator, and where its operator on codes has what.

    `codes` are the first inputs of triples (codes, scale, zero point), `result` is that of the
    pair (scale, zero point); `bias` is int32 in steps of the product of the scales before it.
    """

    op: str
    codes: tuple[int, ...]
    result: int
    bias: int | None = None


UNARY = ((0,), 3)
BINARY = ((0, 3), 6)
LAYOUTS: Mapping[str, Layout] = {
    "QLinearConv": Layout("Conv", *BINARY, bias=8),
    "QLinearMatMul": Layout("MatMul", *BINARY),
    "com.microsoft.QGemm": Layout("Gemm", (0, 3), 7, bias=6),
    "com.microsoft.QLinearAdd": Layout("Add", *BINARY),
    "com.microsoft.QLinearMul": Layout("Mul", *BINARY),
    "com.microsoft.QLinearAveragePool": Layout("AveragePool", *UNARY),
    "com.microsoft.QLinearGlobalAveragePool": Layout("GlobalAveragePool", *UNARY),
    "com.microsoft.QLinearLeakyRelu": Layout("LeakyRelu", *UNARY),
    "com.microsoft.QLinearSigmoid": Layout("Sigmoid", *UNARY),
    "com.microsoft.QLinearSoftmax": Layout("Softmax", *UNARY),
}


@dataclass
class Parts:
    """What an operator stands for: nodes in order, and constants that they name.

    New names end with `tag`, which no other operator of the graph has.
    """

    tag: str
    nodes: list[NodeProto] = field(default_factory=list[NodeProto])
    constants: dict[str, Constant] = field(default_factory=dict[str, Constant])

    def dequantise(self, codes: str, scale: str, zero: str, axis: int = 1) -> str:
        """Append a DequantizeLinear; the name of its result."""
        result = f"{codes}{self.tag}"
        if not any(result in node.output for node in self.nodes):
            inputs = [codes, scale, zero] if zero else [codes, scale]
            self.nodes.append(helper.make_node("DequantizeLinear", inputs, [result], axis=axis))
        return result

    def quantise(self, result: str, scale: str, zero: str) -> str:
        """Append a QuantizeLinear to `result`; the name of its operand."""
        operand = f"{result}{self.tag}"
        inputs = [operand, scale, zero] if zero else [operand, scale]
        self.nodes.append(helper.make_node("QuantizeLinear", inputs, [result]))
        return operand


def makes_codes(proto: NodeProto) -> bool:
    """The results of `proto` are codes, as far as its operator tells."""
    key = operator_name(proto)
    return key in LAYOUTS or key == CONCAT or proto.op_type == "QuantizeLinear"


def desugar(node: Node) -> Parts | None:
    """The nodes that `node` stands for; None if it stands for itself."""
    key = operator_name(node.proto)
    if key in LAYOUTS:
        return by_layout(node, LAYOUTS[key])
    if key == CONCAT:
        return concat(node)
    if key not in ("DequantizeLinear", "com.microsoft.DequantizeLinear"):
        kinds = [codes_of(value) for value in node.inputs]
        if any(kind is not None for kind in kinds):
            return on_codes(node, kinds)
    return None


def codes_of(value: Operand | None) -> QuantType | None:
    """Type of the codes that `value` holds, if it does."""
    base = value.base if isinstance(value, View) else value
    return quant_of(base) if isinstance(base, SSAValue) else None


def tag_of(node: Node) -> str:
    """End of the names that are made for `node`."""
    return f"#{node.index}"


def by_layout(node: Node, layout: Layout) -> Parts:
    """QLinearConv and its relatives."""
    require(node, [i for at in layout.codes for i in (at, at + 1)])
    last = max(*layout.codes, layout.result)
    parts, names = Parts(tag_of(node)), [*node.proto.input, *[""] * (last + 3)]
    axes = (1, output_axis(node))
    inputs = [
        parts.dequantise(names[at], names[at + 1], names[at + 2], axes[i])
        for i, at in enumerate(layout.codes)
    ]
    if layout.bias is not None and node.given(layout.bias):
        scale = f"bias_scale{parts.tag}"
        parts.constants[scale] = bias_scale(node)
        inputs.append(parts.dequantise(names[layout.bias], scale, "", axis=0))
    add_operator(parts, node, layout.op, inputs, names[layout.result : layout.result + 2])
    return parts


def require(node: Node, positions: Sequence[int]) -> None:
    """Raise when an input of `node` that its operator demands is missing."""
    missing = next((i for i in positions if not node.given(i)), None)
    if missing is not None:
        raise node.invalid(f"input {missing} is missing")


def output_axis(node: Node) -> int:
    """Axis of the weights of a layer along which outputs lie."""
    if node.proto.op_type == "QLinearConv":
        return 0
    flipped = any(a.name == "transB" and a.i for a in node.proto.attribute)
    return 0 if flipped else 1


def bias_scale(node: Node) -> Constant:
    """Step of the bias of a layer, one value or one an output."""
    alpha = next((a.f for a in node.proto.attribute if a.name == "alpha"), 1.0)
    x, w = node.weight(1), node.weight(4)
    if x.size != 1 or w.ndim > 1:
        raise node.invalid(
            f"scales have the shapes {list(x.shape)} and {list(w.shape)}; the input has one, the "
            "weights one or one an output"
        )
    product = x * w * np.float32(alpha)
    return product.reshape(-1) if product.size > 1 else product.reshape(())


CONCAT = "com.microsoft.QLinearConcat"


def concat(node: Node) -> Parts:
    """QLinearConcat: scale and zero point of the result, then those of each operand behind it."""
    require(node, range(max(5, len(node.proto.input) // 3 * 3 + 2)))
    parts, names = Parts(tag_of(node)), list(node.proto.input)
    inputs = [
        parts.dequantise(names[at], names[at + 1], names[at + 2])
        for at in range(2, len(names) - 2, 3)
    ]
    add_operator(parts, node, "Concat", inputs, names[:2])
    return parts


def on_codes(node: Node, kinds: Sequence[QuantType | None]) -> Parts:
    """An ordinary operator that reads codes."""
    found = {kind for kind in kinds if kind is not None}
    if node.proto.op_type not in KEEP_CODES or node.proto.domain not in ("", "ai.onnx"):
        raise node.refused("reads codes; put DequantizeLinear before it")
    if len(found) > 1:
        raise node.refused("reads codes of different scales; requantise them to one")
    kind, parts, inputs = found.pop(), Parts(tag_of(node)), list(node.proto.input)
    scale, zero = f"scale{parts.tag}", f"zero{parts.tag}"
    parts.constants[scale] = np.array(kind.scale_value, np.float32)
    parts.constants[zero] = np.array(kind.zero, np.int8 if kind.signed else np.uint8)
    for i, each in enumerate(kinds):
        if each is not None:
            inputs[i] = parts.dequantise(inputs[i], scale, zero)
    if node.proto.op_type == "Pad":
        pad_value(node, kind, inputs, parts)
    add_operator(parts, node, node.proto.op_type, inputs, [scale, zero])
    return parts


def pad_value(node: Node, kind: QuantType, inputs: list[str], parts: Parts) -> None:
    """Replace the code that a Pad fills with, 0 by default, by its real number."""
    code = node.scalar(2) if node.given(2) else 0.0
    name = f"value{parts.tag}"
    parts.constants[name] = np.array((code - kind.zero) * kind.scale_value, np.float32)
    inputs[2:3] = [name]


def add_operator(
    parts: Parts, node: Node, op: str, inputs: Sequence[str], grid: Sequence[str]
) -> None:
    """Append float operator `op` with the attributes of `node`, and the way to codes on `grid`."""
    if any(a.name == "channels_last" and a.i for a in node.proto.attribute):
        raise node.refused("attribute channels_last=1; only channels before height and width")
    attributes = [a for a in node.proto.attribute if a.name not in ("channels_last", "opset")]
    proto = helper.make_node(op, inputs, [], name=node.proto.name)
    proto.attribute.extend(attributes)
    parts.nodes.append(proto)
    if not grid[0]:
        proto.output.extend(node.proto.output)
        return
    proto.output.extend(parts.quantise(name, *grid) if name else "" for name in node.proto.output)
