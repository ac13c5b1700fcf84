"""QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.dialects.builtin import IntegerType, TensorType, f32

from cimc.dialects.nn import (
    DequantizeOp,
    QuantizeOp,
    QuantType,
    int_attr,
    quant_of,
    shape_of,
    tensor_of,
)
from cimc.frontend.codes import STORAGE, Grid, equal_zeros, read_grid
from cimc.frontend.node import Constant, Node, Operand, Tensor, is_constant
from cimc.frontend.registry import onnx_op
from cimc.frontend.steps import Steps
from cimc.frontend.view import View

UINT8 = 2
OUTPUT_DTYPES = {0: np.uint8, UINT8: np.uint8, 3: np.int8}
"""Types of codes by the number that ONNX gives them; 0: not given."""


@onnx_op("QuantizeLinear", "com.microsoft.QuantizeLinear")
def quantize_linear(node: Node) -> Operand:
    """QuantizeLinear-10 .. 25 to int8 or uint8; activations with one scale."""
    axis = node.attr_int("axis", 1)
    refuse_blocks(node)
    node.ignore("saturate", "precision")
    wanted = node.attr_int("output_dtype", 0)
    if wanted not in OUTPUT_DTYPES:
        raise node.refused(f"attribute output_dtype={wanted}; only UINT8 and INT8 are supported")
    grid = codes_grid(node, read_grid(node, 1, 2, OUTPUT_DTYPES[wanted]))
    x = node.operand(0)
    if is_constant(x):
        scale, zero = along(node, grid, x, axis)
        return np.clip(np.rint(node.weight(0) / scale) + zero, *grid.limits).astype(grid.zero.dtype)
    kind = activation_type(node, grid)
    if isinstance(x, View) and is_apart(x):
        return x.of(quantised(node, x.base, kind, *kind.limits), node.proto.output[0])
    return quantised(node, node.tensor(0), kind, *kind.limits)


@onnx_op("DequantizeLinear", "com.microsoft.DequantizeLinear")
def dequantize_linear(node: Node) -> Operand:
    """DequantizeLinear-10 .. 25 of codes, constants of int8, uint8 or int32."""
    axis = node.attr_int("axis", 1)
    refuse_blocks(node)
    node.ignore("output_dtype")
    x = node.operand(0)
    if isinstance(x, View):
        grid = codes_grid(node, read_grid(node, 1, 2))
        return x.of(dequantised(node, x.base, grid), node.proto.output[0])
    if not is_constant(x):
        return dequantised(node, x, codes_grid(node, read_grid(node, 1, 2)))
    if x.dtype not in STORAGE and x.dtype != np.int32:
        raise node.refused(
            f"input 0 has element type {x.dtype}; only INT8, UINT8 and INT32 are supported"
        )
    grid = read_grid(node, 1, 2, x.dtype)
    scale, zero = along(node, grid, x, axis)
    if x.dtype in STORAGE:
        unsigned = 128 if x.dtype == np.uint8 else 0
        same = equal_zeros(node, grid) - unsigned
        known = Steps(grid.scale.astype(np.float64).reshape(-1), same, axis % max(x.ndim, 1), 8)
        node.steps[node.proto.output[0]] = known
    return (x.astype(np.int64) - zero).astype(np.float32) * scale


def refuse_blocks(node: Node) -> None:
    """Refuse one scale a block."""
    size = node.attr_int("block_size", 0)
    if size:
        raise node.refused(f"attribute block_size={size}; quantise without blocks")


def codes_grid(node: Node, grid: Grid) -> Grid:
    """`grid`, whose codes must be int8 or uint8."""
    if grid.zero.dtype not in STORAGE:
        raise node.refused(
            f"zero point (input 2) has element type {grid.zero.dtype}; only INT8 and UINT8 are "
            "supported"
        )
    return grid


def along(node: Node, grid: Grid, x: Constant, axis: int) -> tuple[Constant, Constant]:
    """Scale and zero point of `grid`, broadcast against constant `x`."""
    if grid.scale.size == 1:
        return grid.scale.reshape(()), grid.zero.reshape(()).astype(np.int64)
    if grid.scale.ndim != 1 or not -x.ndim <= axis < x.ndim or len(grid.scale) != x.shape[axis]:
        raise node.refused(
            f"scale of shape {list(grid.scale.shape)} for a tensor of {list(x.shape)}, "
            f"axis={axis}; only one, or one for each position along the axis, is supported"
        )
    shape = [1] * x.ndim
    shape[axis] = -1
    return grid.scale.reshape(shape), grid.zero.reshape(shape).astype(np.int64)


def activation_type(node: Node, grid: Grid) -> QuantType:
    """The type of activations on `grid`, which must be the same for all channels."""
    scales = np.unique(grid.scale)
    if len(scales) != 1:
        raise node.refused(
            f"activations with {grid.scale.size} scales; only one for all channels is supported"
        )
    signed = grid.zero.dtype == np.int8
    return QuantType.of(signed, float(scales[0]), equal_zeros(node, grid))


def is_apart(view: View) -> bool:
    """`view` has a rank that the machine has not; what it is a view of is converted instead."""
    return len(view.shape) not in (2, 4)


def quantised(node: Node, x: Tensor, kind: QuantType, low: int, high: int) -> Tensor:
    """Emit the conversion of floats `x` to codes `low`..`high`."""
    if quant_of(x) is not None:
        raise node.invalid("input 0 holds codes already")
    ends = {"low": int_attr(low), "high": int_attr(high)}
    return node.emit(QuantizeOp([x], TensorType(kind, shape_of(x)), ends))


def dequantised(node: Node, x: Tensor, grid: Grid) -> Tensor:
    """Emit the conversion of codes `x` to floats; `grid` must be what they were made with."""
    kind, wanted = quant_of(x), activation_type(node, grid)
    if kind is None:
        if isinstance(tensor_of(x).get_element_type(), IntegerType):
            raise node.unsupported("input 0 holds codes that the host has made")
        raise node.invalid("input 0 holds no codes")
    if kind != wanted:
        raise node.refused(
            f"codes with {text(kind)} are read with {text(wanted)}; both must be the same"
        )
    return node.emit(DequantizeOp([x], TensorType(f32, shape_of(x))))


def text(kind: QuantType) -> str:
    """``uint8 scale 0.05 zero point 3``."""
    storage: Any = "int8" if kind.signed else "uint8"
    return f"{storage} scale {kind.scale_value:.9g} zero point {kind.zero}"
