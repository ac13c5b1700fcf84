"""Sliding windows on maps [N, C, H, W]."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.nn import ConvOp, GlobalAveragePoolOp, PoolOp, WindowPoolOp

Array = NDArray[Any]
Pair = tuple[int, int]
Margins = tuple[int, int, int, int]
Window = tuple[Pair, Pair, Margins, Pair]
"""Kernel, strides, pads and dilations."""

NO_MARGINS: Margins = (0, 0, 0, 0)


def pair(values: tuple[int, ...]) -> Pair:
    """Two values of an attribute."""
    first, second = values
    return first, second


def margins(values: tuple[int, ...]) -> Margins:
    """Top, left, bottom, right."""
    top, left, bottom, right = values
    return top, left, bottom, right


def conv_window(op: ConvOp) -> Window:
    """Kernel, strides, pads and dilations of a convolution."""
    return (
        pair(op.kernel.get_values()),
        pair(op.strides.get_values()),
        margins(op.pads.get_values()),
        pair(op.dilations.get_values()),
    )


def pool_window(op: PoolOp, x: Array) -> Window:
    """Window of a pool of `x`; a global one covers the whole map."""
    if isinstance(op, GlobalAveragePoolOp):
        return pair(x.shape[2:]), (1, 1), NO_MARGINS, (1, 1)
    assert isinstance(op, WindowPoolOp)
    return (
        pair(op.kernel.get_values()),
        pair(op.strides.get_values()),
        margins(op.pads.get_values()),
        op.steps,
    )


def cells(x: Array, window: Window, fill: float) -> Iterator[Array]:
    """For each kernel cell the map, padded with `fill`, sampled there: [N, C, OH, OW]."""
    kernel, strides, (top, left, bottom, right), dilations = window
    if any((top, left, bottom, right)):
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    spans = (dilations[i] * (kernel[i] - 1) + 1 for i in (0, 1))
    sizes = zip(x.shape[2:], spans, strides, strict=True)
    height, width = ((size - span) // stride + 1 for size, span, stride in sizes)
    for y, across in product(range(kernel[0]), range(kernel[1])):
        ky, kx = y * dilations[0], across * dilations[1]
        rows = slice(ky, ky + (height - 1) * strides[0] + 1, strides[0])
        columns = slice(kx, kx + (width - 1) * strides[1] + 1, strides[1])
        yield x[:, :, rows, columns]


def largest(x: Array, window: Window, fill: float) -> Array:
    """Maximum of each window."""
    found = cells(x, window, fill)
    result = next(found).copy()
    for cell in found:
        np.maximum(result, cell, out=result)
    return result


def total(x: Array, window: Window) -> Array:
    """Sum of each window, padding counted as 0."""
    found = cells(x, window, 0)
    result = next(found).copy()
    for cell in found:
        result += cell
    return result


def slices(count: int, each: int, budget: int) -> Iterator[slice]:
    """Runs of `count` items of `each` bytes within `budget` bytes, one item at least."""
    step = max(1, budget // max(1, each))
    for at in range(0, count, step):
        yield slice(at, min(at + step, count))
