"""Product tables that are a few exact products of mapped operands, proved on the whole table.

T[w, x] = f(w) g(x), or w x + c f(w) g(x): such tables need no row of products, because the sums
are those of one or two integer matrix products, which libraries are good at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.int64]

_LARGEST = 255


@dataclass(frozen=True)
class Term:
    """scale * by_w[|w|] * by_x[|x|], and the signs of w and x."""

    scale: int
    by_w: Vector
    by_x: Vector


def find_factors(table: NDArray[np.uint32]) -> tuple[Term, ...] | None:
    """Terms whose sum is `table` [w, x], at most two; None where there are no such."""
    products = table.astype(np.int64)
    w, x = (np.arange(size, dtype=np.int64) for size in table.shape)
    if not products.any():
        return ()
    if (term := _rank_one(products)) is not None:
        return (term,)
    rest = _rank_one(products - np.multiply.outer(w, x))
    return None if rest is None else (Term(1, w, x), rest)


def _rank_one(products: NDArray[np.int64]) -> Term | None:
    """The term that equals `products`; its factors are integers of at most 255."""
    row = products[int(np.abs(products).max(axis=1).argmax())]
    by_x = row // np.gcd.reduce(row)
    at = int(np.abs(by_x).argmax())
    if by_x[at] < 0:
        by_x = -by_x
    column = products[:, at] // by_x[at]
    scale = int(np.gcd.reduce(column))
    by_w = column // scale
    if max(int(np.abs(by_w).max()), int(np.abs(by_x).max())) > _LARGEST:
        return None
    if not np.array_equal(scale * np.multiply.outer(by_w, by_x), products):
        return None
    return Term(scale, by_w, by_x)
