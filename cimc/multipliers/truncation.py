"""Multipliers without some of their partial products: bit i of M and bit j of N, in column i+j.

trunc-cC        without columns 0 .. C-1; C = 1 .. 31
trunc-cC-k      plus the mean of what is dropped, rounded down: 0 x 0 is then not 0
trunc-cC-kz     the same, but not where an operand is zero
bam-hH-vV       broken array: without columns below V and without rows j < H; H, V = 0 .. 31
"""

from __future__ import annotations

from functools import partial

from xdsl.ir import SSAValue

from cimc.dialects.bit import width
from cimc.multipliers.columns import add_columns, partial_products
from cimc.multipliers.family import Family
from cimc.multipliers.logic import Circuit, Logic
from cimc.multipliers.multiplier import Multiplier
from cimc.multipliers.parts import both_nonzero


def _product(
    h: int, v: int, correction: str, logic: Logic, stored: SSAValue, broadcast: SSAValue
) -> SSAValue:
    columns = partial_products(logic, stored, broadcast, lambda i, j: i + j >= v and j >= h)
    if correction:
        safe = correction == "-kz"
        bit = both_nonzero(logic, stored, broadcast) if safe else logic.constant(1, 1)
        constant = mean_dropped(width(stored), width(broadcast), v)
        for c in range(constant.bit_length()):
            if constant >> c & 1:
                columns[c].append(bit)
    return add_columns(logic, columns)


def mean_dropped(stored_bits: int, broadcast_bits: int, v: int) -> int:
    """Mean sum of the columns below `v` over all operands, rounded down: each bit is 1 in 4."""
    pairs = [(i, j) for i in range(stored_bits) for j in range(broadcast_bits) if i + j < v]
    return sum(1 << i + j for i, j in pairs) // 4


def _multiplier(c: str | None, correction: str | None, h: str | None, v: str | None) -> Multiplier:
    """The name's numbers: C and the suffix, or H and V."""
    if c is not None:
        name, text = f"trunc-c{c}{correction or ''}", f"no columns below {c}"
        if correction:
            text += ", mean added" + ("" if correction == "-k" else " to products of no zero")
    else:
        name, text = f"bam-h{h}-v{v}", f"no columns below {v}, no rows below {h}"
    logic = partial(_product, int(h or 0), int(c or v or 0), correction or "")
    return Multiplier(name, text, Circuit(name, logic))


_UP_TO_31 = r"\d|[12]\d|3[01]"
FAMILY = Family(
    "trunc-cC, trunc-cC-k, trunc-cC-kz, bam-hH-vV",
    rf"trunc-c([1-9]|[12]\d|3[01])(-kz?)?|bam-h({_UP_TO_31})-v({_UP_TO_31})",
    _multiplier,
)
MULTIPLIERS = (
    *(_multiplier(str(c), k, None, None) for k in (None, "-k", "-kz") for c in (4, 5, 6, 7, 8)),
    *(_multiplier(None, None, str(h), str(v)) for h, v in ((0, 6), (2, 6), (1, 7), (2, 8))),
)
