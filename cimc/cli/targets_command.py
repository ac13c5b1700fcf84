"""`cimc targets`: what can be compiled for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from cimc.backend.terminal_table import text_table
from cimc.targets import all_targets


def run(argv: Sequence[str]) -> int:
    """Print one line a target."""
    argparse.ArgumentParser(prog="cimc targets", description="List the targets.").parse_args(argv)
    rows: list[list[str]] = []
    for target in all_targets().values():
        g = target.geometry
        banks = f"{g.banks} x {g.bank_rows} x {g.lanes * (g.lane_columns + 1)}"
        rows.append(
            [
                target.name,
                target.description,
                banks,
                str(g.products_per_cycle),
                str(g.activation_bytes // 1024),
                target.default_multiplier,
            ]
        )
    header = ["target", "description", "banks", "products/cycle", "buffer kB", "multiplier"]
    print(text_table(header, rows, left=2))
    return 0
