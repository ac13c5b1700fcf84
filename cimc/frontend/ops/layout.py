"""Operators that move elements, change the shape, or do nothing."""

from __future__ import annotations

import math

import numpy as np
from xdsl.ir import Attribute

from cimc.dialects.nn import (
    ConcatOp,
    FlattenOp,
    PadOp,
    SliceOp,
    UnflattenOp,
    float_attr,
    int_array,
    shape_of,
)
from cimc.frontend.node import Constant, Node, Operand, Tensor, is_constant
from cimc.frontend.ops.arithmetic import scale_shift
from cimc.frontend.ops.window import axes_of
from cimc.frontend.registry import onnx_op
from cimc.frontend.view import View


@onnx_op("Identity")
def identity(node: Node) -> Operand:
    """Identity-1 .. 25."""
    return node.operand(0)


@onnx_op("Dropout")
def dropout(node: Node) -> Operand:
    """Dropout-7 .. 22 in inference form does nothing."""
    node.ignore("ratio", "seed")
    if node.given(2) and node.constant(2).any():
        raise node.refused("input training_mode is true; export the model in evaluation mode")
    node.only_first_output("mask")
    return node.operand(0)


@onnx_op("Cast")
def cast(node: Node) -> Operand:
    """Cast-6 .. 25 between float types: the machine has one, float32."""
    to = node.attr_int("to", 1)
    node.ignore("saturate", "round_mode")
    if node.whole or to not in (1, 10, 11, 16):
        raise node.unsupported(f"attribute to={to}; only casts between float types are supported")
    node.tensor(0)
    return node.operand(0)


@onnx_op("CastLike")
def cast_like(node: Node) -> Operand:
    """CastLike-15 .. 25 to the type of a float tensor."""
    node.ignore("saturate", "round_mode")
    value, like = node.operand(0), node.operand(1)
    if is_constant(like) and like.dtype.kind != "f":
        raise node.unsupported(f"cast to {like.dtype}; only casts to float are supported")
    return value.astype(np.float32) if is_constant(value) else value


@onnx_op("Shape")
def shape(node: Node) -> Constant:
    """Shape-1 .. 25: shapes are known, the batch being 1."""
    value = node.operand(0)
    known = value.shape if isinstance(value, View | np.ndarray) else shape_of(value)
    end = node.attr_int("end", len(known)) if node.has("end") else len(known)
    return np.array(known[node.attr_int("start", 0) : end], np.int64)


@onnx_op("Size")
def size(node: Node) -> Constant:
    """Size-1 .. 25."""
    return np.array(math.prod(int(n) for n in shape(node)), np.int64)


@onnx_op("Flatten")
def flatten(node: Node) -> View:
    """Flatten-1 .. 25."""
    x, axis = node.view(0), node.attr_int("axis", 1)
    if not -len(x.shape) <= axis <= len(x.shape):
        raise node.invalid(f"attribute axis={axis} does not fit a tensor of rank {len(x.shape)}")
    axis += len(x.shape) if axis < 0 else 0
    return node.reshaped(x, [math.prod(x.shape[:axis]), math.prod(x.shape[axis:])])


@onnx_op("Reshape")
def reshape(node: Node) -> View:
    """Reshape-5 .. 25."""
    x, wanted = node.view(0), node.integers(1)
    source, target = x.shape, list(wanted)
    if not node.attr_int("allowzero", 0):
        target = [source[i] if n == 0 and i < len(source) else n for i, n in enumerate(target)]
    if target and target[0] == node.batch:
        target[0] = 1
    if target.count(-1) == 1:
        known = math.prod(n for n in target if n != -1)
        missing = math.prod(source) // known if known > 0 else 0
        target = [missing if n == -1 else n for n in target]
    if math.prod(target) != math.prod(source) or min(target, default=1) < 1:
        if node.batch > 1:
            raise node.refused(
                f"shape {wanted} holds the batch of {node.batch}; export with a batch of 1"
            )
        raise node.invalid(f"a tensor of shape {list(source)} cannot take the shape {wanted}")
    return node.reshaped(x, target)


@onnx_op("Squeeze")
def squeeze(node: Node) -> View:
    """Squeeze-1 .. 25; without axes the batch stays."""
    x = node.view(0)
    axes = axes_of(node, 13, len(x.shape))
    if axes is None:
        axes = [i for i, n in enumerate(x.shape) if n == 1 and (i > 0 or node.whole)]
    if any(x.shape[a] != 1 for a in axes):
        raise node.invalid(f"axes {axes} of shape {list(x.shape)} are not all of size 1")
    return node.reshaped(x, [n for i, n in enumerate(x.shape) if i not in axes])


@onnx_op("Unsqueeze")
def unsqueeze(node: Node) -> View:
    """Unsqueeze-1 .. 25."""
    x = node.view(0)
    count = len(node.integers(1)) if node.opset >= 13 else len(node.attr_ints("axes", []))
    axes = axes_of(node, 13, len(x.shape) + count)
    if axes is None or len(axes) != count:
        raise node.invalid(f"axes {axes} must be given, each once")
    rest = iter(x.shape)
    rank = len(x.shape) + count
    return node.reshaped(x, [1 if i in axes else next(rest) for i in range(rank)])


@onnx_op("Transpose")
def transpose(node: Node) -> View:
    """Transpose-1 .. 25; what it amounts to is seen where the result is read."""
    x = node.view(0)
    order = node.attr_ints("perm", list(range(len(x.shape)))[::-1])
    if sorted(order) != list(range(len(x.shape))):
        raise node.invalid(f"attribute perm={order} does not fit a tensor of rank {len(x.shape)}")
    layout = tuple(x.layout[i] for i in order)
    return View(x.base, layout, node.proto.output[0], (*x.steps, node.location))


@onnx_op("Concat")
def concat(node: Node) -> Tensor:
    """Concat-4 .. 13 of channels."""
    xs = [node.tensor(i) for i in range(len(node.proto.input))]
    shapes = [shape_of(x) for x in xs]
    rank = len(shapes[0])
    axis = node.attr_int("axis", 1)
    if axis not in (1, 1 - rank) or rank < 2:
        raise node.unsupported(f"attribute axis={axis}; only 1, the channels, is supported")
    around = shapes[0][:1] + shapes[0][2:]
    if any(s[:1] + s[2:] != around for s in shapes):
        raise node.invalid(f"shapes {list(map(list, shapes))} differ beside axis 1")
    if len(xs) == 1:
        return xs[0]
    return node.op(ConcatOp, xs, (around[0], sum(s[1] for s in shapes), *around[1:]))


def part(node: Node, x: Tensor, cuts: dict[int, tuple[int, int, int]]) -> Tensor:
    """`x` at start, size, step of `cuts` by axis; not of the batch."""
    shape = shape_of(x)
    rows = [cuts.get(i, (0, n, 1)) for i, n in enumerate(shape)]
    if rows[0] != (0, shape[0], 1):
        raise node.unsupported("axis 0 is the batch; only the others can be cut")
    if min(size for _, size, _ in rows) < 1 or min(step for *_, step in rows) < 1:
        raise node.unsupported(f"starts, sizes and steps {rows}; only forward steps are supported")
    if all(row == (0, n, 1) for row, n in zip(rows, shape, strict=True)):
        return x
    fields = zip(*rows[1:], *[(0, 1, 1)] * (4 - len(shape)), strict=True)
    properties: dict[str, Attribute] = {
        name: int_array(values)
        for name, values in zip(("starts", "sizes", "steps"), fields, strict=True)
    }
    sizes = tuple(size for _, size, _ in rows)
    if len(shape) == 4:
        return node.op(SliceOp, [x], sizes, properties)
    tall = node.op(UnflattenOp, [x], (*shape, 1, 1))
    return node.op(FlattenOp, [node.op(SliceOp, [tall], (*sizes, 1, 1), properties)], sizes)


@onnx_op("Split")
def split(node: Node) -> list[Tensor]:
    """Split-2 .. 18 along any axis but the batch."""
    x = node.tensor(0, 2, 4)
    rank, count = len(shape_of(x)), len(node.proto.output)
    axis = node.attr_int("axis", 0)
    if not -rank <= axis < rank:
        raise node.invalid(f"attribute axis={axis} does not fit a tensor of rank {rank}")
    axis, length = axis % rank, shape_of(x)[axis % rank]
    node.ignore("num_outputs")
    each = -(-length // count)
    sizes = [min(each, length - i * each) for i in range(count)]
    if node.opset < 13:
        sizes = node.attr_ints("split", sizes)
    elif node.given(1):
        sizes = node.integers(1)
    if len(sizes) != count or sum(sizes) != length:
        raise node.invalid(f"sizes {sizes} do not split {length} into {count} parts")
    starts = [sum(sizes[:i]) for i in range(count)]
    return [part(node, x, {axis: (at, n, 1)}) for at, n in zip(starts, sizes, strict=True)]


@onnx_op("Slice")
def slice_(node: Node) -> Tensor:
    """Slice-1 .. 13 with constant bounds, not of the batch, forwards."""
    x = node.tensor(0, 2, 4)
    if node.opset < 10:
        starts, ends = node.attr_ints("starts", []), node.attr_ints("ends", [])
        axes = node.attr_ints("axes", list(range(len(starts))))
        steps = [1] * len(starts)
    else:
        starts, ends = node.integers(1), node.integers(2)
        axes = node.integers(3) if node.given(3) else list(range(len(starts)))
        steps = node.integers(4) if node.given(4) else [1] * len(starts)
    shape = shape_of(x)
    fits = len(starts) == len(ends) == len(axes) == len(steps) and 0 not in steps
    if not fits or any(not -len(shape) <= a < len(shape) for a in axes):
        raise node.invalid(f"starts {starts}, ends {ends}, axes {axes}, steps {steps} do not fit")
    cuts: dict[int, tuple[int, int, int]] = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        taken = range(*slice(start, end, step).indices(shape[axis]))
        cuts[axis % len(shape)] = (taken.start, len(taken), taken.step)
    return part(node, x, cuts)


@onnx_op("Pad")
def pad(node: Node) -> Tensor:
    """Pad-2 .. 25 of height and width with one value."""
    x = node.tensor(0, 4)
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
    if not np.isfinite(value):
        raise node.unsupported(f"padding with {value}; only finite values are supported")
    margins = [pads[i] for i in (2, 3, 6, 7)]
    return padded(node, x, margins, value) if any(margins) else x


def padded(node: Node, x: Tensor, margins: list[int], value: float) -> Tensor:
    """`x` with `margins` (top, left, bottom, right) of `value`: zeros around x - value, plus it."""
    batch, channels, height, width = shape_of(x)
    ones = np.ones(channels, np.float32)
    if value:
        x = scale_shift(node, x, ones, -np.float32(value) * ones)
    shape = (batch, channels, height + margins[0] + margins[2], width + margins[1] + margins[3])
    y = node.op(PadOp, [x], shape, {"pads": int_array(margins), "value": float_attr(0)})
    return scale_shift(node, y, ones, np.float32(value) * ones) if value else y


def spread_pads(node: Node, pads: list[int], axes: list[int]) -> list[int]:
    """Pads of all four axes from those of `axes`."""
    if len(pads) != 2 * len(axes) or any(not -4 <= a < 4 for a in axes):
        raise node.invalid(f"pads {pads} do not go with axes {axes}")
    result = [0] * 8
    for i, axis in enumerate(axes):
        result[axis % 4], result[4 + axis % 4] = pads[i], pads[len(axes) + i]
    return result
