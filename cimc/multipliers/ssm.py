"""SSM: an exact product of segments of fixed place.

ssm-kK          of each operand the top K bits where a bit above the low K is set, else the low
                K bits; K = 1 .. 16
"""

from __future__ import annotations

from functools import partial

from xdsl.ir import SSAValue

from cimc.dialects.bit import width
from cimc.multipliers.family import Family
from cimc.multipliers.logic import Circuit, Logic
from cimc.multipliers.multiplier import Multiplier


def _product(k: int, logic: Logic, stored: SSAValue, broadcast: SSAValue) -> SSAValue:
    bits = width(stored) + width(broadcast)
    left, left_high = _segment(logic, stored, k)
    right, right_high = _segment(logic, broadcast, k)
    product = logic.resize(logic.product(left, right), bits, "product")
    for value, high in ((stored, left_high), (broadcast, right_high)):
        if high is not None:
            shift = width(value) - k
            low = logic.extract(product, 0, bits - shift, "low")
            product = logic.mux(high, logic.concat([low, logic.zero(shift)], "up"), product)
    return product


def _segment(logic: Logic, value: SSAValue, k: int) -> tuple[SSAValue, SSAValue | None]:
    """The segment, and whether it is the top one; None when there is but one."""
    bits = width(value)
    if bits <= k:
        return value, None
    high = logic.any(logic.extract(value, k, bits - k, "above"), "high")
    top, low = logic.extract(value, bits - k, k, "top"), logic.extract(value, 0, k, "low")
    return logic.mux(high, top, low, "segment"), high


def _ssm(k: str) -> Multiplier:
    name = f"ssm-k{k}"
    text = f"exact product of the top or the low {k} bits"
    return Multiplier(name, text, Circuit(name, partial(_product, int(k))))


FAMILY = Family("ssm-kK", r"ssm-k([1-9]|1[0-6])", _ssm)
MULTIPLIERS = tuple(_ssm(str(k)) for k in (4, 5, 6))
