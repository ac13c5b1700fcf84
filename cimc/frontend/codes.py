"""What is known of the codes of a model that arrives quantised.

Whatever its form, import gives floats between `nn.quantize` and `nn.dequantize`. A float constant
that was dequantised keeps its `Steps`, from which `fold-qdq` finds the codes again, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import SSAValue

from cimc.dialects.nn import GemmOp, WeightedOp, int_attr, store_blob
from cimc.frontend.node import Node, Operand
from cimc.frontend.steps import Steps

STORAGE: Mapping[np.dtype[Any], tuple[int, int]] = {
    np.dtype(np.uint8): (0, 255),
    np.dtype(np.int8): (-128, 127),
}
"""Element types of codes, with their smallest and largest code."""


NOT_FOLDED = frozenset(("QuantizeLinear", "DequantizeLinear", "Quant", "BipolarQuant"))
"""Operators whose import functions evaluate constants, because they know more of the result."""


@dataclass(frozen=True)
class Grid:
    """Scale and zero point inputs of a node: float32 and integer arrays of one shape."""

    scale: NDArray[np.float32]
    zero: NDArray[Any]

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest code."""
        return STORAGE[self.zero.dtype]


def read_grid(node: Node, scale: int, zero: int, default: Any = np.uint8) -> Grid:
    """Inputs number `scale` and `zero` of `node`; an absent zero point is 0 of type `default`."""
    scales = node.constant(scale)
    if scales.dtype.kind != "f" or not (np.isfinite(scales) & (scales > 0)).all():
        raise node.invalid(f"scale (input {scale}) must be float and above 0")
    scales = scales.astype(np.float32)
    zeros = node.constant(zero) if node.given(zero) else np.zeros(scales.shape, default)
    if zeros.size != scales.size:
        raise node.invalid(
            f"zero point (input {zero}) has shape {list(zeros.shape)}, "
            f"the scale has {list(scales.shape)}"
        )
    return Grid(scales, zeros)


def equal_zeros(node: Node, grid: Grid) -> int:
    """The one zero point of all channels."""
    zeros = np.unique(grid.zero.astype(np.int64))
    if len(zeros) != 1:
        raise node.refused(
            f"zero points of the channels differ ({zeros[0]} to {zeros[-1]}); only one for all "
            "is supported: quantise weights symmetrically"
        )
    return int(zeros[0])


def carry_steps(node: Node, steps: MutableMapping[str, Steps]) -> None:
    """Results of operators that only move the elements of a constant have its steps."""
    known = steps.get(node.proto.input[0]) if node.proto.input else None
    if known is None or node.proto.op_type not in ("Identity", "Transpose"):
        return
    if node.proto.op_type == "Transpose":
        order = node.attr_ints("perm", list(range(node.constant(0).ndim))[::-1])
        known = replace(known, axis=order.index(known.axis))
    steps[node.proto.output[0]] = known


def attach_steps(node: Node, result: Operand, steps: Mapping[str, Steps]) -> None:
    """Note on a layer that its weights came as codes, if they did."""
    if len(node.proto.input) < 2 or node.proto.input[1] not in steps:
        return
    if node.proto.op_type not in ("Conv", "Gemm", "MatMul") or not isinstance(result, SSAValue):
        return
    layer, known = result.owner, steps[node.proto.input[1]]
    if not isinstance(layer, WeightedOp):
        return
    alpha = node.attr_float("alpha", 1.0) if node.proto.op_type == "Gemm" else 1.0
    if alpha <= 0:
        return
    axis = 0
    if isinstance(layer, GemmOp):
        axis = 0 if node.proto.op_type == "Gemm" and node.attr_int("transB", 0) else 1
    outputs = layer.weights.shape[0]
    if known.scale.size > 1 and (known.axis != axis or known.scale.size != outputs):
        raise node.refused(
            f"weights have {known.scale.size} scales along axis {known.axis}; only one, or one an "
            f"output (axis {axis}, {outputs} values), is supported"
        )
    scales = np.broadcast_to(known.scale.reshape(-1) * alpha, (outputs,)).astype(np.float64)
    layer.weight_scales = store_blob(node.builder.weights, np.ascontiguousarray(scales))
    layer.weight_zero = int_attr(known.zero)
    layer.weight_bits = int_attr(known.bits)
