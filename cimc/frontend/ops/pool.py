"""Pooling, and reductions that are pools."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import BoolAttr
from xdsl.ir import Attribute

from cimc.dialects.nn import AveragePoolOp, GlobalAveragePoolOp, MaxPoolOp, int_array, shape_of
from cimc.frontend.node import Node, Operand, Tensor, as_view
from cimc.frontend.ops.arithmetic import scale_shift
from cimc.frontend.ops.layout import padded
from cimc.frontend.ops.window import attribute_pair, axes_of, pads_of, result_shape
from cimc.frontend.registry import onnx_op


@dataclass(frozen=True)
class PoolWindow:
    """Window of a pool; `pads` are those of the node, `longer` has what ceil_mode adds."""

    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    pads: list[int]
    longer: list[int]
    shape: tuple[int, ...]
    """Of the result."""

    def properties(self, pads: list[int]) -> dict[str, Attribute]:
        """Properties of an operation with this window and `pads`."""
        fields = {"kernel": self.kernel, "strides": self.strides, "pads": pads}
        if self.dilations != [1, 1]:
            fields["dilations"] = self.dilations
        return {name: int_array(values) for name, values in fields.items()}


def pool_window(node: Node, x: Tensor) -> PoolWindow:
    """The window that the attributes of `node` describe."""
    size = shape_of(x)[2:]
    if not node.has("kernel_shape"):
        raise node.invalid("attribute kernel_shape is missing")
    kernel = attribute_pair(node, "kernel_shape", [])
    strides = attribute_pair(node, "strides", [1, 1])
    dilations = attribute_pair(node, "dilations", [1, 1])
    pads = pads_of(node, size, kernel, strides, dilations)
    span = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    if any(pads[i] >= span[i % 2] for i in range(4)):
        raise node.invalid(f"pads {pads} must be smaller than the window {span}")
    longer = ceil_pads(size, span, strides, pads) if node.attr_int("ceil_mode", 0) else pads
    shape = result_shape(node, x, shape_of(x)[1], kernel, strides, longer, dilations)
    return PoolWindow(kernel, strides, dilations, pads, longer, shape)


def ceil_pads(
    size: tuple[int, ...], span: list[int], strides: list[int], pads: list[int]
) -> list[int]:
    """Pads that give the number of windows of ceil_mode, none of them starting in the end pad."""
    result = list(pads)
    for i in (0, 1):
        rest = size[i] + pads[i] + pads[i + 2] - span[i]
        count = -(-rest // strides[i])
        if count * strides[i] >= size[i] + pads[i]:
            count -= 1
        result[i + 2] = max(pads[i + 2], count * strides[i] + span[i] - size[i] - pads[i])
    return result


@onnx_op("MaxPool")
def max_pool(node: Node) -> Tensor:
    """MaxPool-1 .. 22 of two dimensions."""
    x = node.tensor(0, 4)
    node.only_first_output("Indices")
    node.ignore("storage_order")
    window = pool_window(node, x)
    return node.op(MaxPoolOp, [x], window.shape, window.properties(window.longer))


@onnx_op("AveragePool")
def average_pool(node: Node) -> Tensor:
    """AveragePool-1 .. 22 of two dimensions.

    Cells that ceil_mode adds never count: where padding does, it becomes part of the map.
    """
    x = node.tensor(0, 4)
    counted = node.attr_int("count_include_pad", 0) != 0
    window = pool_window(node, x)
    pads = window.longer
    if counted and pads != window.pads:
        if any(window.pads):
            x = padded(node, x, window.pads, 0.0)
        pads = [a - b for a, b in zip(pads, window.pads, strict=True)]
        counted = False
    properties = window.properties(pads)
    properties["count_include_pad"] = BoolAttr.from_bool(counted or not any(pads))
    return node.op(AveragePoolOp, [x], window.shape, properties)


@onnx_op("GlobalAveragePool")
def global_average_pool(node: Node) -> Tensor:
    """GlobalAveragePool-1, 22 of two dimensions."""
    x = node.tensor(0, 4)
    return node.op(GlobalAveragePoolOp, [x], (*shape_of(x)[:2], 1, 1))


@onnx_op("GlobalMaxPool")
def global_max_pool(node: Node) -> Tensor:
    """GlobalMaxPool-1, 22 of two dimensions."""
    return largest(node, node.tensor(0, 4))


def largest(node: Node, x: Tensor) -> Tensor:
    """A max pool with the whole map as its window."""
    batch, channels, *size = shape_of(x)
    window = {"kernel": size, "strides": [1, 1], "pads": [0, 0, 0, 0]}
    shape = (batch, channels, 1, 1)
    return node.op(MaxPoolOp, [x], shape, {k: int_array(v) for k, v in window.items()})


@onnx_op("ReduceMean", "ReduceSum", "ReduceMax")
def reduce(node: Node) -> Operand:
    """ReduceMean-1 .. 18, ReduceSum-1 .. 13, ReduceMax-1 .. 20 over height and width."""
    kind = node.proto.op_type
    keep, nothing = node.attr_int("keepdims", 1), node.attr_int("noop_with_empty_axes", 0)
    axes = axes_of(node, {"ReduceMean": 18, "ReduceSum": 13, "ReduceMax": 18}[kind], 4)
    if not axes and nothing:
        return node.operand(0)
    x = node.tensor(0, 4)
    if axes != [2, 3]:
        raise node.unsupported(f"axes {axes}; only height and width together are supported")
    batch, channels, height, width = shape_of(x)
    if kind == "ReduceMax":
        y = largest(node, x)
    else:
        y = node.op(GlobalAveragePoolOp, [x], (batch, channels, 1, 1))
    if kind == "ReduceSum":
        factor = np.full(channels, height * width, np.float32)
        y = scale_shift(node, y, factor, np.zeros_like(factor))
    return y if keep else node.reshaped(as_view(y, node.name), [batch, channels])
