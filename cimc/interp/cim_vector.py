"""Element-wise and moving layers of the `cim` level, on codes [N, H, W, C] (int64)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.cim import (
    ActType,
    ConcatOp,
    CopyOp,
    FlattenOp,
    MulOp,
    ResizeOp,
    ShuffleOp,
    SliceOp,
    TableOp,
    VectorLayerOp,
    act_type,
    ints,
)
from cimc.quant import round_half_even_shift
from cimc.weights import WeightStore

Codes = NDArray[np.int64]


def vector_layer(op: VectorLayerOp, args: Sequence[Codes], store: WeightStore) -> Codes:
    """The codes of `op` on `args`."""
    match op:
        case TableOp():
            return look_up(op, args[0], store)
        case MulOp():
            return multiply(op, *args)
        case ConcatOp():
            return concat(op, args)
        case CopyOp():
            return copy(op, args[0])
        case _:
            raise NotImplementedError(op.name)


def look_up(op: TableOp, x: Codes, store: WeightStore) -> Codes:
    """Table entries."""
    found = store.get(op.table.key.data)[x & 0xFF]
    return (found.view(np.int8) if act_type(op.y).signed else found).astype(np.int64)


def multiply(op: MulOp, a: Codes, b: Codes) -> Codes:
    """Product by element."""
    product = (a - act_type(op.a).zero_point.data) * (b - act_type(op.b).zero_point.data)
    clamp = op.low.value.data, op.high.value.data
    return rescaled(product, op.m0.value.data, op.shift.value.data, act_type(op.y), clamp)


def concat(op: ConcatOp, args: Sequence[Codes]) -> Codes:
    """Channels of all operands, each brought to the scale of the result."""
    clamp, kind = (op.low.value.data, op.high.value.data), act_type(op.y)
    factors = zip(op.xs, args, ints(op.m0), ints(op.shift), strict=True)
    parts = [
        rescaled(codes - act_type(x).zero_point.data, m0, shift, kind, clamp)
        for x, codes, m0, shift in factors
    ]
    return np.concatenate(parts, axis=3)


def rescaled(value: Codes, m0: int, shift: int, kind: ActType, clamp: tuple[int, int]) -> Codes:
    """clamp(rhe(value * m0 / 2^shift) + zero point of `kind`)."""
    return np.clip(round_half_even_shift(value * m0, shift) + kind.zero_point.data, *clamp)


def copy(op: CopyOp, x: Codes) -> Codes:
    """The codes of `x` where `op` puts them."""
    match op:
        case SliceOp():
            fields = zip(ints(op.starts), ints(op.sizes), ints(op.steps), strict=True)
            where = [slice(at, at + (n - 1) * step + 1, step) for at, n, step in fields]
            return x[:, *where]
        case ResizeOp():
            down, across = ints(op.scale)
            return np.repeat(np.repeat(x, down, axis=1), across, axis=2)
        case ShuffleOp():
            groups = op.groups.value.data
            parts = x.reshape(*x.shape[:3], groups, -1)
            return parts.swapaxes(3, 4).reshape(x.shape)
        case FlattenOp():
            return x.transpose(0, 3, 1, 2).reshape(len(x), 1, 1, -1)
        case _:
            raise NotImplementedError(op.name)
