"""RoBA: multiplies operands rounded to powers of two, and corrects to first order.

roba            M' N + M N' - M' N' with M' the power of two nearest to M: of two equally near
                ones the larger, but 3 becomes 2; zero when an operand is zero
"""

from __future__ import annotations

from xdsl.ir import SSAValue

from cimc.dialects.bit import width
from cimc.multipliers.logic import Circuit, Logic
from cimc.multipliers.multiplier import Multiplier
from cimc.multipliers.parts import both_nonzero, encode, nearest_power


def _product(logic: Logic, stored: SSAValue, broadcast: SSAValue) -> SSAValue:
    bits = width(stored) + width(broadcast)
    left, right = (nearest_power(logic, v, three_is_two=True) for v in (stored, broadcast))
    left_shift, right_shift = encode(logic, left), encode(logic, right)
    # One bit more than the product: M' may be 2^m. The total fits, whatever wraps on the way.
    room = max(bits + 1, width(left_shift), width(right_shift))
    m, n = (logic.resize(value, room, "operand") for value in (stored, broadcast))
    power = logic.resize(logic.concat(left[::-1], "power"), room, "power")
    total = logic.add(logic.shl(n, left_shift), logic.shl(m, right_shift))
    product = logic.sub(total, logic.shl(power, right_shift), "product")
    low = logic.extract(product, 0, bits, "product")
    return logic.where(both_nonzero(logic, stored, broadcast), low)


MULTIPLIERS = (
    Multiplier("roba", "operands rounded to powers of two, corrected", Circuit("roba", _product)),
)
