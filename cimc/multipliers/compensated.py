"""A logarithmic multiplier with compensation, as OpenACM builds it.

With M = 2^a + x and N = 2^b + y (a, b the leading ones), the product is
2^(a+b) + 2^b x + 2^a y + c, where c stands for x y: the smaller of x and y times the power of two
nearest to the larger (of two equally near ones the larger). Zero when an operand is zero.

    openacm-log
"""

from __future__ import annotations

from xdsl.ir import SSAValue

from cimc.dialects.bit import width
from cimc.multipliers.logic import Circuit, Logic
from cimc.multipliers.multiplier import Multiplier
from cimc.multipliers.parts import both_nonzero, encode, leading_one, nearest_power


def _product(logic: Logic, stored: SSAValue, broadcast: SSAValue) -> SSAValue:
    bits = width(stored) + width(broadcast)
    left, right = leading_one(logic, stored), leading_one(logic, broadcast)
    a, b = encode(logic, left), encode(logic, right)
    left_power, right_power = (logic.concat(one[::-1], "power") for one in (left, right))
    x = logic.resize(logic.xor(stored, left_power), bits, "rest")
    y = logic.resize(logic.xor(broadcast, right_power), bits, "rest")
    longer = max(width(stored), width(broadcast))
    smaller = logic.less(x, y)
    low, high = logic.mux(smaller, x, y, "smaller"), logic.mux(smaller, y, x, "larger")
    nearest = encode(logic, nearest_power(logic, logic.extract(high, 0, longer, "larger")))
    power = logic.shl(logic.resize(left_power, bits, "power"), b)
    base = logic.or_(power, logic.shl(low, nearest, "compensation"), name="base")
    product = logic.add(base, logic.shl(x, b), logic.shl(y, a), name="product")
    return logic.where(both_nonzero(logic, stored, broadcast), product)


MULTIPLIERS = (
    Multiplier("openacm-log", "logarithmic, with compensation", Circuit("openacm-log", _product)),
)
