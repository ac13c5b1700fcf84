"""Convolution and pooling: operators with a sliding window."""

from __future__ import annotations

from xdsl.dialects.builtin import BoolAttr
from xdsl.ir import Attribute

from cimc.dialects.nn import (
    AveragePoolOp,
    ConvOp,
    GlobalAveragePoolOp,
    MaxPoolOp,
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
        raise node.unsupported(f"attribute pads={pads} is negative; use a Slice before export")
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
    x, w = node.tensor(0, rank=4), node.weight(1)
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


def pool_window(
    node: Node, x: Tensor
) -> tuple[list[int], list[int], list[int], tuple[int, ...], bool]:
    """Kernel, strides, pads, result shape; True when ceil_mode lengthened the last windows."""
    size = shape_of(x)[2:]
    if not node.has("kernel_shape"):
        raise node.invalid("attribute kernel_shape is missing")
    kernel = attribute_pair(node, "kernel_shape", [])
    strides = attribute_pair(node, "strides", [1, 1])
    dilations = attribute_pair(node, "dilations", [1, 1])
    if dilations != [1, 1]:
        raise node.unsupported(f"attribute dilations={dilations}; only [1, 1] is supported")
    pads = pads_of(node, size, kernel, strides, dilations)
    if any(pads[i] >= kernel[i % 2] for i in range(4)):
        raise node.invalid(f"pads {pads} must be smaller than kernel_shape {kernel}")
    longer = ceil_pads(size, kernel, strides, pads) if node.attr_int("ceil_mode", 0) else pads
    shape = result_shape(node, x, shape_of(x)[1], kernel, strides, longer, dilations)
    return kernel, strides, longer, shape, longer != pads


def ceil_pads(
    size: tuple[int, ...], kernel: list[int], strides: list[int], pads: list[int]
) -> list[int]:
    """Pads that give the number of windows of ceil_mode, none of them starting in the end pad."""
    result = list(pads)
    for i in (0, 1):
        span = size[i] + pads[i] + pads[i + 2] - kernel[i]
        count = -(-span // strides[i])
        if count * strides[i] >= size[i] + pads[i]:
            count -= 1
        result[i + 2] = max(pads[i + 2], count * strides[i] + kernel[i] - size[i] - pads[i])
    return result


@onnx_op("MaxPool")
def max_pool(node: Node) -> Tensor:
    """MaxPool-1 .. 22."""
    x = node.tensor(0, rank=4)
    node.only_first_output("Indices")
    node.ignore("storage_order")
    kernel, strides, pads, shape, _ = pool_window(node, x)
    window = {"kernel": kernel, "strides": strides, "pads": pads}
    return node.op(MaxPoolOp, [x], shape, {k: int_array(v) for k, v in window.items()})


@onnx_op("AveragePool")
def average_pool(node: Node) -> Tensor:
    """AveragePool-1 .. 22: every window has one divisor, so padded cells must count."""
    x = node.tensor(0, rank=4)
    counted = node.attr_int("count_include_pad", 0) != 0
    kernel, strides, pads, shape, cut = pool_window(node, x)
    if cut:
        raise node.unsupported(
            "attribute ceil_mode=1 makes windows that leave the map; export with ceil_mode=0"
        )
    if any(pads) and not counted:
        raise node.unsupported(
            f"attribute count_include_pad=0 with pads={pads}; export with count_include_pad=1 "
            "or without pads"
        )
    window = {"kernel": kernel, "strides": strides, "pads": pads}
    properties: dict[str, Attribute] = {k: int_array(v) for k, v in window.items()}
    properties["count_include_pad"] = BoolAttr.from_bool(counted)
    return node.op(AveragePoolOp, [x], shape, properties)


@onnx_op("GlobalAveragePool")
def global_average_pool(node: Node) -> Tensor:
    """GlobalAveragePool-1, 22."""
    x = node.tensor(0, rank=4)
    return node.op(GlobalAveragePoolOp, [x], (*shape_of(x)[:2], 1, 1))


@onnx_op("GlobalMaxPool")
def global_max_pool(node: Node) -> Tensor:
    """GlobalMaxPool-1, 22: a max pool with the whole map as its window."""
    x = node.tensor(0, rank=4)
    batch, channels, *size = shape_of(x)
    window = {"kernel": size, "strides": [1, 1], "pads": [0, 0, 0, 0]}
    shape = (batch, channels, 1, 1)
    return node.op(MaxPoolOp, [x], shape, {k: int_array(v) for k, v in window.items()})


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


@onnx_op("ReduceMean")
def reduce_mean(node: Node) -> Tensor:
    """ReduceMean-1 .. 18 over height and width: a global average pool."""
    x = node.tensor(0, rank=4)
    axes = axes_of(node, 18, 4)
    keep = node.attr_int("keepdims", 1)
    if axes is None and node.attr_int("noop_with_empty_axes", 0):
        return x
    node.ignore("noop_with_empty_axes")
    if axes != [2, 3]:
        raise node.unsupported(f"axes {axes}; only the mean over height and width is supported")
    batch, channels = shape_of(x)[:2]
    y = node.op(GlobalAveragePoolOp, [x], (batch, channels, 1, 1))
    return y if keep else node.flatten(y)
