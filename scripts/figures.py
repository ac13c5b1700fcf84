"""What the benchmark scripts print and keep: figures beside their limits, tables, the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cimc.backend.terminal_table import text_table


def figure(
    into: dict[str, Any], name: str, measured: float, unit: str, limit: float | None = None
) -> None:
    """Print a line, with the ratio to `limit` when there is one, and keep it."""
    goal = f"   {measured / limit:.2f} of the limit {limit:g} {unit}" if limit else ""
    print(f"{name:<44}{measured:>14,.2f} {unit}{goal}", flush=True)
    into[name.strip()] = {"measured": measured, "unit": unit, "limit": limit}


def table(into: dict[str, Any], header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table and keep its rows."""
    print(text_table([*header], [[*row] for row in rows], left=3))
    into["rows"] = [dict(zip(header, row, strict=True)) for row in rows]


def machine() -> str:
    """Processor, cores, Python and numpy of this machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    processor = next(named, platform.machine())
    versions = f"Python {platform.python_version()}, numpy {np.__version__}"
    return f"{processor}, {os.cpu_count()} cores, {versions}"
