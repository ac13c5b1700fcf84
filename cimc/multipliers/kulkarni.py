"""Kulkarni's underdesigned multiplier (VLSI Design 2011): 2x2 blocks that make 3 x 3 = 7.

kulkarni        the product of each pair of two-bit digits by such a block, added exactly: what
                the recursive construction gives, at any width
"""

from __future__ import annotations

from itertools import product

from xdsl.ir import SSAValue

from cimc.dialects.bit import width
from cimc.multipliers.columns import Columns, add_columns
from cimc.multipliers.logic import Circuit, Logic
from cimc.multipliers.multiplier import Multiplier


def _block(logic: Logic, left: list[SSAValue], right: list[SSAValue]) -> list[list[SSAValue]]:
    """Columns of the product of two digits of one or two bits."""
    partial = [[logic.and_(a, b, name="partial") for b in right] for a in left]
    if len(left) == len(right) == 2:
        middle = logic.or_(partial[0][1], partial[1][0], name="middle")
        return [[partial[0][0]], [middle], [partial[1][1]]]
    return [[bit] for row in partial for bit in row]


def _product(logic: Logic, stored: SSAValue, broadcast: SSAValue) -> SSAValue:
    columns: Columns = [[] for _ in range(width(stored) + width(broadcast))]
    m, n = logic.bits(stored, "m"), logic.bits(broadcast, "n")
    for i, j in product(range(0, len(m), 2), range(0, len(n), 2)):
        for c, bits in enumerate(_block(logic, m[i : i + 2], n[j : j + 2])):
            columns[i + j + c] += bits
    return add_columns(logic, columns)


MULTIPLIERS = (Multiplier("kulkarni", "2x2 blocks with 3 x 3 = 7", Circuit("kulkarni", _product)),)
