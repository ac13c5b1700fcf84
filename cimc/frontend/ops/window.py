"""Convolution, and what operators with a sliding window share."""

from __future__ import annotations

from xdsl.ir import Attribute

from cimc.dialects.nn import (
    ConvOp,
    int_array,
    int_attr,
    shape_of,
    window_shape,
)
from cimc.frontend.node import Node, Tensor
from cimc.frontend.registry import onnx_op


def attribute_pair(node: Node, name: str, default: list[int]) -> list[int]:
    """A two-value attribute such as strides."""
    values = node.attr_ints(name, default)
    if len(values) != 2 or min(values) < 1:
        raise node.invalid(f"attribute {name} must be two values of at least 1, got {values}")
    return values


def pads_of(
    node: Node, size: tuple[int, ...], kernel: list[int], strides: list[int], dilations: list[int]
) -> list[int]:
    """Padding top, left, bottom, right from `pads` or `auto_pad`."""
    mode = node.attr_string("auto_pad", "NOTSET")
    pads = node.attr_ints("pads", [0, 0, 0, 0])
    if mode == "VALID":
        return [0, 0, 0, 0]
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        both = [same_pads(*each) for each in zip(size, kernel, strides, dilations, strict=True)]
        begin = [total // 2 if mode == "SAME_UPPER" else total - total // 2 for total in both]
        return [*begin, both[0] - begin[0], both[1] - begin[1]]
    if mode != "NOTSET":
        raise node.invalid(f"attribute auto_pad has the unknown value '{mode}'")
    if len(pads) != 4:
        raise node.invalid(f"attribute pads must be four values, got {pads}")
    if min(pads) < 0:
        raise node.refused(f"attribute pads={pads} is negative; use a Slice before export")
    return pads


def same_pads(size: int, kernel: int, stride: int, dilation: int) -> int:
    """Total padding that makes the result ceil(size / stride) long."""
    out = -(-size // stride)
    return max(0, (out - 1) * stride + dilation * (kernel - 1) + 1 - size)


def result_shape(
    node: Node,
    x: Tensor,
    channels: int,
    kernel: list[int],
    strides: list[int],
    pads: list[int],
    dilations: list[int],
) -> tuple[int, ...]:
    """[N, channels, H, W] after the window; refuses a window larger than the map."""
    out = window_shape(shape_of(x)[2:], kernel, strides, pads, dilations)
    if min(out) < 1:
        raise node.invalid(
            f"kernel {kernel} with pads {pads} does not fit in a map of {list(shape_of(x)[2:])}"
        )
    return (shape_of(x)[0], channels, *out)


@onnx_op("Conv")
def conv(node: Node) -> Tensor:
    """Conv-1, 11, 22: two spatial dimensions, constant weights."""
    x, w = node.tensor(0, 4), node.weight(1)
    channels, group = shape_of(x)[1], node.attr_int("group", 1)
    if w.ndim != 4:
        raise node.invalid(f"weights must have rank 4, got shape {list(w.shape)}")
    kernel = attribute_pair(node, "kernel_shape", list(w.shape[2:]))
    if group < 1 or channels % group or w.shape[0] % group:
        raise node.invalid(f"group {group} must divide {channels} inputs and {w.shape[0]} outputs")
    if w.shape[1:] != (channels // group, *kernel) or not w.size:
        raise node.invalid(
            f"weights have shape {list(w.shape)}, but the input has {channels} channels, "
            f"group is {group} and kernel_shape is {kernel}"
        )
    strides = attribute_pair(node, "strides", [1, 1])
    dilations = attribute_pair(node, "dilations", [1, 1])
    pads = pads_of(node, shape_of(x)[2:], kernel, strides, dilations)
    shape = result_shape(node, x, w.shape[0], kernel, strides, pads, dilations)
    properties: dict[str, Attribute] = {
        "weights": node.blob(w),
        "kernel": int_array(kernel),
        "strides": int_array(strides),
        "pads": int_array(pads),
        "dilations": int_array(dilations),
        "group": int_attr(group),
    }
    if node.given(2):
        bias = node.weight(2)
        if bias.shape != w.shape[:1]:
            raise node.invalid(f"bias has shape {list(bias.shape)}, expected [{w.shape[0]}]")
        properties["bias"] = node.blob(bias)
    return node.op(ConvOp, [x], shape, properties)


def axes_of(node: Node, since: int, rank: int) -> list[int] | None:
    """Axes, from 0: an attribute before opset `since`, an input from then on; None if absent."""
    if node.opset >= since:
        axes = node.integers(1) if node.given(1) else None
    else:
        axes = node.attr_ints("axes", []) if node.has("axes") else None
    if axes is None:
        return None
    if any(not -rank <= a < rank for a in axes):
        raise node.invalid(f"axes {axes} are not all in [-{rank}, {rank})")
    return sorted({a % rank for a in axes})
