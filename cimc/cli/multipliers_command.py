"""`cimc multipliers`: the library, with what each costs and how wrong it is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from cimc import multipliers
from cimc.backend.terminal_table import text_table
from cimc.multipliers.multiplier import WIRED_OR

WEIGHT_BITS, ACTIVATION_BITS = 7, 8
"""Magnitudes of int8 weights, and of unsigned 8-bit activations."""


def run(argv: Sequence[str]) -> int:
    """Print one line a multiplier, or those that `argv` names."""
    parser = argparse.ArgumentParser(
        prog="cimc multipliers",
        description="List the multipliers: rows a stored weight takes and reads a product takes, "
        "or two-input gates of a digital one; errors over all operand pairs, or 10^6 random ones "
        "when both widths exceed 22 bits (error = approximate - exact product). "
        "Names with parameters: "
        f"{', '.join(multipliers.families())}.",
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
    header = ["multiplier", "rows", "reads", "gates", "NMED %", "MRED %", "worst", "bias"]
    print(text_table(header, [row[:-1] for row in rows]))
    if args.names:
        print()
        print("\n".join(f"{row[0]}: {row[-1]}" for row in rows))
    return 0


def _row(multiplier: multipliers.Multiplier, stored: int, broadcast: int) -> list[str]:
    stats = multiplier.error_stats(stored, broadcast)
    rows = reads = "-"
    if WIRED_OR in multiplier.arrays:
        config = multiplier.array_config(stored, broadcast)
        rows, reads = str(config.rows), str(config.reads)
    gates = multiplier.gates(stored, broadcast)
    return [
        multiplier.name,
        rows,
        reads,
        "-" if gates is None else str(gates),
        f"{stats.nmed_percent:.3f}",
        f"{stats.mred_percent:.3f}",
        str(stats.worst_case),
        f"{stats.bias:.2f}",
        multiplier.description,
    ]
