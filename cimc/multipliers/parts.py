"""Parts that several families are made of: adders, leading ones, normalising shifts."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import comb
from xdsl.ir import SSAValue

from cimc.dialects.bit import width
from cimc.multipliers.logic import Logic


def half_adder(logic: Logic, a: SSAValue, b: SSAValue) -> tuple[SSAValue, SSAValue]:
    """Sum and carry."""
    return logic.xor(a, b, name="sum"), logic.and_(a, b, name="carry")


def full_adder(logic: Logic, a: SSAValue, b: SSAValue, c: SSAValue) -> tuple[SSAValue, SSAValue]:
    """Sum and carry."""
    half = logic.xor(a, b, name="half")
    carry = logic.or_(logic.and_(a, b), logic.and_(half, c), name="carry")
    return logic.xor(half, c, name="sum"), carry


def leading_one(logic: Logic, value: SSAValue) -> list[SSAValue]:
    """Which bit is the most significant one, the least significant first; none in a zero."""
    found: list[SSAValue] = []
    seen: SSAValue | None = None
    for bit in reversed(logic.bits(value, "bit")):
        found.append(bit if seen is None else logic.and_(bit, logic.not_(seen), name="leading"))
        seen = bit if seen is None else logic.or_(seen, bit, name="seen")
    return found[::-1]


def encode(logic: Logic, one_hot: Sequence[SSAValue]) -> SSAValue:
    """Index of the bit that is set; 0 when none is."""
    count = max(1, (len(one_hot) - 1).bit_length())
    digits: list[SSAValue] = []
    for d in reversed(range(count)):
        terms = [bit for i, bit in enumerate(one_hot) if i >> d & 1]
        digits.append(logic.or_(*terms, name="digit") if terms else logic.zero(1))
    return logic.concat(digits, "index")


def left_justify(logic: Logic, value: SSAValue) -> tuple[SSAValue, SSAValue]:
    """`value` shifted left until its top bit is set, and by how much; a zero stays zero.

    One stage for each power of two below the width, largest first, so the stages' decisions are
    the binary digits of the amount. The amount of a zero means nothing.
    """
    bits = width(value)
    digits: list[SSAValue] = []
    for step in (1 << s for s in reversed(range((bits - 1).bit_length()))):
        top = logic.extract(value, bits - step, step, "top")
        low = logic.extract(value, 0, bits - step, "low")
        empty = logic.emit(comb.ICmpOp(top, logic.zero(step), "eq"), "empty")
        moved = logic.concat([low, logic.zero(step)], "moved")
        value = logic.mux(empty, moved, value, "justified")
        digits.append(empty)
    return value, logic.concat(digits, "amount") if digits else logic.zero(1)


def denormalise(
    logic: Logic, mantissa: SSAValue, amounts: Sequence[SSAValue], bits: int
) -> SSAValue:
    """Product of `bits` bits from its `mantissa` and how far the operands had been shifted left.

    The mantissa has two bits before the binary point; the product of left-justified operands
    is mantissa * 2^(bits-2), rounded towards zero.
    """
    total = 1 + max(width(amount) for amount in amounts)
    shift = logic.add(*(logic.resize(a, total, "amount") for a in amounts), name="amount")
    room = max(bits, width(mantissa), total)
    padding = room - width(mantissa)
    value = logic.concat([mantissa, logic.zero(padding)], "mantissa") if padding else mantissa
    shifted = logic.shr(value, shift)
    return logic.extract(shifted, room - bits, bits, "product")


def both_nonzero(logic: Logic, left: SSAValue, right: SSAValue) -> SSAValue:
    """Whether neither operand is zero."""
    return logic.and_(logic.any(left), logic.any(right), name="nonzero")


def fraction(logic: Logic, value: SSAValue, bits: int, force: bool) -> tuple[SSAValue, SSAValue]:
    """What follows the leading one of `value`, cut or padded to `bits`, and its left-justify shift.

    `force` sets the lowest bit of the fraction.
    """
    justified, amount = left_justify(logic, value)
    present = min(width(value) - 1, bits)
    kept = (
        [logic.extract(justified, width(value) - 1 - present, present, "kept")] if present else []
    )
    padding = [logic.zero(bits - present)] if bits > present else []
    cut = logic.concat([*kept, *padding], "fraction")
    return (logic.or_(cut, logic.constant(1, bits), name="fraction") if force else cut), amount


def nearest_power(logic: Logic, value: SSAValue, *, three_is_two: bool = False) -> list[SSAValue]:
    """The power of two nearest to `value`, one-hot, one bit longer; none for a zero.

    Of two equally near ones it is the larger; `three_is_two` makes an exception.
    """
    leading, bits = leading_one(logic, value), logic.bits(value, "bit")
    powers = [leading[0]]
    for i in range(1, len(bits) + 1):
        terms: list[SSAValue] = []
        if i < len(bits):
            stays = i == 1 and three_is_two
            below = logic.not_(bits[i - 1])
            terms.append(leading[i] if stays else logic.and_(leading[i], below))
        if i > (2 if three_is_two else 1):
            terms.append(logic.and_(leading[i - 1], bits[i - 2]))
        powers.append(logic.or_(*terms, name="power") if terms else logic.zero(1))
    return powers
