"""TOSAM (Vahdat and others, 2019): sums truncated fractions, and multiplies still shorter ones.

With M = 2^a (1 + x) and N = 2^b (1 + y), the product is 2^(a+b) (1 + x' + y' + x" y"), rounded
towards zero: x' and y' are the first T bits of a fraction and x", y" the first H, each followed by
a 1 that halves the error of cutting. Zero when an operand is zero.

    tosam-hH-tT     H = 0 .. 14, T = 1 .. 15, H < T
"""

from __future__ import annotations

from functools import partial

from xdsl.ir import SSAValue

from cimc.diagnostics import InvalidInput
from cimc.dialects.bit import width
from cimc.multipliers.family import Family
from cimc.multipliers.logic import Circuit, Logic
from cimc.multipliers.multiplier import Multiplier
from cimc.multipliers.parts import both_nonzero, denormalise, fraction


def _product(h: int, t: int, logic: Logic, stored: SSAValue, broadcast: SSAValue) -> SSAValue:
    one = logic.constant(1, 1)
    cut = [fraction(logic, value, t, force=False) for value in (stored, broadcast)]
    long = [logic.concat([kept, one], "fraction") for kept, _ in cut]
    short = (
        [logic.concat([logic.extract(f, t + 1 - h, h, "short"), one], "short") for f in long]
        if h
        else [one, one]
    )
    # Binary places behind the point: t+1 of the sum, 2h+2 of the small product.
    places = max(t + 1, 2 * h + 2)
    terms = [logic.concat([one, logic.zero(places)], "one")]
    terms += [_scaled(logic, f, places - t - 1) for f in long]
    terms.append(_scaled(logic, logic.product(*short, name="small"), places - 2 * h - 2))
    mantissa = logic.add(
        *(logic.resize(term, places + 2, "term") for term in terms), name="mantissa"
    )
    bits = width(stored) + width(broadcast)
    product = denormalise(logic, mantissa, [amount for _, amount in cut], bits)
    return logic.where(both_nonzero(logic, stored, broadcast), product)


def _scaled(logic: Logic, value: SSAValue, places: int) -> SSAValue:
    return logic.concat([value, logic.zero(places)], "scaled") if places else value


def _tosam(h: str, t: str) -> Multiplier:
    name = f"tosam-h{h}-t{t}"
    if int(h) >= int(t):
        raise InvalidInput(f"multiplier '{name}': H = {h} must be less than T = {t}")
    text = f"sum of {t}-bit fractions and product of {h}-bit ones"
    return Multiplier(name, text, Circuit(name, partial(_product, int(h), int(t))))


FAMILY = Family("tosam-hH-tT", r"tosam-h(\d|1[0-4])-t([1-9]|1[0-5])", _tosam)
MULTIPLIERS = tuple(_tosam(h, t) for h, t in ("02", "03", "13", "14", "15", "24", "25", "37"))
