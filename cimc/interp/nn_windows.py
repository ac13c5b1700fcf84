"""Sliding windows on maps [N, C, H, W]."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.nn import AveragePoolOp, ConvOp, GlobalAveragePoolOp, MaxPoolOp, PoolOp

Array = NDArray[Any]
Pair = tuple[int, int]
Margins = tuple[int, int, int, int]

NO_MARGINS: Margins = (0, 0, 0, 0)


def pair(values: tuple[int, ...]) -> Pair:
    """Two values of an attribute."""
    first, second = values
    return first, second


def margins(values: tuple[int, ...]) -> Margins:
    """Top, left, bottom, right."""
    top, left, bottom, right = values
    return top, left, bottom, right


def conv_window(op: ConvOp) -> tuple[Pair, Pair, Margins, Pair]:
    """Kernel, strides, pads and dilations of a convolution."""
    return (
        pair(op.kernel.get_values()),
        pair(op.strides.get_values()),
        margins(op.pads.get_values()),
        pair(op.dilations.get_values()),
    )


def pool_window(op: PoolOp, x: Array) -> tuple[Pair, Pair, Margins]:
    """Kernel, strides and pads of a pool of `x`; a global one covers the whole map."""
    if isinstance(op, GlobalAveragePoolOp):
        return pair(x.shape[2:]), (1, 1), NO_MARGINS
    assert isinstance(op, MaxPoolOp | AveragePoolOp)
    return (
        pair(op.kernel.get_values()),
        pair(op.strides.get_values()),
        margins(op.pads.get_values()),
    )


def cells(x: Array, kernel: Pair, strides: Pair, pads: Margins, fill: float) -> Iterator[Array]:
    """For each kernel cell the map, padded with `fill`, sampled there: [N, C, OH, OW]."""
    top, left, bottom, right = pads
    if any(pads):
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    height, width = ((x.shape[2 + i] - kernel[i]) // strides[i] + 1 for i in (0, 1))
    for ky, kx in product(range(kernel[0]), range(kernel[1])):
        rows = slice(ky, ky + (height - 1) * strides[0] + 1, strides[0])
        columns = slice(kx, kx + (width - 1) * strides[1] + 1, strides[1])
        yield x[:, :, rows, columns]


def largest(x: Array, kernel: Pair, strides: Pair, pads: Margins, fill: float) -> Array:
    """Maximum of each window."""
    found = cells(x, kernel, strides, pads, fill)
    result = next(found).copy()
    for cell in found:
        np.maximum(result, cell, out=result)
    return result


def total(x: Array, kernel: Pair, strides: Pair, pads: Margins) -> Array:
    """Sum of each window, padding counted as 0."""
    found = cells(x, kernel, strides, pads, 0)
    result = next(found).copy()
    for cell in found:
        result += cell
    return result


def slices(count: int, each: int, budget: int) -> Iterator[slice]:
    """Runs of `count` items of `each` bytes within `budget` bytes, one item at least."""
    step = max(1, budget // max(1, each))
    for at in range(0, count, step):
        yield slice(at, min(at + step, count))
