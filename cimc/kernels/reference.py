"""The numpy kernel: exact sums of signed table products.

Three ways give the same bits; the cheapest for the shape is taken.

- gather: for each reduction index k, expand the weights to E[code, n] = signed product with every
  activation code, and add the rows that the activations select. Also with the sides exchanged.
- look-up: one table access a product, for matrices of few rows.
- exact: where the table is plain multiplication, float32 BLAS over slices of k so short that
  every partial sum is an integer of at most 2^24, hence exact in any order of summation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Magnitudes = NDArray[np.uint8]
Signs = NDArray[np.bool_]
Sums = NDArray[np.int32]

_FLOAT32_EXACT = 1 << 24
_EXPANSION_BYTES = 1 << 19
_BLOCK_ELEMENTS = 1 << 15
_LOOKUP_ELEMENTS = 1 << 20
# Measured costs in units of one gathered product.
_COST_EXPAND = 4
_COST_LOOKUP = 12
_COST_CALLS = 10_000


@dataclass(frozen=True)
class _Side:
    """One operand as codes [rows, K]: magnitude, plus `half` where negative."""

    magnitudes: Magnitudes
    negative: Signs | None
    largest: int

    @property
    def codes(self) -> int:
        """How many codes there are."""
        return (self.largest + 1) * (1 if self.negative is None else 2)

    def coded(self) -> NDArray[np.uint16]:
        """Codes, reduction index first: [K, rows]."""
        codes = self.magnitudes.T.astype(np.uint16)
        if self.negative is not None:
            codes += self.negative.T * np.uint16(self.largest + 1)
        return codes

    def signed(self) -> NDArray[np.float32]:
        """Signed values [rows, K]."""
        values = self.magnitudes.astype(np.float32)
        if self.negative is not None:
            np.negative(values, out=values, where=self.negative)
        return values


def approx_matmul(
    a: Magnitudes,
    a_neg: Signs | None,
    w: Magnitudes,
    w_neg: Signs | None,
    table: NDArray[np.uint32],
) -> Sums:
    """y[m, n] = sum over k of +-table[w[k, n], a[m, k]], negative where the two signs differ.

    `a`, `a_neg` [M, K]; `w`, `w_neg` [K, N]; no signs means none negative. Sums are modulo 2^32,
    as in the array's accumulators.

    Raises:
        ValueError: the shapes do not match, or a magnitude is outside the table.
    """
    if a.ndim != 2 or w.ndim != 2 or a.shape[1] != w.shape[0]:
        raise ValueError(f"shapes {a.shape} and {w.shape} do not multiply")
    if 0 in a.shape or 0 in w.shape:
        return np.zeros((a.shape[0], w.shape[1]), np.int32)
    rows = _side(a, a_neg)
    columns = _side(w.T, None if w_neg is None else w_neg.T)
    if columns.largest >= table.shape[0] or rows.largest >= table.shape[1]:
        raise ValueError(
            f"magnitudes up to {columns.largest} and {rows.largest} exceed table {table.shape}"
        )
    used = table[: columns.largest + 1, : rows.largest + 1]
    if exact_rows(used) == len(used):
        return exact_matmul(rows.signed(), columns.signed().T, rows.largest * columns.largest)
    return _cheapest(rows, columns, used.T.astype(np.int32))


def _side(magnitudes: Magnitudes, negative: Signs | None) -> _Side:
    signs = negative if negative is not None and negative.any() else None
    return _Side(magnitudes, signs, int(magnitudes.max()))


def _cheapest(rows: _Side, columns: _Side, table: Sums) -> Sums:
    """Sums [rows, columns] with `table` indexed [row magnitude, column magnitude]."""
    m, n = rows.magnitudes.shape[0], columns.magnitudes.shape[0]
    by_rows = m * n + _COST_EXPAND * rows.codes * n + _COST_CALLS
    by_columns = m * n + _COST_EXPAND * columns.codes * m + _COST_CALLS
    if _COST_LOOKUP * m * n <= min(by_rows, by_columns):
        return _look_up(rows, columns, table)
    if by_rows <= by_columns:
        return _gather(rows, columns, table)
    return np.ascontiguousarray(_gather(columns, rows, table.T).T)


def exact_rows(table: NDArray[np.uint32]) -> int:
    """How many of the first rows of `table` are plain multiplication."""
    factors = [np.arange(n, dtype=np.uint32) for n in table.shape]
    wrong = np.flatnonzero((table != np.multiply.outer(*factors)).any(axis=1))
    return int(wrong[0]) if len(wrong) else len(table)


def exact_matmul(left: NDArray[np.float32], right: NDArray[np.float32], largest: int) -> Sums:
    """`left` [M, K] @ `right` [K, N] of integers whose products are at most `largest` in size."""
    k = left.shape[1]
    step = max(1, _FLOAT32_EXACT // max(1, largest))
    sums = (left[:, :step] @ right[:step]).astype(np.int32)
    for at in range(step, k, step):
        sums += (left[:, at : at + step] @ right[at : at + step]).astype(np.int32)
    return sums


def _signed(rows: _Side, columns: _Side, table: Sums) -> Sums:
    """Signed products [row code, column code] of `table` [row magnitude, column magnitude]."""
    signed = table if columns.negative is None else np.concatenate([table, -table], axis=1)
    return signed if rows.negative is None else np.concatenate([signed, -signed])


def _look_up(rows: _Side, columns: _Side, table: Sums) -> Sums:
    """Sums [rows, columns] with `table` indexed [row magnitude, column magnitude]."""
    signed = _signed(rows, columns, table)
    flat = np.ascontiguousarray(signed.T).ravel()
    base = columns.coded().astype(np.int64) * len(signed)  # [K, N]
    codes = rows.coded().T  # [M, K]
    sums = np.empty((codes.shape[0], base.shape[1]), np.int32)
    step = max(1, _LOOKUP_ELEMENTS // base.size)
    for at in range(0, codes.shape[0], step):
        index = base + codes[at : at + step, :, None]
        sums[at : at + step] = flat[index].sum(axis=1, dtype=np.int32)
    return sums


def _gather(rows: _Side, columns: _Side, table: Sums) -> Sums:
    """Sums [rows, columns] with `table` indexed [row magnitude, column magnitude]."""
    signed = np.ascontiguousarray(_signed(rows, columns, table))
    row_codes, column_codes = rows.coded(), columns.coded()
    k, m = row_codes.shape
    n = column_codes.shape[1]
    sums = np.zeros((m, n), np.int32)
    block = max(64, _BLOCK_ELEMENTS // n)
    picked = np.empty((min(block, m), n), np.int32)
    step = min(k, max(1, _EXPANSION_BYTES // (4 * rows.codes * n)))
    expansion = np.empty((step, rows.codes, n), np.int32)
    for at in range(0, k, step):
        group = range(at, min(at + step, k))
        for j in group:
            np.take(signed, column_codes[j], axis=1, out=expansion[j - at], mode="clip")
        for first in range(0, m, block):
            part = sums[first : first + block]
            scratch = picked[: len(part)]
            for j in group:
                index = row_codes[j, first : first + block]
                np.take(expansion[j - at], index, axis=0, out=scratch, mode="clip")
                part += scratch
    return sums
