"""Integer fields of operations without weights: sums, products, means, look-up tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import BoolAttr
from xdsl.ir import Attribute

from cimc.diagnostics import pass_fail
from cimc.dialects.nn import (
    AddOp,
    AveragePoolOp,
    QuantType,
    UnaryOp,
    divisors_of,
    int_array,
    int_attr,
    store_blob,
)
from cimc.interp.nn_unary import unary
from cimc.passes.nn_layers import NO_PADS
from cimc.quant import encode_multiplier, encode_multipliers
from cimc.weights import WeightStore

Properties = dict[str, Attribute | None]

ONE_CELL: Properties = {
    "kernel": int_array((1, 1)),
    "strides": int_array((1, 1)),
    "pads": int_array(NO_PADS),
    "count_include_pad": BoolAttr.from_bool(True),
}
"""Window of a pool that only rescales and clamps."""


def sum_properties(op: AddOp, a: QuantType, b: QuantType, y: QuantType) -> Properties:
    """Integer factors of an addition or difference."""
    factors = [a.scale_value / y.scale_value, b.scale_value / y.scale_value]
    if max(factors) >= 1 << 31:
        raise pass_fail(op, f"operands are {max(factors):.3g} times as large as the result")
    if op.negate_b is not None:
        factors[1] = -factors[1]
    (m0, m1), shift = encode_multipliers(*factors)
    return {"m0": int_attr(m0), "m1": int_attr(m1), "shift": int_attr(shift)}


def scale_properties(factor: float) -> Properties:
    """Integer factor of a product or mean."""
    m0, shift = encode_multiplier(factor)
    return {"m0": int_attr(m0), "shift": int_attr(shift)}


def mean_properties(x: QuantType, y: QuantType, kernel: Sequence[int]) -> Properties:
    """Integer factor of a mean over `kernel` cells."""
    return scale_properties(x.scale_value / (y.scale_value * math.prod(kernel)))


def divisor_properties(op: AveragePoolOp, x: QuantType, y: QuantType) -> Properties:
    """Integer factors of means that do not count padding; none where all windows are alike."""
    divisors = sorted(divisors_of(op.inside))
    if not divisors:
        return {}
    pairs = [encode_multiplier(x.scale_value / (y.scale_value * n)) for n in divisors]
    factors, shifts = zip(*pairs, strict=True)
    return {
        "divisors": int_array(divisors),
        "factors": int_array(factors),
        "shifts": int_array(shifts),
    }


def concat_properties(inputs: Sequence[QuantType], y: QuantType) -> Properties:
    """Integer factors that bring each operand to the scale of the result."""
    pairs = [encode_multiplier(x.scale_value / y.scale_value) for x in inputs]
    factors, shifts = zip(*pairs, strict=True)
    return {"m0": int_array(factors), "shift": int_array(shifts)}


def table_properties(
    op: UnaryOp, x: QuantType, y: QuantType, clamp: tuple[int, int], weights: WeightStore
) -> Properties:
    """The table of a function: its value at what each code stands for, rounded half to even.

    Infinite values clamp; where the function is not defined the table holds the code of 0.
    """
    codes = np.arange(256, dtype=np.uint8)
    signed: NDArray[np.int64] = (codes.view(np.int8) if x.signed else codes).astype(np.int64)
    real = unary(op, (signed - x.zero) * x.scale_value)
    rounded = np.rint(np.nan_to_num(real, nan=0.0, posinf=np.inf, neginf=-np.inf) / y.scale_value)
    table = np.clip(rounded + y.zero, *clamp).astype(np.int64)
    return {"table": store_blob(weights, (table & 0xFF).astype(np.uint8))}
