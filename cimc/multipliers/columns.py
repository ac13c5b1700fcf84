"""Columns of equally weighted bits, and a Dadda tree of 4-2 compressors that adds them up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from xdsl.ir import SSAValue

from cimc.multipliers.logic import Logic
from cimc.multipliers.parts import full_adder, half_adder

Columns = list[list[SSAValue]]
"""One-bit values by weight: those in columns[c] count 2^c each."""

Compressor = Callable[[Logic, SSAValue, SSAValue, SSAValue, SSAValue], tuple[SSAValue, SSAValue]]
"""Sum and carry that stand for the number of ones among four bits."""

Choose = Callable[[int], Compressor | None]
"""The approximate compressor that the next 4-2 position takes, by column; None: an exact one."""


def partial_products(
    logic: Logic, stored: SSAValue, broadcast: SSAValue, keep: Callable[[int, int], bool]
) -> Columns:
    """Bit i of M and bit j of N for which `keep(i, j)`, in column i+j, with i ascending."""
    m, n = logic.bits(stored, "m"), logic.bits(broadcast, "n")
    columns: Columns = [[] for _ in range(len(m) + len(n))]
    for i, left in enumerate(m):
        for j, right in enumerate(n):
            if keep(i, j):
                columns[i + j].append(logic.and_(left, right, name="partial"))
    return columns


def exact_everywhere(column: int) -> None:
    """No approximate compressor anywhere."""


def add_columns(logic: Logic, columns: Columns, choose: Choose = exact_everywhere) -> SSAValue:
    """Sum of all bits, modulo 2^(number of columns).

    Stages bring the columns down to .. 8, 4 and 2 bits, the first to the largest power of two
    below their height; an adder takes the two rows that are left. (Fast carries may leave an exact
    column one bit too high; a further stage then ends it.) Stages, and columns in a stage, are
    visited upwards: `choose` is asked in that order.
    """
    target = 1 << (max(len(column) for column in columns) - 1).bit_length()
    while max(len(column) for column in columns) > 2:
        target = max(2, target // 2)
        columns = _stage(logic, columns, target, choose)
    rows = [_row(logic, columns, r) for r in range(2) if any(len(c) > r for c in columns)]
    return logic.add(*rows, name="product") if rows else logic.zero(len(columns))


def _row(logic: Logic, columns: Columns, index: int) -> SSAValue:
    bits = [column[index] if len(column) > index else logic.zero(1) for column in columns]
    return logic.concat(bits[::-1], "row")


@dataclass
class _Column:
    """One column in the middle of a stage."""

    terms: list[SSAValue]
    carries: list[SSAValue]
    """Of compressors and adders of the column below; not touched in this stage."""
    fast: list[SSAValue]
    """Fast carries of exact compressors of the column below; adders of this one take them."""
    sums: list[SSAValue] = field(default_factory=lambda: list[SSAValue]())

    @property
    def height(self) -> int:
        """Bits that the next stage gets."""
        return len(self.terms) + len(self.carries) + len(self.fast) + len(self.sums)

    def take(self, count: int) -> list[SSAValue]:
        """Remove the first `count` terms."""
        taken, self.terms = self.terms[:count], self.terms[count:]
        return taken


def _stage(logic: Logic, columns: Columns, target: int, choose: Choose) -> Columns:
    """Columns of `target` bits where that can be reached; with exact compressors the sum stays."""
    result: Columns = []
    carries: list[SSAValue] = []
    fast: list[SSAValue] = []
    for c, terms in enumerate(columns):
        column = _Column(list(terms), carries, fast)
        carries, fast = _compress(logic, column, target, lambda c=c: choose(c))
        # Carries last, then turned round: the next stage takes the oldest bits last.
        result.append([*column.fast, *column.terms, *column.sums, *column.carries][::-1])
    return result


def _compress(
    logic: Logic, column: _Column, target: int, choose: Callable[[], Compressor | None]
) -> tuple[list[SSAValue], list[SSAValue]]:
    """Bring `column` down to `target` bits; its carries and fast carries into the next one."""
    carries: list[SSAValue] = []
    fast: list[SSAValue] = []
    while (excess := column.height - target) > 0:
        if excess >= 3 and len(column.terms) >= 4:
            compressor = choose()
            if compressor is not None:
                total, carry = compressor(logic, *column.take(4))
            else:
                total, carry, more = _exact_42(logic, column, use_fast=excess >= 4)
                fast.append(more)
        elif excess >= 2 and len(column.terms) + len(column.fast) >= 3:
            spare, column.fast = column.fast[:1], column.fast[1:]
            total, carry = full_adder(logic, *column.take(3 - len(spare)), *spare)
        elif len(column.terms) + len(column.fast) >= 2:
            spare, column.fast = column.fast[:1], column.fast[1:]
            total, carry = half_adder(logic, *column.take(2 - len(spare)), *spare)
        else:
            break
        column.sums.append(total)
        carries.append(carry)
    return carries, fast


def _exact_42(
    logic: Logic, column: _Column, *, use_fast: bool
) -> tuple[SSAValue, SSAValue, SSAValue]:
    """Sum, carry and fast carry of four terms, and of a fast carry from below if there is one."""
    a, b, c, d = column.take(4)
    half, more = full_adder(logic, a, b, c)
    if use_fast and column.fast:
        return *full_adder(logic, half, d, column.fast.pop(0)), more
    return *half_adder(logic, half, d), more
