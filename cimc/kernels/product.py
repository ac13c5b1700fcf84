"""The one function that callers use: matrix products over a product table, by the fastest way."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.kernels import native
from cimc.kernels.operand import Alphabet, Operand
from cimc.kernels.reference import Sums, approx_matmul, exact_matmul, exact_rows
from cimc.kernels.rows import row_plan

Table = NDArray[np.uint32]


class TableProduct:
    """Products of magnitudes through one table [w, x]; plans are made once for each alphabet."""

    def __init__(self, table: Table):
        """Keep `table`; it must not change."""
        self.table = table
        self._exact_rows = exact_rows(table)
        self._plans: dict[tuple[bytes, int], Any] = {}

    def __call__(self, x: Operand, w: Operand) -> Sums:
        """y[m, n] = sum over k of +-table[|w[k, n]|, |x[m, k]|], negative where signs differ.

        `x` [M, K], `w` [K, N]. Sums are modulo 2^32, as in the array's accumulators.

        Raises:
            ValueError: the shapes do not match, or a magnitude is outside the table.
        """
        if x.codes.ndim != 2 or w.codes.ndim != 2 or x.codes.shape[1] != w.codes.shape[0]:
            raise ValueError(f"shapes {x.codes.shape} and {w.codes.shape} do not multiply")
        if 0 in x.codes.shape or 0 in w.codes.shape:
            return np.zeros((x.codes.shape[0], w.codes.shape[1]), np.int32)
        if not w.fits(self.table.shape[0]) or not x.fits(self.table.shape[1]):
            raise ValueError(f"magnitudes exceed table {self.table.shape}")
        if w.largest < self._exact_rows:
            bound = w.largest * int(x.alphabet.magnitude.max())
            return exact_matmul(x.values, w.values, bound)
        if native.chosen() != native.NUMPY:
            plan = self._plan(x.alphabet, w)
            if plan is not None:
                return native.multiply(plan, x.codes, w.codes)
        return approx_matmul(x.magnitudes, x.signs, w.magnitudes, w.signs, self.table)

    def _plan(self, x: Alphabet, w: Operand) -> Any:
        # Smaller products leave room to add more of them up in 16 bits.
        rows = min(self.table.shape[0], 1 << w.largest.bit_length())
        key = x.key + w.alphabet.key, rows
        if key not in self._plans:
            plan = row_plan(x, w.alphabet, self.table[:rows])
            self._plans[key] = None if plan is None else native.compiled_plan(plan)
        return self._plans[key]


def table_product(table: Table) -> TableProduct:
    """The product through `table` [w, x]; the same object for equal tables."""
    return _product(table.shape, np.ascontiguousarray(table).tobytes())


@lru_cache(maxsize=256)
def _product(shape: tuple[int, int], data: bytes) -> TableProduct:
    return TableProduct(np.frombuffer(data, np.uint32).reshape(shape))
