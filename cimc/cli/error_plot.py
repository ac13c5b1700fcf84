"""Draws the error surface of a multiplier, with matplotlib when it is installed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from cimc.diagnostics import InvalidInput, ToolMissing
from cimc.multipliers import Multiplier


def plot_errors(multiplier: Multiplier, stored_bits: int, broadcast_bits: int, path: Path) -> None:
    """Write a picture of approximate - exact over all operand pairs; the suffix is its format.

    Raises:
        ToolMissing: matplotlib is not installed.
        InvalidInput: the file cannot be written, or its suffix is no picture format.
    """
    try:
        figures: Any = import_module("matplotlib.figure")
    except ImportError as e:
        raise ToolMissing("drawing needs matplotlib; pip install 'cimc[plot]'") from e
    table = multiplier.table(stored_bits, broadcast_bits).astype(np.int64)
    exact = np.multiply.outer(np.arange(table.shape[0]), np.arange(table.shape[1]))
    error = table - exact
    limit = max(1, int(np.abs(error).max()))
    stats = multiplier.error_stats(stored_bits, broadcast_bits)
    figure = figures.Figure(figsize=(7, 5.5), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(
        error, origin="lower", cmap="RdBu_r", aspect="auto", vmin=-limit, vmax=limit
    )
    axes.set_xlabel(f"broadcast operand ({broadcast_bits} bits)")
    axes.set_ylabel(f"stored operand ({stored_bits} bits)")
    axes.set_title(
        f"{multiplier.name}: NMED {stats.nmed_percent:.3f} %, MRED {stats.mred_percent:.3f} %, "
        f"bias {stats.bias:.1f}",
        fontsize="medium",
    )
    figure.colorbar(image, label="approximate - exact product")
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) else e
        raise InvalidInput(f"{path}: cannot write the picture: {reason}") from e
