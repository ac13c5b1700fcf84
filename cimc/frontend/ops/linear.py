"""Matrix products, and arithmetic with constants, which is a batch normalisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Attribute

from cimc.dialects.nn import AddOp, BatchNormOp, GemmOp, float_attr, shape_of
from cimc.frontend.node import Node, Tensor, Value, is_tensor
from cimc.frontend.registry import onnx_op

Vector = NDArray[np.float32]


def matrix_product(node: Node, x: Tensor, w: Vector, bias: Vector | None) -> Tensor:
    """x [N, K] times w [O, K] transposed."""
    inputs = shape_of(x)[1]
    if w.ndim != 2 or w.shape[1] != inputs or not w.size:
        raise node.invalid(
            f"weights stand for {list(w.shape)} (outputs, inputs), but the input is "
            f"{list(shape_of(x))}"
        )
    properties: dict[str, Attribute] = {"weights": node.blob(w)}
    if bias is not None:
        properties["bias"] = node.blob(bias)
    return node.op(GemmOp, [x], (shape_of(x)[0], w.shape[0]), properties)


@onnx_op("Gemm")
def gemm(node: Node) -> Tensor:
    """Gemm-6 .. 13: alpha x W' + beta C; the activations must be the first, untransposed factor."""
    x, w = node.tensor(0, rank=2), node.weight(1)
    if node.attr_int("transA", 0):
        raise node.unsupported("attribute transA=1; transpose the constant factor instead")
    if not node.attr_int("transB", 0):
        w = w.T
    alpha, beta = node.attr_float("alpha", 1.0), node.attr_float("beta", 1.0)
    if not (np.isfinite(alpha) and np.isfinite(beta)):
        raise node.invalid(f"alpha {alpha} and beta {beta} must be finite")
    bias = None
    if node.given(2):
        bias = np.float32(beta) * node.weight(2)
        if bias.size not in (1, w.shape[0]) or bias.shape[-1:] not in ((), (1,), w.shape[:1]):
            raise node.invalid(f"C has shape {list(bias.shape)}, expected [{w.shape[0]}]")
        bias = np.broadcast_to(bias.reshape(-1), w.shape[:1])
    return matrix_product(node, x, np.float32(alpha) * w, bias)


@onnx_op("MatMul")
def mat_mul(node: Node) -> Tensor:
    """MatMul-1 .. 13 with a constant second factor [K, O]."""
    x, w = node.tensor(0, rank=2), node.weight(1)
    return matrix_product(node, x, w.T, None)


@onnx_op("BatchNormalization")
def batch_normalization(node: Node) -> Tensor:
    """BatchNormalization-7 .. 15 in inference form."""
    x = node.tensor(0)
    if node.attr_int("training_mode", 0):
        raise node.unsupported("attribute training_mode=1; export the model in evaluation mode")
    if not node.attr_int("spatial", 1):
        raise node.unsupported("attribute spatial=0; export per-channel statistics")
    node.only_first_output("of running statistics")
    node.ignore("momentum")
    scale, bias, mean, variance = (node.weight(i) for i in range(1, 5))
    return normalise(node, x, scale, bias, mean, variance, node.attr_float("epsilon", 1e-5))


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


def per_channel(node: Node, x: Tensor, i: int) -> Vector:
    """Constant input `i`, broadcast against `x`, as one value a channel."""
    shape, value = shape_of(x), node.weight(i)
    rank = len(shape)
    aligned = value.reshape((1,) * max(0, rank - value.ndim) + value.shape)
    if aligned.size not in (1, shape[1]) or aligned.shape[1] not in (1, shape[1]):
        raise node.unsupported(
            f"constant of shape {list(value.shape)} with a tensor of {list(shape)}; only one "
            "value, or one a channel, is supported"
        )
    if aligned.size > 1 and aligned.shape[1] != shape[1]:
        raise node.unsupported(
            f"constant of shape {list(value.shape)} does not vary along the channels alone"
        )
    return np.broadcast_to(aligned.reshape(-1), (shape[1],)).astype(np.float32)


def scale_shift(node: Node, x: Tensor, scale: Vector, shift: Vector) -> Tensor:
    """x * scale + shift, per channel."""
    zeros, ones = np.zeros_like(shift), np.ones_like(shift)
    return normalise(node, x, scale, shift, zeros, ones, 0.0)


@onnx_op("Add")
def add(node: Node) -> Value:
    """Add-7 .. 14: of two tensors of one shape, or of a tensor and a constant per channel."""
    return sum_of(node, 2)


@onnx_op("Sum")
def sum_(node: Node) -> Value:
    """Sum-6 .. 13: a chain of additions."""
    return sum_of(node, len(node.proto.input))


def sum_of(node: Node, count: int) -> Value:
    """Sum of the first `count` inputs, constants last."""
    values = [node.value(i) for i in range(count)]
    tensors = [v for v in values if is_tensor(v)]
    total = tensors[0]
    for other in tensors[1:]:
        if shape_of(total) != shape_of(other):
            raise node.unsupported(
                f"shapes {list(shape_of(total))} and {list(shape_of(other))} differ; only "
                "tensors of one shape are added"
            )
        total = node.op(AddOp, [total, other], shape_of(total))
    for i, value in enumerate(values):
        if not is_tensor(value):
            shift = per_channel(node, total, i)
            total = scale_shift(node, total, np.ones_like(shift), shift)
    return total


def with_constant(node: Node) -> tuple[Tensor, int]:
    """The tensor among two inputs, and the number of the other, which must be constant."""
    first, second = node.value(0), node.value(1)
    if is_tensor(first) and is_tensor(second):
        raise node.unsupported("both inputs are computed; only a constant factor is supported")
    return (first, 1) if is_tensor(first) else (node.tensor(1), 0)


@onnx_op("Mul")
def mul(node: Node) -> Tensor:
    """Mul-7 .. 14 by a constant per channel."""
    x, other = with_constant(node)
    scale = per_channel(node, x, other)
    return scale_shift(node, x, scale, np.zeros_like(scale))


@onnx_op("Sub")
def sub(node: Node) -> Tensor:
    """Sub-7 .. 14 with a constant per channel on either side."""
    x, other = with_constant(node)
    value = per_channel(node, x, other)
    sign = np.float32(1 if other == 1 else -1)
    return scale_shift(node, x, np.full_like(value, sign), -sign * value)


@onnx_op("Div")
def div(node: Node) -> Tensor:
    """Div-7 .. 14 by a constant per channel."""
    x, other = with_constant(node)
    value = per_channel(node, x, other)
    if other == 0:
        raise node.unsupported("a constant divided by a tensor")
    if not value.all():
        raise node.invalid("division by a constant that holds 0")
    return scale_shift(node, x, np.float32(1) / value, np.zeros_like(value))
