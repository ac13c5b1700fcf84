"""DRUM (Hashemi, Bahar, Reda; ICCAD 2015): an exact product of the K bits from each leading one.

drum-kK         operands longer than K bits lose the rest; their lowest kept bit is set to 1,
                which makes the error nearly unbiased; K = 2 .. 16
"""

from __future__ import annotations

from functools import partial

from xdsl.ir import SSAValue

from cimc.dialects.bit import width
from cimc.multipliers.family import Family
from cimc.multipliers.logic import Circuit, Logic
from cimc.multipliers.multiplier import Multiplier
from cimc.multipliers.parts import denormalise, left_justify


def _kept(logic: Logic, value: SSAValue, k: int) -> tuple[SSAValue, SSAValue]:
    """The K bits from the leading one, left-justified, and the shift that brought them up."""
    bits = width(value)
    justified, amount = left_justify(logic, value)
    if bits <= k:
        return justified, amount
    top = logic.extract(justified, bits - k, k, "top")
    dropped = logic.any(logic.extract(value, k, bits - k, "above"), "dropped")
    low = logic.or_(logic.extract(top, 0, 1, "lowest"), dropped, name="lowest")
    return logic.concat([logic.extract(top, 1, k - 1, "top"), low], "kept"), amount


def _product(k: int, logic: Logic, stored: SSAValue, broadcast: SSAValue) -> SSAValue:
    left, left_amount = _kept(logic, stored, k)
    right, right_amount = _kept(logic, broadcast, k)
    bits = width(stored) + width(broadcast)
    mantissa = logic.product(left, right, "mantissa")
    return denormalise(logic, mantissa, (left_amount, right_amount), bits)


def _drum(k: str) -> Multiplier:
    name = f"drum-k{k}"
    text = f"exact product of {k} bits from each leading one, the lowest set"
    return Multiplier(name, text, Circuit(name, partial(_product, int(k))))


FAMILY = Family("drum-kK", r"drum-k([2-9]|1[0-6])", _drum)
MULTIPLIERS = tuple(_drum(str(k)) for k in (3, 4, 5, 6, 7))
