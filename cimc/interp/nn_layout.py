"""Operations of `nn` that move elements, on batches [N, ...] of any element type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.nn import FlattenOp, MoveOp, ResizeOp, ShuffleOp, SliceOp, UnflattenOp

Array = NDArray[Any]


def move(op: MoveOp, x: Array) -> Array:
    """The elements of `x` where `op` puts them."""
    match op:
        case FlattenOp():
            return x.reshape(len(x), -1)
        case UnflattenOp():
            return x.reshape(*x.shape, 1, 1)
        case SliceOp():
            return cut(op, x)
        case ResizeOp():
            down, across = op.scale.get_values()
            return np.repeat(np.repeat(x, down, axis=2), across, axis=3)
        case ShuffleOp():
            count, channels, *size = x.shape
            groups = op.groups.value.data
            parts = x.reshape(count, groups, channels // groups, *size)
            return parts.swapaxes(1, 2).reshape(x.shape)
        case _:
            raise NotImplementedError(op.name)


def cut(op: SliceOp, x: Array) -> Array:
    """The positions that a slice takes."""
    fields = (op.starts.get_values(), op.sizes.get_values(), op.steps.get_values())
    where = [slice(at, at + (n - 1) * step + 1, step) for at, n, step in zip(*fields, strict=True)]
    return x[:, *where]
