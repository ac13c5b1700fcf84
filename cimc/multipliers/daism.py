"""Multipliers in the manner of DAISM: the OR of pre-shifted rows stands in for their sum.

The idea is that of arXiv 2305.07376 (DATE 2024), of which only the abstracts could be read: the
definitions are our own (docs/multipliers.md). A name is a base and any suffixes, in this order:

    daism-fla       one row for each bit of N, all read at once
    daism-hla       two reads, even and odd bits of N; daism-hla-lh: low and high half
    daism-pcK       one exact row for each value of the top K bits of N (K = 2, 3, 4)
    -tr             rows keep only the columns above the stored operand's width
    -lj             N is left-justified before decoding
    -rR, -rRb       R reads (2, 4, 8): every R-th bit, or blocks of neighbouring bits
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from cimc.multipliers.multiplier import DIGITAL, WIRED_OR, WIRED_OR_BITS, Multiplier
from cimc.multipliers.wired_or import WiredOr

_BASES = {
    "fla": ("all rows in one read", WiredOr("daism-fla")),
    "hla": ("even and odd rows in two reads", WiredOr("daism-hla", reads=2)),
    "hla-lh": (
        "low and high rows in two reads",
        WiredOr("daism-hla-lh", reads=2, block_split=True),
    ),
    "pc2": ("exact rows for the top 2 bits", WiredOr("daism-pc2", pc_bits=2)),
    "pc3": ("exact rows for the top 3 bits", WiredOr("daism-pc3", pc_bits=3)),
    "pc4": ("exact rows for the top 4 bits", WiredOr("daism-pc4", pc_bits=4)),
}
_READS = (2, 4, 8)
_LISTED = {"fla": ("-r4", "-r8"), "pc3": ("-r2", "-lj-r2"), "pc4": ("-r2", "-lj-r2")}
"""Read suffixes in listings: the other interleaved ones give the products of one of these or of
daism-hla, with more rows (docs/multipliers.md)."""


def _multiplier(
    base: str, truncated: bool, left_justify: bool, reads: tuple[int, bool] | None
) -> Multiplier:
    text, spec = _BASES[base]
    spec = replace(spec, truncated=truncated, left_justify=left_justify)
    suffix, parts = "", [text]
    if truncated:
        suffix, parts = f"{suffix}-tr", [*parts, "truncated rows"]
    if left_justify:
        suffix, parts = f"{suffix}-lj", [*parts, "left-justified operand"]
    if reads is not None:
        count, block = reads
        suffix = f"{suffix}-r{count}{'b' if block else ''}"
        parts.append(f"{count} reads of {'neighbouring' if block else 'interleaved'} bits")
        spec = replace(spec, reads=count, block_split=block)
    spec = replace(spec, name=spec.name + suffix)
    listed = reads is None or suffix in _LISTED.get(base, ())
    return Multiplier(
        spec.name, ", ".join(parts), spec, listed, WIRED_OR_BITS, arrays=(WIRED_OR, DIGITAL)
    )


def _all() -> tuple[Multiplier, ...]:
    read_forms = [None, *product(_READS, (False, True))]
    return tuple(
        _multiplier(base, truncated, left_justify, reads)
        for base in _BASES
        for truncated, left_justify in product((False, True), repeat=2)
        for reads in (read_forms if not base.startswith("hla") else [None])
    )


MULTIPLIERS = _all()
