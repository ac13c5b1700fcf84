"""Mitchell's logarithmic multiplier: adds binary logarithms with linear interpolation.

With M = 2^a (1 + x) and N = 2^b (1 + y), the product is 2^(a+b) (1 + x + y) where x + y < 1, else
2^(a+b+1) (x + y), rounded towards zero; zero when an operand is zero.

    mitchell        x and y in full
    mitchell-wW     x and y cut to W bits, the lowest of which is then set to 1
    mitchell-wW-tr  x and y cut to W bits; W = 1 .. 15
"""

from __future__ import annotations

from functools import partial

from xdsl.ir import SSAValue

from cimc.dialects.bit import width
from cimc.multipliers.family import Family
from cimc.multipliers.logic import Circuit, Logic
from cimc.multipliers.multiplier import Multiplier
from cimc.multipliers.parts import both_nonzero, denormalise, fraction


def _product(
    kept: int | None, force: bool, logic: Logic, stored: SSAValue, broadcast: SSAValue
) -> SSAValue:
    """`kept` bits of each fraction, all when None; `force` sets the lowest of them."""
    bits = width(stored) + width(broadcast)
    w = kept or max(1, width(stored) - 1, width(broadcast) - 1)
    x, left = fraction(logic, stored, w, force)
    y, right = fraction(logic, broadcast, w, force)
    wide = [logic.resize(value, w + 1, "fraction") for value in (x, y)]
    total = logic.add(*wide, name="fraction")
    carry = logic.extract(total, w, 1, "carry")
    low = logic.extract(total, 0, w, "low")
    one = logic.constant(1, 1)
    plain = logic.concat([logic.zero(1), one, low], "mantissa")
    doubled = logic.concat([one, low, logic.zero(1)], "mantissa")
    mantissa = logic.mux(carry, doubled, plain, "mantissa")
    product = denormalise(logic, mantissa, (left, right), bits)
    return logic.where(both_nonzero(logic, stored, broadcast), product)


def _mitchell(w: str | None, truncated: str | None) -> Multiplier:
    name = "mitchell" + (f"-w{w}" if w else "") + (truncated or "")
    lowest = "" if truncated else ", the lowest set"
    text = "adds logarithms" + (f" with fractions of {w} bits{lowest}" if w else "")
    kept = int(w) if w else None
    return Multiplier(
        name, text, Circuit(name, partial(_product, kept, kept is not None and not truncated))
    )


FAMILY = Family("mitchell-wW, mitchell-wW-tr", r"mitchell-w([1-9]|1[0-5])(-tr)?", _mitchell)
MULTIPLIERS = (
    _mitchell(None, None),
    *(_mitchell(str(w), None) for w in (5, 4, 3)),
    *(_mitchell(str(w), "-tr") for w in (5, 4, 3)),
)
