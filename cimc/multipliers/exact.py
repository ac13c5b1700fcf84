"""The exact product: as a wired-OR array computes it, and in two forms of digital logic.

exact           one row a read, as many reads as bits
exact-array     rows of partial products, added one after the other
exact-dadda     the same in a Dadda tree of 4-2 compressors
"""

from __future__ import annotations

from xdsl.ir import SSAValue

from cimc.dialects.bit import width
from cimc.multipliers.columns import add_columns, partial_products
from cimc.multipliers.logic import Circuit, Logic
from cimc.multipliers.multiplier import DIGITAL, WIRED_OR, WIRED_OR_BITS, Multiplier
from cimc.multipliers.wired_or import WiredOr


def _array(logic: Logic, stored: SSAValue, broadcast: SSAValue) -> SSAValue:
    total = width(stored) + width(broadcast)
    rows: list[SSAValue] = []
    for j, bit in enumerate(logic.bits(broadcast, "n")):
        row = logic.where(bit, stored, "row")
        shifted = logic.concat([row, logic.zero(j)], "row") if j else row
        rows.append(logic.resize(shifted, total, "row"))
    return logic.add(*rows, name="product")


def _dadda(logic: Logic, stored: SSAValue, broadcast: SSAValue) -> SSAValue:
    return add_columns(logic, partial_products(logic, stored, broadcast, lambda i, j: True))


MULTIPLIERS = (
    Multiplier(
        "exact",
        "one row a read, as many reads as bits",
        WiredOr("exact", reads=WIRED_OR_BITS),
        max_bits=WIRED_OR_BITS,
        arrays=(WIRED_OR, DIGITAL),
    ),
    Multiplier("exact-array", "rows added one after the other", Circuit("exact-array", _array)),
    Multiplier("exact-dadda", "Dadda tree of 4-2 compressors", Circuit("exact-dadda", _dadda)),
)
