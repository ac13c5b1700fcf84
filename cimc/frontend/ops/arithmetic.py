"""Sums and products: of tensors, or with constants per channel, which are a batch normalisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import StringAttr, UnitAttr
from xdsl.ir import Attribute

from cimc.dialects.nn import AddOp, BatchNormOp, MulOp, UnaryOp, float_attr, shape_of
from cimc.frontend.node import Node, Tensor, Value, is_tensor
from cimc.frontend.registry import onnx_op

Vector = NDArray[np.float32]


def normalise(
    node: Node,
    x: Tensor,
    scale: Vector,
    bias: Vector,
    mean: Vector,
    variance: Vector,
    epsilon: float,
) -> Tensor:
    """Emit a batch normalisation over axis 1 of `x`."""
    if len(shape_of(x)) < 2:
        raise node.unsupported(f"input 0 has shape {list(shape_of(x))}, without channels")
    channels = shape_of(x)[1]
    for what, vector in zip(
        ("scale", "B", "mean", "var"), (scale, bias, mean, variance), strict=True
    ):
        if vector.shape != (channels,):
            raise node.invalid(f"{what} has shape {list(vector.shape)}, expected [{channels}]")
    if not (np.isfinite(epsilon) and (variance + np.float32(epsilon) > 0).all()):
        raise node.invalid(f"var + epsilon {epsilon} is not above 0 in every channel")
    properties: dict[str, Attribute] = {
        "scale": node.blob(scale),
        "bias": node.blob(bias),
        "mean": node.blob(mean),
        "variance": node.blob(variance),
        "epsilon": float_attr(epsilon),
    }
    return node.op(BatchNormOp, [x], shape_of(x), properties)


def scale_shift(node: Node, x: Tensor, scale: Vector, shift: Vector) -> Tensor:
    """x * scale + shift, per channel."""
    zeros, ones = np.zeros_like(shift), np.ones_like(shift)
    return normalise(node, x, scale, shift, zeros, ones, 0.0)


def per_channel(node: Node, x: Tensor, i: int) -> Vector:
    """Constant input `i`, broadcast against `x`, as one value a channel."""
    shape, constant = shape_of(x), node.constant(i)
    rank, size = len(shape), constant.shape
    if rank < 2 or constant.ndim > rank or constant.size not in (1, shape[1]):
        raise node.unsupported(
            f"constant of shape {list(size)} with a tensor of {list(shape)}; only one "
            "value, or one a channel, is supported"
        )
    aligned = constant.reshape((1,) * (rank - constant.ndim) + size)
    if aligned.size > 1 and aligned.shape[1] != shape[1]:
        raise node.unsupported(
            f"constant of shape {list(size)} does not vary along the channels alone"
        )
    return np.broadcast_to(node.weight(i).reshape(-1), (shape[1],)).astype(np.float32)


def broadcast(node: Node, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, bool]:
    """Both tensors, the one with all positions first; True when that exchanged them."""
    first, second = shape_of(a), shape_of(b)
    if second in (first, (*first[:2], *[1] * len(first[2:]))):
        return a, b, False
    if first == (*second[:2], *[1] * len(second[2:])):
        return b, a, True
    raise node.unsupported(
        f"shapes {list(first)} and {list(second)} differ; only tensors of one shape, or one "
        "with a single value a channel, go together"
    )


def tensors_of(node: Node) -> tuple[list[Tensor], list[int]]:
    """The tensors among the inputs, and the numbers of the constants."""
    values: list[Value] = [node.value(i) for i in range(len(node.proto.input))]
    tensors = [node.tensor(i) for i, value in enumerate(values) if is_tensor(value)]
    if not tensors:
        raise node.invalid("has no inputs")
    return tensors, [i for i, value in enumerate(values) if not is_tensor(value)]


@onnx_op("Add", "Sum")
def add(node: Node) -> Tensor:
    """Add-7 .. 14, Sum-6 .. 13: a chain of additions; constants per channel last."""
    tensors, constants = tensors_of(node)
    total = tensors[0]
    for other in tensors[1:]:
        first, second, _ = broadcast(node, total, other)
        total = node.op(AddOp, [first, second], shape_of(first))
    for i in constants:
        shift = per_channel(node, total, i)
        total = scale_shift(node, total, np.ones_like(shift), shift)
    return total


@onnx_op("Mean")
def mean(node: Node) -> Tensor:
    """Mean-8, 13: the sum divided by the number of inputs."""
    total = add(node)
    factor = np.full(shape_of(total)[1:2], 1 / len(node.proto.input), np.float32)
    return scale_shift(node, total, factor, np.zeros_like(factor))


@onnx_op("Mul")
def mul(node: Node) -> Tensor:
    """Mul-7 .. 14, also of maps by one value a channel (squeeze and excite)."""
    tensors, constants = tensors_of(node)
    if constants:
        scale = per_channel(node, tensors[0], constants[0])
        return scale_shift(node, tensors[0], scale, np.zeros_like(scale))
    first, second, _ = broadcast(node, tensors[0], tensors[1])
    return node.op(MulOp, [first, second], shape_of(first))


@onnx_op("Sub")
def sub(node: Node) -> Tensor:
    """Sub-7 .. 14."""
    tensors, constants = tensors_of(node)
    if constants:
        value = per_channel(node, tensors[0], constants[0])
        sign = np.float32(1 if constants == [1] else -1)
        return scale_shift(node, tensors[0], np.full_like(value, sign), -sign * value)
    first, second, exchanged = broadcast(node, tensors[0], tensors[1])
    if not exchanged:
        return node.op(AddOp, [first, second], shape_of(first), {"negate_b": UnitAttr()})
    minus = np.full(shape_of(second)[1:2], -1, np.float32)
    negative = scale_shift(node, first, minus, np.zeros_like(minus))
    return node.op(AddOp, [negative, second], shape_of(first))


@onnx_op("Div")
def div(node: Node) -> Tensor:
    """Div-7 .. 14 with a constant per channel on either side."""
    tensors, constants = tensors_of(node)
    if not constants:
        raise node.unsupported("both inputs are computed; only one of them may be")
    value = per_channel(node, tensors[0], constants[0])
    zeros = np.zeros_like(value)
    if constants == [0]:
        function: dict[str, Attribute] = {"function": StringAttr("Reciprocal")}
        inverse = node.op(UnaryOp, tensors, shape_of(tensors[0]), function)
        return scale_shift(node, inverse, value, zeros)
    if not value.all():
        raise node.invalid("division by a constant that holds 0")
    return scale_shift(node, tensors[0], np.float32(1) / value, zeros)
