"""`cimc multipliers`: the library, with what each costs and how wrong it is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from cimc import multipliers
from cimc.backend.terminal_table import text_table

WEIGHT_BITS, ACTIVATION_BITS = 7, 8
"""Magnitudes of int8 weights, and of unsigned 8-bit activations."""


def run(argv: Sequence[str]) -> int:
    """Print one line a multiplier, or those that `argv` names."""
    parser = argparse.ArgumentParser(
        prog="cimc multipliers",
        description="List the multipliers: rows a stored weight takes, reads a product takes, and "
        "errors over all operand pairs (error = approximate - exact product).",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these (default: all)")
    parser.add_argument(
        "--weight-bits", type=int, default=WEIGHT_BITS, help="stored magnitude (%(default)s)"
    )
    parser.add_argument(
        "--activation-bits",
        type=int,
        default=ACTIVATION_BITS,
        help="broadcast magnitude (%(default)s)",
    )
    args = parser.parse_args(argv)
    rows = [
        _row(multipliers.get(name), args.weight_bits, args.activation_bits)
        for name in args.names or multipliers.names()
    ]
    header = ["multiplier", "rows", "reads", "NMED %", "MRED %", "worst", "bias", "description"]
    print(text_table([*header[:-1]], [row[:-1] for row in rows]))
    if args.names:
        print()
        print("\n".join(f"{row[0]}: {row[-1]}" for row in rows))
    return 0


def _row(multiplier: multipliers.Multiplier, stored: int, broadcast: int) -> list[str]:
    stats = multiplier.error_stats(stored, broadcast)
    config = multiplier.array_config(stored, broadcast)
    return [
        multiplier.name,
        str(config.rows),
        str(config.reads),
        f"{stats.nmed_percent:.3f}",
        f"{stats.mred_percent:.3f}",
        str(stats.worst_case),
        f"{stats.bias:.2f}",
        multiplier.description,
    ]
