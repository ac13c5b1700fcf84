"""The one function that callers use: matrix products over a product table, by the fastest way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.kernels import native
from cimc.kernels.exact import exact_product
from cimc.kernels.factors import Term, find_factors
from cimc.kernels.layer import Finish, Windows, in_parts
from cimc.kernels.operand import Alphabet, Operand
from cimc.kernels.reference import Sums, approx_matmul
from cimc.kernels.rows import row_plan

Table = NDArray[np.uint32]

MANY_LOOK_UPS = 64
"""Rows looked up for each reduction index that only pay where many rows of x share them."""


FEW_ROWS = 64
"""Rows of x that leave most of the registers of a kernel that works by permutation empty."""


@dataclass(frozen=True)
class _Compiled:
    plan: Any
    look_ups: int


class TableProduct:
    """Products of magnitudes through one table [w, x]; plans are made once for each alphabet."""

    def __init__(self, table: Table):
        """Keep `table`; it must not change."""
        self.table = table
        self._terms: dict[int, tuple[Term, ...] | None] = {}
        self._plans: dict[tuple[bytes, int, bool], _Compiled | None] = {}

    def __call__(self, x: Operand, w: Operand, out: Sums | None = None) -> Sums:
        """y[m, n] = sum over k of +-table[|w[k, n]|, |x[m, k]|], negative where signs differ.

        `x` [M, K], `w` [K, N]. Sums are modulo 2^32, as in the array's accumulators. They are put
        into `out`, if given: int32 [M, N], rows contiguous.

        Raises:
            ValueError: the shapes do not match, or a magnitude is outside the table.
        """
        if x.codes.ndim != 2 or w.codes.ndim != 2 or x.codes.shape[1] != w.codes.shape[0]:
            raise ValueError(f"shapes {x.codes.shape} and {w.codes.shape} do not multiply")
        if 0 in x.codes.shape or 0 in w.codes.shape:
            return _put(np.zeros((x.codes.shape[0], w.codes.shape[1]), np.int32), out)
        if w.largest >= self.table.shape[0] or not x.fits(self.table.shape[1]):
            raise ValueError(f"magnitudes exceed table {self.table.shape}")
        choice = native.chosen()
        if choice == native.NUMPY:
            return _put(approx_matmul(*_numbers(x), *_numbers(w), self.table), out)
        rows = self._rows_of(w)
        if (terms := self._factors(rows)) is not None:
            return _put(_sum_of_terms(terms, x, w), out)
        return self._by_rows(x, w, rows, out)

    def layer(self, windows: Windows, x: Alphabet, w: Operand, finish: Finish) -> None:
        """The product of `windows`, bytes as `x` says, and `w`, finished as `finish` says.

        Raises:
            ValueError: a magnitude is outside the table.
        """
        plan = self.fused_plan(x, w) if len(windows.memory) and len(windows.pixels) else None
        if plan is not None:
            fused = windows.compiled(), w.codes, finish.compiled()
            native.native.layer(native.chosen(), plan, *fused, native.threads())
            return
        for some, end in in_parts(windows, finish):
            end.apply(self(Operand(some.gather(), x), w))

    def fused_plan(self, x: Alphabet, w: Operand) -> Any | None:
        """The plan where gather, product and finish are one; None where they are not."""
        inside = int(x.magnitude.max()) < self.table.shape[1]
        if native.chosen() == native.NUMPY or not w.codes.size or not inside:
            return None
        if w.codes.strides[1] != 1 or w.largest >= self.table.shape[0]:
            return None
        rows = self._rows_of(w)
        if self._factors(rows) is not None:
            return None
        found = self._plan(x, w.alphabet, rows, exchanged=False)
        return None if found is None else found.plan

    def _rows_of(self, w: Operand) -> int:
        """Rows of the table that `w` needs: smaller products leave room to add more of them up."""
        return min(self.table.shape[0], 1 << w.largest.bit_length())

    def _by_rows(self, x: Operand, w: Operand, rows: int, out: Sums | None) -> Sums:
        found = self._plan(x.alphabet, w.alphabet, rows, exchanged=False)
        few = x.codes.shape[0] < w.codes.shape[1]
        if native.chosen() == native.BY_PERMUTATION:
            few = few and x.codes.shape[0] <= FEW_ROWS
        if found is not None and found.look_ups > MANY_LOOK_UPS and few:
            other = self._plan(x.alphabet, w.alphabet, rows, exchanged=True)
            if other is not None:
                sums = native.multiply(other.plan, w.codes.T, x.codes.T).T
                return _put(np.ascontiguousarray(sums), out)
        if found is not None:
            return native.multiply(found.plan, x.codes, w.codes, out)
        return _put(approx_matmul(*_numbers(x), *_numbers(w), self.table), out)

    def _factors(self, rows: int) -> tuple[Term, ...] | None:
        if rows not in self._terms:
            self._terms[rows] = find_factors(self.table[:rows])
        return self._terms[rows]

    def _plan(self, x: Alphabet, w: Alphabet, rows: int, *, exchanged: bool) -> _Compiled | None:
        """The plan for the first `rows` of the table; `exchanged` builds rows of products of x."""
        key = x.key + w.key, rows, exchanged
        if key not in self._plans:
            table = self.table[:rows]
            plan = row_plan(w, x, table.T) if exchanged else row_plan(x, w, table)
            self._plans[key] = (
                None if plan is None else _Compiled(native.compiled_plan(plan), plan.chain.look_ups)
            )
        return self._plans[key]


def _put(sums: Sums, out: Sums | None) -> Sums:
    """`sums`, in `out` if there is one."""
    if out is None:
        return sums
    out[...] = sums
    return out


def _numbers(x: Operand) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    return x.magnitudes, x.signs


def _sum_of_terms(terms: tuple[Term, ...], x: Operand, w: Operand) -> Sums:
    sums = np.zeros((x.codes.shape[0], w.codes.shape[1]), np.int32)
    for i, term in enumerate(terms):
        by_x, by_w = _mapped(x.alphabet, term.by_x), _mapped(w.alphabet, term.by_w)
        found = exact_product(x.codes, by_x, w, by_w)
        if term.scale != 1:
            found = (found.view(np.uint32) * np.uint32(term.scale)).view(np.int32)
        sums = found if i == 0 else (sums.view(np.uint32) + found.view(np.uint32)).view(np.int32)
    return sums


def _mapped(letters: Alphabet, factor: NDArray[np.int64]) -> NDArray[np.int64]:
    """Signed factor of every byte [256]; 0 for bytes outside the table."""
    inside = letters.magnitude < len(factor)
    value = np.where(inside, factor[np.where(inside, letters.magnitude, 0)], 0)
    return np.where(letters.negative, -value, value)


def table_product(table: Table) -> TableProduct:
    """The product through `table` [w, x]; the same object for equal tables."""
    return _product(table.shape, np.ascontiguousarray(table).tobytes())


@lru_cache(maxsize=256)
def _product(shape: tuple[int, int], data: bytes) -> TableProduct:
    return TableProduct(np.frombuffer(data, np.uint32).reshape(shape))
