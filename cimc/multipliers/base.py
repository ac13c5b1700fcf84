"""What is known about a multiplier once its definition has been built: plain data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ArrayConfig:
    """Run-time configuration of a wired-OR bank, as the row generator and the decoder take it.

    Rows of a row-group, in order: plain rows ``M << i`` for i = first_row .. n-k-1, then PC rows
    ``(T*M) << (n-k)`` for T = 1 .. 2^k - 1, with n = broadcast_bits and k = pc_bits; the low `cut`
    columns of each are cleared.
    """

    broadcast_bits: int
    """n: width of the magnitude that drives the wordlines."""
    pc_bits: int
    """k: top bits of it that select one pre-computed row."""
    first_row: int
    """1 when plain row 0 is not stored, because the cut would leave nothing of it."""
    cut: int
    """Low columns cleared in every stored row."""
    rows: int
    """Rows of one row-group (rho)."""
    reads: int
    """Accesses per product; their outputs are added."""
    masks: tuple[int, ...]
    """Bits of the broadcast magnitude that each read uses; they partition all n bits."""
    left_justify: bool
    """Shift the broadcast magnitude up to its top bit first, and the product down again."""


@dataclass(frozen=True)
class ErrorStats:
    """Error of a table over all operand pairs; err = approximate - exact, in product units."""

    nmed_percent: float
    """Mean |err| over the largest exact product."""
    mred_percent: float
    """Mean |err| / exact over the pairs with a non-zero exact product."""
    worst_case: int
    """Largest |err|."""
    worst_relative_percent: float
    """Largest |err| / exact over the pairs with a non-zero exact product."""
    error_rate_percent: float
    """Share of the pairs with err != 0."""
    bias: float
    """Mean err; negative when products come out too small."""
    alpha: float
    """Gain on the approximate product that minimises the squared error."""


def error_stats(table: NDArray[np.uint32]) -> ErrorStats:
    """Error statistics of the product table [M, N], every pair weighted alike."""
    factors = [np.arange(size, dtype=np.int64) for size in table.shape]
    exact = np.multiply.outer(*factors)
    return pair_error_stats(exact, table, int(exact.max()))


def pair_error_stats(
    exact: NDArray[np.int64], products: NDArray[np.uint32], largest: int
) -> ErrorStats:
    """Error statistics of `products` in place of `exact` ones.

    Both arrays have one shape; `largest` bounds any exact product of the operand widths.
    """
    approximate = products.astype(np.int64)
    error = approximate - exact
    distance = np.abs(error)
    relative = distance[exact > 0] / exact[exact > 0]
    # In floating point: 10^6 squares of 32-bit products do not fit 64 bits.
    energy = float((approximate.astype(np.float64) ** 2).sum())
    return ErrorStats(
        nmed_percent=100 * float(distance.mean()) / largest,
        mred_percent=100 * float(relative.mean()),
        worst_case=int(distance.max()),
        worst_relative_percent=100 * float(relative.max()),
        error_rate_percent=100 * float(np.count_nonzero(error)) / error.size,
        bias=float(error.mean()),
        alpha=float((exact.astype(np.float64) * approximate).sum()) / energy if energy else 1.0,
    )
