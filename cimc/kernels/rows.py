"""Plans of the compiled row-gather product: which rows it builds and how they make a product.

A plan is data, made from a product table and the meaning of the operands' bytes, and checked on
all pairs of bytes before it is used; `native/plan.h` says what the compiled code does with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cimc.kernels.chain import Chain, build_chain
from cimc.kernels.operand import Alphabet
from cimc.kernels.split import Split, find_split

MAX_ROWS = 511
_CODES = 256
_INT16 = 1 << 15
_GROUPS = (4, 2, 1)
Table = NDArray[np.int64]


class Mode(IntEnum):
    """How the rows that an activation selects make a 16-bit value."""

    ONE = 0
    """first"""
    SUM = 1
    """first + second"""
    OR = 2
    """(first | second) ^ sign of the weight"""
    OR_SIGNED = 3
    """(first | second) ^ sign of the weight, inverted where the activation is negative"""


@dataclass(frozen=True)
class RowPlan:
    """The fields of `Plan` in native/plan.h."""

    mode: Mode
    group: int
    chain: Chain
    sign: NDArray[np.int16]
    first: NDArray[np.uint16]
    second: NDArray[np.uint16]
    negative: NDArray[np.uint8]
    base: int
    step: int
    flip: int
    products: NDArray[np.int16] | None = None
    """Signed product of every weight and activation byte [256, 256]; None where 16 bits are too
    few. A second way to the same sums."""
    halves: bool = False
    """No code of an activation is above 127: that way is then the faster one."""


def row_plan(x: Alphabet, w: Alphabet, table: NDArray[np.uint32]) -> RowPlan | None:
    """How to multiply bytes `x` and `w` through `table` [w, x]; None where 16 bits are too few.

    Bytes whose magnitude is outside the table must not occur in the operands.
    """
    products = table.T.astype(np.int64)
    top = int(products.max())
    if top >= 2 * _INT16:
        return None
    split = _split_of(products.shape, products.tobytes()) or _unsplit(products)
    signed = bool(x.negative[x.magnitude < len(products)].any())
    if split.operator == "|" and not _is_nothing(split.high):
        plan = _or_plan(x, w, split, top, signed)
    elif not signed and top < 2 * _INT16 - 1:
        plan = _sum_plan(x, w, split, top)
    elif signed and top < _INT16:
        plan = _signed_sum_plan(x, w, split, top)
    else:
        plan = _or_plan(x, w, _unsplit(products), top, signed)
    if plan is not None:
        _prove(plan, x, w, products)
        halves = len(products) <= _CODES // 2 and not signed
        plan = replace(plan, products=_signed_products(x, w, products), halves=halves)
    return plan


def _signed_products(x: Alphabet, w: Alphabet, products: Table) -> NDArray[np.int16] | None:
    if products.max() >= _INT16:
        return None
    by_weight = _by_weight(w, products)[_rows_of(x, np.arange(len(products)))].T
    opposite = np.not_equal.outer(w.negative, x.negative)
    return np.where(opposite, -by_weight, by_weight).astype(np.int16)


@lru_cache(maxsize=64)
def _split_of(shape: tuple[int, int], data: bytes) -> Split | None:
    """`find_split` of the products in `data`; the operands' alphabets do not matter to it."""
    return find_split(np.frombuffer(data, np.int64).reshape(shape))


def _unsplit(products: Table) -> Split:
    """The table itself, beside a part that is nothing."""
    rows = len(products)
    nothing = np.zeros((1, products.shape[1]), np.int64)
    return Split("|", np.arange(rows), np.zeros(rows, np.int64), products, nothing)


def _rows_of(x: Alphabet, index: NDArray[np.int64]) -> NDArray[np.int64]:
    """`index` of every byte's magnitude; 0 for bytes outside the table."""
    return index[np.where(x.magnitude < len(index), x.magnitude, 0)]


def _by_weight(w: Alphabet, part: Table) -> Table:
    """Rows of `part` by weight byte [rows, 256], without sign; 0 outside the table."""
    inside = w.magnitude < part.shape[1]
    return np.where(inside, part[:, np.where(inside, w.magnitude, 0)], 0)


@dataclass(frozen=True)
class _Part:
    """Rows by weight byte [n, 256], and which of them each activation byte selects [256]."""

    rows: Table
    chosen: NDArray[np.int64]


@dataclass(frozen=True)
class _Correction:
    """The fields of `Plan` that make up for what the 16-bit values are off by."""

    sign: NDArray[np.int64]
    negative: NDArray[np.bool_]
    base: int
    step: int
    flip: int


_NOTHING = np.zeros((0, _CODES), np.int64)


def _plan(
    mode: Mode,
    group: int,
    first: _Part,
    second: _Part | None,
    correction: _Correction,
    helpers: Table = _NOTHING,
) -> RowPlan | None:
    """The plan for these parts; None where it would need too many rows."""
    targets = first.rows if second is None else np.concatenate([first.rows, second.rows])
    chain = build_chain(targets.astype(np.int16), helpers.astype(np.int16), MAX_ROWS)
    if len(chain.steps) > MAX_ROWS:
        return None
    by_first = chain.place[first.chosen]
    by_second = by_first if second is None else chain.place[len(first.rows) + second.chosen]
    return RowPlan(
        mode,
        group,
        chain,
        correction.sign.astype(np.int16),
        by_first.astype(np.uint16),
        by_second.astype(np.uint16),
        correction.negative.astype(np.uint8),
        correction.base,
        correction.step,
        correction.flip,
    )


def _or_plan(x: Alphabet, w: Alphabet, split: Split, top: int, signed: bool) -> RowPlan | None:
    """Products less half their range, which an exclusive or with the sign row brings about."""
    bits = max(2, top.bit_length())
    half = 1 << (bits - 1)

    def extended(part: Table) -> Table:
        rows = _by_weight(w, part)
        return np.where(rows & half, rows | (-1 << bits), rows)

    sign = np.where(w.negative, half - 1, -half)
    step = 1 - 2 * half
    return _plan(
        Mode.OR_SIGNED if signed else Mode.OR,
        min(_GROUPS[0], 1 << (16 - bits)),
        _Part(extended(split.low), _rows_of(x, split.i)),
        _Part(extended(split.high), _rows_of(x, split.j)),
        _Correction(sign, x.negative & signed, half, step, step),
    )


def _group(largest: int) -> int:
    """How many values up to `largest` in size always add up in 16 bits."""
    return next(group for group in _GROUPS if group * largest < _INT16)


def _sum_plan(x: Alphabet, w: Alphabet, split: Split, top: int) -> RowPlan | None:
    """Products less half the largest, times the weight's sign; activations are not negative."""
    half = (top + 1) // 2
    sign = np.where(w.negative, -1, 1)
    low, high = (_by_weight(w, part) * sign for part in (split.low, split.high))
    first = _Part(low - half * sign, _rows_of(x, split.i))
    second = None if _is_nothing(split.high) else _Part(high, _rows_of(x, split.j))
    return _plan(
        Mode.ONE if second is None else Mode.SUM,
        _group(half),
        first,
        second,
        _Correction(w.negative.astype(np.int64), _NEVER, half, -2 * half, 0),
        np.concatenate([-half * sign[None], low]),
    )


def _signed_sum_plan(x: Alphabet, w: Alphabet, split: Split, top: int) -> RowPlan | None:
    """Signed products: a row for either sign of the activation, as far as it is used."""
    first = _signed_part(x, w, split.low, split.i)
    second = None if _is_nothing(split.high) else _signed_part(x, w, split.high, split.j)
    return _plan(
        Mode.ONE if second is None else Mode.SUM,
        _group(top),
        first,
        second,
        _Correction(np.zeros(_CODES, np.int64), _NEVER, 0, 0, 0),
    )


def _signed_part(x: Alphabet, w: Alphabet, part: Table, index: NDArray[np.int64]) -> _Part:
    rows = _by_weight(w, part) * np.where(w.negative, -1, 1)
    used, place = np.unique(_rows_of(x, index) + len(rows) * x.negative, return_inverse=True)
    return _Part(np.concatenate([rows, -rows])[used], place.reshape(-1))


_NEVER = np.zeros(_CODES, np.bool_)


def _is_nothing(part: Table) -> bool:
    return len(part) == 1 and not part.any()


def _prove(plan: RowPlan, x: Alphabet, w: Alphabet, products: Table) -> None:
    """Compare `plan` with the table on all pairs of bytes, and its range with 16 bits."""
    rows = plan.chain.rows().astype(np.int64)
    first, second = rows[plan.first], rows[plan.second]
    sign = plan.sign.astype(np.int64)
    negative = plan.negative.astype(np.int64)[:, None]
    if plan.mode is Mode.ONE:
        value = first
    elif plan.mode is Mode.SUM:
        value = (first + second).astype(np.int16).astype(np.int64)
    else:
        value = (first | second) ^ np.where(negative, ~sign, sign)
    odd = sign & 1
    found = value + plan.base + odd * plan.step + (negative - 2 * negative * odd) * plan.flip
    valid_x, valid_w = x.magnitude < len(products), w.magnitude < products.shape[1]
    wanted = products[np.ix_(x.magnitude[valid_x], w.magnitude[valid_w])]
    wanted = np.where(np.not_equal.outer(x.negative[valid_x], w.negative[valid_w]), -wanted, wanted)
    valid = np.ix_(valid_x, valid_w)
    assert np.array_equal(found[valid], wanted)
    sums = plan.group * value[valid]
    assert sums.size == 0 or (-_INT16 <= sums.min() and sums.max() < _INT16)
