"""Functions of each element."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Attribute

from cimc.dialects.nn import AddOp, ClipOp, ReluOp, UnaryOp, float_attr, shape_of
from cimc.frontend.node import Node, Tensor
from cimc.frontend.ops.arithmetic import per_channel, scale_shift
from cimc.frontend.registry import onnx_op

LARGEST = float(np.finfo(np.float32).max)


def function(node: Node, x: Tensor, name: str, *parameters: float) -> Tensor:
    """Emit the unary function `name` of `x`; `parameters` are alpha and beta, as it has them."""
    if not np.isfinite(parameters).all():
        raise node.invalid(f"attributes of {name} must be finite, got {list(parameters)}")
    properties: dict[str, Attribute] = {"function": StringAttr(name)}
    properties |= dict(zip(("alpha", "beta"), map(float_attr, parameters), strict=False))
    return node.op(UnaryOp, [x], shape_of(x), properties)


@onnx_op("Relu")
def relu(node: Node) -> Tensor:
    """Relu-6 .. 14."""
    x = node.tensor(0)
    return node.op(ReluOp, [x], shape_of(x))


def clipped(node: Node, x: Tensor, low: float, high: float) -> Tensor:
    """`x` limited to [low, high]; nothing, or a relu, where that is enough."""
    if low <= -LARGEST and high >= LARGEST:
        return x
    if low == 0 and high >= LARGEST:
        return node.op(ReluOp, [x], shape_of(x))
    ends = {"clip_min": float_attr(max(low, -LARGEST)), "clip_max": float_attr(min(high, LARGEST))}
    return node.op(ClipOp, [x], shape_of(x), ends)


@onnx_op("Clip")
def clip(node: Node) -> Tensor:
    """Clip-6 .. 13: ends are attributes before opset 11, optional inputs from then on.

    Where the ends cross, the upper one counts.
    """
    x = node.tensor(0)
    if node.opset < 11:
        low, high = node.attr_float("min", -LARGEST), node.attr_float("max", LARGEST)
    else:
        low = node.scalar(1) if node.given(1) else -LARGEST
        high = node.scalar(2) if node.given(2) else LARGEST
    if np.isnan(low) or np.isnan(high) or low == np.inf or high == -np.inf:
        raise node.invalid(f"ends {low} and {high} are no range")
    return clipped(node, x, min(low, high), high)


@onnx_op("Max", "Min")
def limit(node: Node) -> Tensor:
    """Max-6 .. 13 and Min-6 .. 13 of one tensor and numbers."""
    values = [node.value(i) for i in range(len(node.proto.input))]
    where = [i for i, value in enumerate(values) if not isinstance(value, np.ndarray)]
    if len(where) != 1:
        raise node.unsupported("several inputs are computed; only one and numbers are supported")
    x = node.tensor(where[0])
    numbers: list[float] = []
    for i in range(len(values)):
        if i != where[0]:
            constant = per_channel(node, x, i)
            if (constant != constant[0]).any():
                raise node.unsupported("the constant varies; only a single number is supported")
            numbers.append(float(constant[0]))
    if not numbers:
        return x
    if node.proto.op_type == "Max":
        return clipped(node, x, max(numbers), LARGEST)
    return clipped(node, x, -LARGEST, min(numbers))


@onnx_op(
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf"),
    *("Exp", "Floor", "HardSwish", "Log", "Mish", "Neg", "Reciprocal", "Round", "Sigmoid"),
    *("Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh"),
)
def plain(node: Node) -> Tensor:
    """Functions without attributes, any version, through the look-up unit."""
    return function(node, node.tensor(0), node.proto.op_type)


WITH_ALPHA = {"Celu": 1.0, "Elu": 1.0, "LeakyRelu": 0.01, "Swish": 1.0, "ThresholdedRelu": 1.0}
"""Default of attribute `alpha`."""

WITH_TWO = {
    "HardSigmoid": (("alpha", 0.2), ("beta", 0.5)),
    "Selu": (("alpha", 1.67326319217681884765625), ("gamma", 1.05070102214813232421875)),
    "Shrink": (("lambd", 0.5), ("bias", 0.0)),
}
"""Both attributes of a function, with their defaults."""


@onnx_op(*WITH_ALPHA)
def with_alpha(node: Node) -> Tensor:
    """Functions with the attribute alpha, any version."""
    name = node.proto.op_type
    return function(node, node.tensor(0), name, node.attr_float("alpha", WITH_ALPHA[name]))


@onnx_op(*WITH_TWO)
def with_two(node: Node) -> Tensor:
    """Functions with two attributes, any version."""
    name = node.proto.op_type
    return function(node, node.tensor(0), name, *(node.attr_float(*a) for a in WITH_TWO[name]))


@onnx_op("Gelu")
def gelu(node: Node) -> Tensor:
    """Gelu-20, exact or with tanh."""
    forms = {"none": "Gelu", "tanh": "GeluTanh"}
    form = node.attr_string("approximate", "none")
    if form not in forms:
        raise node.invalid(f"attribute approximate has the unknown value '{form}'")
    return function(node, node.tensor(0), forms[form])


@onnx_op("com.microsoft.Gelu")
def gelu_of_onnxruntime(node: Node) -> Tensor:
    """com.microsoft.Gelu-1."""
    return function(node, node.tensor(0), "Gelu")


@onnx_op("Pow")
def power(node: Node) -> Tensor:
    """Pow-7 .. 15 with one constant exponent."""
    x = node.tensor(0)
    exponents = per_channel(node, x, 1)
    if (exponents != exponents[0]).any():
        raise node.unsupported("the exponent varies; only a single number is supported")
    return function(node, x, "Pow", float(exponents[0]))


@onnx_op("PRelu")
def p_relu(node: Node) -> Tensor:
    """PRelu-6 .. 16 with a slope per channel: relu(x) + slope * min(x, 0)."""
    x = node.tensor(0)
    slope = per_channel(node, x, 1)
    if (slope == slope[0]).all():
        return function(node, x, "LeakyRelu", float(slope[0]))
    below = scale_shift(node, clipped(node, x, -LARGEST, 0.0), slope, np.zeros_like(slope))
    return node.op(AddOp, [node.op(ReluOp, [x], shape_of(x)), below], shape_of(x))
