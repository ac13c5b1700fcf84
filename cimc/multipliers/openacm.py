"""Dadda trees with approximate 4-2 compressors in their low columns, as OpenACM builds them.

In columns below the split every 4-2 compressor is an approximate one without a carry from its
neighbour; the columns above, and full and half adders everywhere, are exact.

    openacm-NAME        the same compressor everywhere; the split is in the middle, (m+n)/2
    openacm-NAME-sC     the split is below column C = 1 .. 31
    openacm-tDDD..      one compressor a position, by its number: stages upwards, columns upwards
                        in a stage; as many digits as the operand widths give positions
    openacm-tDDD..-sC   both

NAME, with its number: acci1 1, kong2 2, antonio 3, momeni 4, ha 5, akbar1 6, akbar2 7, sabetz 8.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import repeat

from xdsl.ir import SSAValue

from cimc.diagnostics import InvalidInput
from cimc.dialects.bit import width
from cimc.multipliers.columns import Compressor, add_columns, partial_products
from cimc.multipliers.family import Family
from cimc.multipliers.logic import Circuit, Logic
from cimc.multipliers.multiplier import Multiplier
from cimc.multipliers.parts import full_adder, half_adder

_Pair = tuple[SSAValue, SSAValue]


def _acci1(g: Logic, a: SSAValue, b: SSAValue, c: SSAValue, d: SSAValue) -> _Pair:
    """Exact, but four ones count 3."""
    (s1, c1), (s2, c2) = half_adder(g, a, b), half_adder(g, c, d)
    both = g.and_(c1, c2)
    return g.or_(g.xor(s1, s2), both, name="sum"), g.or_(c1, c2, g.and_(s1, s2), name="carry")


def _kong2(g: Logic, a: SSAValue, b: SSAValue, c: SSAValue, d: SSAValue) -> _Pair:
    """Too large by 1 at 0011, too small by 1 at 1111 (a b c d)."""
    (s1, c1), (s2, c2) = half_adder(g, a, b), half_adder(g, c, d)
    p1, p2 = g.or_(a, b), g.or_(c, d)
    total = g.mux(s1, g.not_(s2), p2, name="sum")
    return total, g.and_(g.or_(p1, c2), g.or_(p2, c1), name="carry")


def _antonio(g: Logic, a: SSAValue, b: SSAValue, c: SSAValue, d: SSAValue) -> _Pair:
    """Too small by 1 at 1110 and 1111."""
    return full_adder(g, g.or_(a, b), g.or_(c, g.and_(a, b)), d)


def _momeni(g: Logic, a: SSAValue, b: SSAValue, c: SSAValue, d: SSAValue) -> _Pair:
    """Too large by 1 at 0000, too small by 1 at 0011, 1100 and 1111."""
    total = g.not_(g.and_(g.xor(a, b), g.xor(c, d)), name="sum")
    return total, g.and_(g.or_(a, b), g.or_(c, d), name="carry")


def _ha(g: Logic, a: SSAValue, b: SSAValue, c: SSAValue, d: SSAValue) -> _Pair:
    """Too small by 1 where c and d are both set."""
    return full_adder(g, a, b, g.or_(c, d))


def _akbar1(g: Logic, a: SSAValue, b: SSAValue, c: SSAValue, d: SSAValue) -> _Pair:
    """The carry is d."""
    return g.or_(g.xor(a, b), g.xor(c, d), name="sum"), d


def _akbar2(g: Logic, a: SSAValue, b: SSAValue, c: SSAValue, d: SSAValue) -> _Pair:
    """Too small by 1 at 0101, 0110, 1001 and 1010, by 2 at 1111."""
    total = g.or_(g.xor(a, b), g.xor(c, d), name="sum")
    return total, g.or_(g.and_(a, b), g.and_(c, d), name="carry")


def _sabetz(g: Logic, a: SSAValue, b: SSAValue, c: SSAValue, d: SSAValue) -> _Pair:
    """The sum is always 1, the carry the majority of a, c and d; b is not read."""
    return g.constant(1, 1), full_adder(g, a, c, d)[1]


COMPRESSORS: dict[str, Compressor] = {
    "acci1": _acci1,
    "kong2": _kong2,
    "antonio": _antonio,
    "momeni": _momeni,
    "ha": _ha,
    "akbar1": _akbar1,
    "akbar2": _akbar2,
    "sabetz": _sabetz,
}
"""By name; numbers count from 1 in this order."""


class _Positions:
    """Hands out a compressor a position and counts the positions."""

    def __init__(self, types: Iterator[Compressor], split: int) -> None:
        self.types, self.split, self.count = types, split, 0

    def __call__(self, column: int) -> Compressor | None:
        if column >= self.split:
            return None
        self.count += 1
        return next(self.types, COMPRESSORS["acci1"])


def positions(stored_bits: int, broadcast_bits: int, split: int | None = None) -> int:
    """How many 4-2 compressors lie below the split."""
    counter = _Positions(repeat(COMPRESSORS["acci1"]), _split(stored_bits, broadcast_bits, split))
    Circuit("count", partial(_tree, counter))(stored_bits, broadcast_bits)
    return counter.count


def _split(stored_bits: int, broadcast_bits: int, split: int | None) -> int:
    return (stored_bits + broadcast_bits) // 2 if split is None else split


def _tree(choose: _Positions, logic: Logic, stored: SSAValue, broadcast: SSAValue) -> SSAValue:
    columns = partial_products(logic, stored, broadcast, lambda i, j: True)
    return add_columns(logic, columns, choose)


def _product(
    name: str,
    types: str | None,
    digits: str,
    split: int | None,
    logic: Logic,
    stored: SSAValue,
    broadcast: SSAValue,
) -> SSAValue:
    """`types` is the compressor everywhere, or None: those that `digits` number."""
    m, n = width(stored), width(broadcast)
    one_each = (list(COMPRESSORS.values())[int(digit) - 1] for digit in digits)
    choose = _Positions(repeat(COMPRESSORS[types]) if types else one_each, _split(m, n, split))
    product = _tree(choose, logic, stored, broadcast)
    if not types and choose.count != len(digits):
        raise InvalidInput(
            f"multiplier '{name}': {m} x {n} bits have {choose.count} compressors below column "
            f"{choose.split}, the name gives {len(digits)}; give one digit for each"
        )
    return product


def _openacm(types: str | None, digits: str | None, split: str | None) -> Multiplier:
    name = f"openacm-{types or f't{digits}'}" + (f"-s{split}" if split else "")
    text = f"{types} 4-2 compressors" if types else "4-2 compressors by position"
    text += f" below column {split or '(m+n)/2'}"
    chosen = None if split is None else int(split)
    return Multiplier(
        name, text, Circuit(name, partial(_product, name, types, digits or "", chosen))
    )


FAMILY = Family(
    "openacm-NAME-sC, openacm-tDDD..-sC",
    rf"openacm-(?:({'|'.join(COMPRESSORS)})|t([1-8]+))(?:-s([1-9]|[12]\d|3[01]))?",
    _openacm,
)
MULTIPLIERS = tuple(_openacm(types, None, None) for types in COMPRESSORS)
