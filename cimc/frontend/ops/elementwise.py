"""Activations, and operators that only change the shape or nothing at all."""

from __future__ import annotations

import math

import numpy as np

from cimc.dialects.nn import ClipOp, PadOp, ReluOp, SoftmaxOp, float_attr, int_array, shape_of
from cimc.frontend.node import Constant, Node, Tensor, Value, is_tensor
from cimc.frontend.ops.window import axes_of
from cimc.frontend.registry import onnx_op

LARGEST = float(np.finfo(np.float32).max)


@onnx_op("Relu")
def relu(node: Node) -> Tensor:
    """Relu-6 .. 14."""
    x = node.tensor(0)
    return node.op(ReluOp, [x], shape_of(x))


@onnx_op("Clip")
def clip(node: Node) -> Tensor:
    """Clip-6 .. 13: ends are attributes before opset 11, optional inputs from then on."""
    x = node.tensor(0)
    if node.opset < 11:
        low, high = node.attr_float("min", -LARGEST), node.attr_float("max", LARGEST)
    else:
        low = node.scalar(1) if node.given(1) else -LARGEST
        high = node.scalar(2) if node.given(2) else LARGEST
    low, high = max(low, -LARGEST), min(high, LARGEST)
    if not low <= high:
        raise node.invalid(f"min {low} must not exceed max {high}")
    if low == -LARGEST and high == LARGEST:
        return x
    if low == 0 and high == LARGEST:
        return node.op(ReluOp, [x], shape_of(x))
    ends = {"clip_min": float_attr(low), "clip_max": float_attr(high)}
    return node.op(ClipOp, [x], shape_of(x), ends)


@onnx_op("Identity")
def identity(node: Node) -> Value:
    """Identity-1 .. 25."""
    return node.value(0)


@onnx_op("Dropout")
def dropout(node: Node) -> Value:
    """Dropout-7 .. 22 in inference form does nothing."""
    node.only_first_output("mask")
    node.ignore("ratio", "seed")
    if node.given(2) and node.constant(2).any():
        raise node.unsupported("input training_mode is true; export the model in evaluation mode")
    return node.value(0)


@onnx_op("Cast")
def cast(node: Node) -> Value:
    """Cast-6 .. 25 between float types: the program has one, float32."""
    to = node.attr_int("to", 1)
    node.ignore("saturate", "round_mode")
    if to not in (1, 10, 11, 16):
        raise node.unsupported(f"attribute to={to}; only casts between float types are supported")
    return node.value(0)


@onnx_op("CastLike")
def cast_like(node: Node) -> Value:
    """CastLike-15 .. 25 to the type of a float tensor."""
    node.ignore("saturate", "round_mode")
    value, like = node.value(0), node.value(1)
    if not is_tensor(like) and like.dtype.kind != "f":
        raise node.unsupported(f"cast to {like.dtype}; only casts to float are supported")
    return value if is_tensor(value) else value.astype(np.float32)


@onnx_op("Pad")
def pad(node: Node) -> Tensor:
    """Pad-2 .. 25 of height and width with zeros."""
    x = node.tensor(0, rank=4)
    mode = node.attr_string("mode", "constant")
    if mode != "constant":
        raise node.unsupported(f"attribute mode='{mode}'; only 'constant' is supported")
    if node.opset < 11:
        pads, value = node.attr_ints("pads", []), node.attr_float("value", 0.0)
    else:
        pads = node.integers(1)
        value = node.scalar(2) if node.given(2) else 0.0
    if node.given(3):
        pads = spread_pads(node, pads, node.integers(3))
    if len(pads) != 8:
        raise node.invalid(f"pads must be eight values, got {pads}")
    if any(pads[i] for i in (0, 1, 4, 5)) or min(pads) < 0:
        raise node.unsupported(f"pads {pads}; only height and width can grow")
    if value != 0:
        raise node.unsupported(f"padding with {value}; only 0 is supported")
    margins = [pads[i] for i in (2, 3, 6, 7)]
    if not any(margins):
        return x
    batch, channels, height, width = shape_of(x)
    shape = (batch, channels, height + margins[0] + margins[2], width + margins[1] + margins[3])
    properties = {"pads": int_array(margins), "value": float_attr(0)}
    return node.op(PadOp, [x], shape, properties)


def spread_pads(node: Node, pads: list[int], axes: list[int]) -> list[int]:
    """Pads of all four axes from those of `axes`."""
    if len(pads) != 2 * len(axes) or any(not -4 <= a < 4 for a in axes):
        raise node.invalid(f"pads {pads} do not go with axes {axes}")
    result = [0] * 8
    for i, axis in enumerate(axes):
        result[axis % 4], result[4 + axis % 4] = pads[i], pads[len(axes) + i]
    return result


@onnx_op("Softmax")
def softmax(node: Node) -> Tensor:
    """Softmax-1 .. 13 over the classes, as the last node."""
    x = node.tensor(0, rank=2)
    axis = node.attr_int("axis", -1 if node.opset >= 13 else 1)
    if axis not in (1, -1):
        raise node.unsupported(f"attribute axis={axis}; only the last axis is supported")
    if any(name in node.used_by_nodes for name in node.proto.output):
        raise node.unsupported("used inside the graph; it is supported only at its end")
    return node.op(SoftmaxOp, [x], shape_of(x))


@onnx_op("Shape")
def shape(node: Node) -> Constant:
    """Shape-1 .. 25: shapes are known, the batch being 1."""
    dims = np.array(shape_of(node.tensor(0)), np.int64)
    end = node.attr_int("end", len(dims)) if node.has("end") else len(dims)
    return dims[node.attr_int("start", 0) : end]


@onnx_op("Flatten")
def flatten(node: Node) -> Tensor:
    """Flatten-1 .. 25 behind the batch."""
    x = node.tensor(0)
    rank = len(shape_of(x))
    axis = node.attr_int("axis", 1)
    if axis % rank != 1:
        raise node.unsupported(f"attribute axis={axis}; only 1, behind the batch, is supported")
    return reshaped(node, x, [1, math.prod(shape_of(x))])


@onnx_op("Reshape")
def reshape(node: Node) -> Tensor:
    """Reshape-5 .. 25 that flattens, or changes nothing."""
    x, target = node.tensor(0), node.integers(1)
    source, keep_zero = shape_of(x), node.attr_int("allowzero", 0)
    if not keep_zero:
        target = [source[i] if n == 0 and i < len(source) else n for i, n in enumerate(target)]
    if target and target[0] == node.batch:
        target[0] = 1
    if target.count(-1) == 1:
        known = math.prod(n for n in target if n != -1)
        missing = math.prod(source) // known if known > 0 else 0
        target = [missing if n == -1 else n for n in target]
    if math.prod(target) != math.prod(source) or min(target, default=0) < 1:
        raise node.invalid(
            f"a tensor of shape {list(source)} cannot take the shape {node.integers(1)}"
        )
    return reshaped(node, x, target)


@onnx_op("Squeeze")
def squeeze(node: Node) -> Tensor:
    """Squeeze-1 .. 25 that drops height and width of 1x1 maps."""
    x = node.tensor(0)
    source = shape_of(x)
    axes = axes_of(node, 13, len(source))
    if axes is None:
        axes = [i for i, n in enumerate(source) if n == 1 and i > 0]
    if any(source[a] != 1 for a in axes):
        raise node.invalid(f"axes {axes} of shape {list(source)} are not all of size 1")
    return reshaped(node, x, [n for i, n in enumerate(source) if i not in axes])


def reshaped(node: Node, x: Tensor, target: list[int]) -> Tensor:
    """`x` in shape `target`: the same, or flattened behind the batch."""
    source = shape_of(x)
    if list(source) == target:
        return x
    if len(source) == 4 and target == [source[0], math.prod(source[1:])]:
        return node.flatten(x)
    raise node.unsupported(
        f"{list(source)} to {target}; only flattening behind the batch is supported"
    )
