"""`cimc multipliers`: the library, with what each costs and how wrong it is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cimc import multipliers
from cimc.backend.synthesis import cell_count
from cimc.backend.terminal_table import text_table
from cimc.cli.error_plot import plot_errors
from cimc.diagnostics import UsageError
from cimc.multipliers.multiplier import WIRED_OR, Multiplier

WEIGHT_BITS, ACTIVATION_BITS = 7, 8
"""Magnitudes of int8 weights, and of unsigned 8-bit activations."""


def run(argv: Sequence[str]) -> int:
    """Print one line a multiplier, or those that `argv` names."""
    args = _parser().parse_args(argv)
    widths = args.weight_bits, args.activation_bits
    if args.plot and len(args.names) != 1:
        raise UsageError("--plot draws one multiplier: give its name")
    chosen = [multipliers.get(name) for name in args.names or multipliers.names()]
    header = ["multiplier", "rows", "reads", "gates", "NMED %", "MRED %", "worst", "bias"]
    rows = [_row(multiplier, *widths) for multiplier in chosen]
    if args.cells:
        header.insert(4, "cells")
        for row, multiplier in zip(rows, chosen, strict=True):
            row.insert(4, str(cell_count(multiplier.module(*widths))))
    print(text_table(header, rows))
    if args.names:
        print()
        print("\n".join(f"{one.name}: {one.description}" for one in chosen))
    if args.plot:
        plot_errors(chosen[0], *widths, args.plot)
        print(f"\nwrote {args.plot}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cimc multipliers",
        description="List the multipliers: rows a stored weight takes and reads a product takes, "
        "or two-input gates of a digital one; errors over all operand pairs, or 10^6 random ones "
        "when the widths exceed 22 bits together (error = approximate - exact product). "
        f"Names with parameters: {', '.join(multipliers.families())}.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="only these (default: all); also TABLE.npy or CIRCUIT.v (docs/multipliers.md)",
    )
    parser.add_argument(
        "--weight-bits", type=int, default=WEIGHT_BITS, help="stored magnitude (%(default)s)"
    )
    parser.add_argument(
        "--activation-bits",
        type=int,
        default=ACTIVATION_BITS,
        help="broadcast magnitude (%(default)s)",
    )
    parser.add_argument(
        "--cells", action="store_true", help="synthesise with Yosys and count cells too"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the errors of one (.png, .svg, .pdf)"
    )
    return parser


def _row(multiplier: Multiplier, stored: int, broadcast: int) -> list[str]:
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
    ]
