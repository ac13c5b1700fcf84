"""The exact product, as a wired-OR array computes it: one row a read."""

from __future__ import annotations

from cimc.multipliers.multiplier import MAX_BITS, Multiplier
from cimc.multipliers.wired_or import WiredOr

MULTIPLIERS = (
    Multiplier("exact", "one row a read, as many reads as bits", WiredOr("exact", reads=MAX_BITS)),
)
