"""Splits of a product table: T[a] = low[i(a)] op high[j(a)] for all rows a, op one of OR and +.

A kernel that has a row of products for every i and every j, instead of one for every a, builds
some thirty rows instead of 256. Nothing here knows a multiplier by name: candidates are ways to
divide the bits of a between i and j, and every one is checked on the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Operator = Literal["|", "+"]
Table = NDArray[np.int64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """T[a, w] = low[i[a], w] op high[j[a], w] for every row a and column w of the table."""

    operator: Operator
    i: Index
    """[rows of T], into `low`."""
    j: Index
    """[rows of T], into `high`."""
    low: Table
    high: Table

    @property
    def rows(self) -> int:
        """Rows of products that a kernel builds."""
        return len(self.low) + len(self.high)

    def table(self) -> Table:
        """What the parts stand for: [rows of T, columns]."""
        low, high = self.low[self.i], self.high[self.j]
        return low | high if self.operator == "|" else low + high


def find_split(table: Table) -> Split | None:
    """The split of `table` [2^n or fewer, columns] with the fewest rows, if it halves them."""
    probe = table[:, :: max(1, table.shape[1] // 6)]
    for i, j in sorted(_divisions(len(table)), key=lambda found: _count(*found)):
        if 2 * _count(i, j) > len(table):
            return None
        for operator in ("|", "+"):
            if _parts(operator, probe, i, j) is None:
                continue
            if (found := _parts(operator, table, i, j)) is not None:
                return _shared(found)
    return None


def _count(i: Index, j: Index) -> int:
    return int(i.max() + j.max()) + 2


def _divisions(rows: int) -> Iterator[tuple[Index, Index]]:
    """Indices i, j of every row: bits under a mask and the others, counted from bit 0 or from
    the leading one; there with or without the position of the leading one."""
    bits = max(1, (rows - 1).bit_length())
    a = np.arange(rows)
    length = np.array([int(value).bit_length() for value in a])
    shift = np.where(a > 0, bits - length, 0)
    for mask in range(1, 1 << bits):
        yield _dense(a & mask), _dense(a & ~mask)
        if not mask >> (bits - 1):
            continue
        high, low = (a << shift & mask) >> shift, (a << shift & ~mask) >> shift
        yield _dense(low), _dense(high)
        yield _dense(low + (length << bits)), _dense(high)


def _dense(keys: Index) -> Index:
    """Numbers 0, 1, ... for the distinct `keys`."""
    return np.unique(keys, return_inverse=True)[1].reshape(-1)


def _parts(operator: Operator, table: Table, i: Index, j: Index) -> Split | None:
    low, high = _or_parts(table, i, j) if operator == "|" else _sum_parts(table, i, j)
    found = Split(operator, i, j, low, high)
    return found if np.array_equal(found.table(), table) else None


def _or_parts(table: Table, i: Index, j: Index) -> tuple[Table, Table]:
    """The largest parts that no entry contradicts: if any parts do, these do."""
    return _common(table, i), _common(table, j)


def _common(table: Table, index: Index) -> Table:
    """Bits common to all rows of `table` with the same `index`."""
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(index.max() + 1))
    return np.bitwise_and.reduceat(table[order], starts, axis=0)


def _sum_parts(table: Table, i: Index, j: Index) -> tuple[Table, Table]:
    """Parts that agree with a spanning forest of the graph whose edges are the rows."""
    low: dict[int, Table] = {}
    high: dict[int, Table] = {}
    nothing = np.zeros(table.shape[1], np.int64)
    waiting = list(range(len(table)))
    while waiting:
        rest: list[int] = []
        for a in waiting:
            left, right = int(i[a]), int(j[a])
            if left in low:
                high.setdefault(right, table[a] - low[left])
            elif right in high:
                low[left] = table[a] - high[right]
            else:
                rest.append(a)
        if len(rest) == len(waiting):
            low[int(i[rest[0]])] = nothing
        waiting = rest
    return (
        np.stack([low[n] for n in range(len(low))]),
        np.stack([high[n] for n in range(len(high))]),
    )


def _shared(split: Split) -> Split:
    """The same with equal rows of a part stored once."""
    low, i = np.unique(split.low, axis=0, return_inverse=True)
    high, j = np.unique(split.high, axis=0, return_inverse=True)
    return Split(split.operator, i.reshape(-1)[split.i], j.reshape(-1)[split.j], low, high)
