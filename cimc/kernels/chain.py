"""Rows of products out of rows before them: cheaper than looking every product up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int16]

_OR_SEARCH = 128
"""Rows up to which pairs are tried for OR."""


class Step(IntEnum):
    """How a row is made."""

    LOOK_UP = 0
    OR = 1
    ADD = 2
    NEGATE = 3


@dataclass(frozen=True)
class Chain:
    """Rows to build, in order."""

    table: Rows
    """[rows, 256]: every row by weight byte."""
    steps: NDArray[np.uint8]
    """[rows, 3]: `Step` and the rows it takes, which come before."""
    place: NDArray[np.int64]
    """[targets]: which row each target is."""

    @property
    def look_ups(self) -> int:
        """Rows that are looked up."""
        return int(np.count_nonzero(self.steps[:, 0] == Step.LOOK_UP))

    def rows(self) -> Rows:
        """All rows, made as the steps say: [rows, 256]."""
        made = np.zeros_like(self.table)
        for row, (step, i, j) in enumerate(self.steps):
            match Step(int(step)):
                case Step.LOOK_UP:
                    made[row] = self.table[row]
                case Step.OR:
                    made[row] = made[i] | made[j]
                case Step.ADD:
                    made[row] = made[i] + made[j]
                case Step.NEGATE:
                    made[row] = -made[i]
        return made


def build_chain(targets: Rows, helpers: Rows, most: int) -> Chain:
    """An order of `targets` [n, 256] in which few have to be looked up.

    `helpers` are built too if that spares look-ups and makes no more than `most` rows: rows that
    targets are sums of.
    """
    plain = _ordered(targets, 0)
    if not len(helpers):
        return plain
    helped = _ordered(np.concatenate([helpers, targets]), len(helpers))
    if helped.look_ups >= plain.look_ups or len(helped.steps) > most:
        return plain
    return Chain(helped.table, helped.steps, helped.place[len(helpers) :])


def _ordered(rows: Rows, helpers: int) -> Chain:
    """The first `helpers` of `rows`, then the others, each by size: sums come after their parts."""
    unique, first, place = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    size = np.abs(unique.astype(np.int64)).sum(axis=1)
    order = np.lexsort((size, first >= helpers))
    table = np.ascontiguousarray(unique[order])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    numbers: dict[bytes, int] = {}
    steps = np.zeros((len(table), 3), np.uint8)
    for row, values in enumerate(table):
        steps[row] = _step(table[:row], numbers, values)
        numbers[values.tobytes()] = row
    return Chain(table, steps, rank[place.reshape(-1)])


def _step(known: Rows, numbers: dict[bytes, int], values: Rows) -> tuple[int, int, int]:
    """How `values` follow from `known` rows, whose `numbers` are by content."""
    negated = numbers.get((-values).tobytes())
    if negated is not None and negated < _BYTE:
        return Step.NEGATE, negated, 0
    rests = values - known[:_BYTE]
    for i, rest in enumerate(rests):
        j = numbers.get(rest.tobytes())
        if j is not None and j < _BYTE:
            return Step.ADD, i, j
    parts = np.flatnonzero(((known[:_OR_SEARCH] | values) == values).all(axis=1))
    for at, i in enumerate(parts):
        either = known[i] | known[parts[:at]]
        found = np.flatnonzero((either == values).all(axis=1))
        if len(found):
            return Step.OR, int(i), int(parts[found[0]])
    return Step.LOOK_UP, 0, 0


_BYTE = 256
"""Steps name rows in a byte."""
