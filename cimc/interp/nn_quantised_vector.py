"""Integer semantics of the quantised `nn` operations that treat each code alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.nn import ConcatOp, MulOp, QuantType, UnaryOp
from cimc.interp.nn_quantised import Codes, integer, quant, scaled, stored
from cimc.quant import round_half_even_shift
from cimc.weights import WeightStore


def multiply(op: MulOp, a: Codes, b: Codes) -> Codes:
    """Product of two tensors of different scales."""
    product = (a.astype(np.int64) - quant(op.a).zero) * (b.astype(np.int64) - quant(op.b).zero)
    return scaled(op, product * integer(op.m0))


def look_up(op: UnaryOp, x: Codes, weights: WeightStore) -> Codes:
    """Table entries by the bytes of `x`."""
    assert op.table is not None
    found = weights.get(op.table.key.data)[x.view(np.uint8)]
    return found.view(np.int8) if quant(op.y).signed else found


def concat(op: ConcatOp, args: Sequence[Codes]) -> Codes:
    """The operands one behind the other along axis 1, each brought to the result's scale."""
    assert op.m0 is not None
    assert op.shift is not None
    kind = quant(op.y)
    fields = zip(op.xs, args, op.m0.get_values(), op.shift.get_values(), strict=True)
    parts = [
        clamped(op, (x.astype(np.int64) - quant(value).zero) * m0, shift, kind)
        for value, x, m0, shift in fields
    ]
    return np.concatenate(parts, axis=1)


def clamped(op: ConcatOp, value: NDArray[np.int64], shift: int, kind: QuantType) -> Codes:
    """clamp(rhe(value / 2^shift) + y.zero, low, high)."""
    y = round_half_even_shift(value, shift) + kind.zero
    return stored(np.clip(y, integer(op.low), integer(op.high)), kind)
