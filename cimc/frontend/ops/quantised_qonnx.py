"""QONNX: Quant and BipolarQuant, which are a quantisation and its inverse in one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import TensorType, f32

from cimc.dialects.nn import DequantizeOp, QuantType, shape_of
from cimc.frontend.node import Node, Tensor, Value, is_tensor
from cimc.frontend.ops.quantised import quantised
from cimc.frontend.registry import onnx_op
from cimc.frontend.steps import Steps

DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")


@onnx_op(*(f"{domain}.Quant" for domain in DOMAINS))
def quant(node: Node) -> Value:
    """Quant: scale, zero point and bit width are inputs; up to 8 bits, except for constants."""
    signed, narrow = node.attr_int("signed", 1) != 0, node.attr_int("narrow", 0) != 0
    mode = node.attr_string("rounding_mode", "ROUND").upper()
    if mode != "ROUND":
        raise node.refused(f"attribute rounding_mode='{mode}'; only ROUND is supported")
    scale, zero = positive(node, 1), whole(node, 2)
    bits = int(node.scalar(3))
    if bits != node.scalar(3) or not 2 <= bits <= 32:
        raise node.refused(f"bit width (input 3) is {node.scalar(3)}; only 2 to 8 is supported")
    low = (-(1 << (bits - 1)) if signed else 0) + (narrow and signed)
    high = (1 << (bits - signed)) - 1 - (narrow and not signed)
    x = node.value(0)
    if is_tensor(x):
        return activation(node, x, scale, zero, bits, signed, (low, high))
    codes = np.clip(np.rint(node.weight(0) / scale) + zero, low, high)
    if bits <= 8:
        shift = 128 if bits == 8 and not signed else 0
        note_steps(node, x.ndim, scale, zero - shift, bits)
    return ((codes - zero) * scale).astype(np.float32)


@onnx_op(*(f"{domain}.BipolarQuant" for domain in DOMAINS))
def bipolar_quant(node: Node) -> Value:
    """BipolarQuant of constants: codes -1 and 1."""
    x, scale = node.value(0), positive(node, 1)
    if is_tensor(x):
        raise node.refused("activations of one bit; use Quant with 2 to 8 bits")
    note_steps(node, x.ndim, scale, 0, 2)
    return (np.where(node.weight(0) >= 0, 1, -1) * scale).astype(np.float32)


def positive(node: Node, i: int) -> NDArray[np.float32]:
    """Constant input `i`, a scale."""
    scale = node.weight(i)
    if not (scale > 0).all():
        raise node.invalid(f"scale (input {i}) must be above 0")
    return scale


def whole(node: Node, i: int) -> int:
    """Constant input `i`, a zero point for all channels."""
    values = np.unique(node.weight(i))
    if len(values) != 1 or values[0] != round(float(values[0])):
        raise node.refused(
            f"zero point (input {i}) is {values.tolist()}; only one integer for all channels"
        )
    return int(values[0])


def note_steps(node: Node, rank: int, scale: NDArray[np.float32], zero: int, bits: int) -> None:
    """Note the steps of a constant, which vary along one axis at most."""
    axes = [i + rank - scale.ndim for i, n in enumerate(scale.shape) if n > 1]
    if len(axes) > 1:
        raise node.refused(f"scale (input 1) of shape {list(scale.shape)} varies along two axes")
    steps = Steps(scale.astype(np.float64).reshape(-1), zero, axes[0] if axes else 0, bits)
    node.steps[node.proto.output[0]] = steps


def activation(
    node: Node,
    x: Tensor,
    scale: NDArray[np.float32],
    zero: int,
    bits: int,
    signed: bool,
    ends: tuple[int, int],
) -> Tensor:
    """Quantisation of a tensor and its inverse."""
    if bits > 8:
        raise node.refused(f"bit width (input 3) is {bits}; only 2 to 8 is supported")
    if scale.size != 1:
        raise node.refused(
            f"activations with {scale.size} scales; only one for all channels is supported"
        )
    limits = (-128, 127) if signed else (0, 255)
    if not limits[0] <= zero <= limits[1]:
        raise node.refused(f"zero point (input 2) {zero} is outside of {list(limits)}")
    codes = quantised(node, x, QuantType.of(signed, float(scale.reshape(())), zero), *ends)
    return node.emit(DequantizeOp([codes], TensorType(f32, shape_of(x))))
