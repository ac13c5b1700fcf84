"""Sampled windows of a layer, and their sums with any weights and multiplier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.nn import ConvOp, WeightedOp, quant_of, shape_of
from cimc.interp.nn_windows import conv_window
from cimc.kernels import Operand, table_product

Codes = NDArray[Any]
Ints = NDArray[np.int64]
Table = NDArray[np.uint32]


@dataclass(frozen=True)
class Places:
    """R places in the result of a layer: image, row and column of each."""

    image: Ints
    row: Ints
    column: Ints

    @staticmethod
    def sample(op: WeightedOp, images: Ints, most: int, rng: np.random.Generator) -> Places:
        """At most `most` places in the results of `images`, without repetition."""
        size = shape_of(op.y)[2:] or (1, 1)
        total = len(images) * size[0] * size[1]
        at = np.arange(total) if total <= most else np.sort(rng.choice(total, most, replace=False))
        each, pixel = np.divmod(at, size[0] * size[1])
        return Places(images[each], *np.divmod(pixel, size[1]))

    @staticmethod
    def all(op: WeightedOp, image: int) -> Places:
        """All places in the result of one image, row by row."""
        size = shape_of(op.y)[2:] or (1, 1)
        pixels = np.arange(size[0] * size[1])
        return Places(np.full(len(pixels), image), *np.divmod(pixels, size[1]))

    def windows(self, op: WeightedOp, x: Codes) -> Codes:
        """What `op` multiplies there: codes [R, groups, K] of its operand `x`."""
        if not isinstance(op, ConvOp):
            return x[self.image][:, None]
        kernel, strides, pads, dilations = conv_window(op)
        quant = quant_of(op.x)
        assert quant is not None
        top, left, bottom, right = pads
        around = ((0, 0), (0, 0), (top, bottom), (left, right))
        used, image = np.unique(self.image, return_inverse=True)
        padded = np.pad(x[used], around, constant_values=quant.zero)
        rows = self.row[:, None] * strides[0] + np.arange(kernel[0]) * dilations[0]
        columns = self.column[:, None] * strides[1] + np.arange(kernel[1]) * dilations[1]
        found = padded[image[:, None, None], :, rows[:, :, None], columns[:, None, :]]
        channels_first = found.transpose(0, 3, 1, 2)
        return channels_first.reshape(len(image), op.group.value.data, -1)


def sums_of(windows: Codes, w: Codes, zeros: tuple[int, int], table: Table) -> NDArray[np.int32]:
    """Sums [R, O] of `windows` [R, groups, K] with weights `w` [O, K]; `zeros` of both."""
    groups, product = windows.shape[1], table_product(table)
    parts: list[NDArray[np.int32]] = []
    for g, weights in enumerate(np.split(w, groups)):
        rows = np.ascontiguousarray(windows[:, g])
        x, right = Operand.of_codes(rows, zeros[0]), Operand.of_codes(weights.T, zeros[1])
        parts.append(product(x, right))
    return np.concatenate(parts, axis=1)
