"""Near-memory digital arrays: weights stored plainly, a digital multiplier in every lane.

The multiplier takes longer than the bit lines of an ORed read, so the clock is slower.
"""

from __future__ import annotations

from cimc.targets.base import MAGNITUDE_BITS, Geometry, Target

_EXACT = "exact-dadda"
_CLOCK_MHZ = 500


def _target(name: str, description: str, geometry: Geometry) -> Target:
    return Target(name, description, geometry, _EXACT, array="dcim", multipliers=(_EXACT,))


TARGETS = (
    _target(
        "dcim",
        "16 banks of 512 x 288 cells (32 lanes), 512 digital multipliers in 2 bank groups",
        Geometry(lane_columns=MAGNITUDE_BITS, wordline_window=1, clock_mhz=_CLOCK_MHZ),
    ),
    _target(
        "dcim-wide",
        "32 banks of 512 x 288 cells (32 lanes), 1024 digital multipliers in 4 bank groups",
        Geometry(clusters=4, lane_columns=MAGNITUDE_BITS, wordline_window=1, clock_mhz=_CLOCK_MHZ),
    ),
    _target(
        "dcim-small",
        "4 banks of 64 x 72 cells (8 lanes), 32 digital multipliers; for synthesis runs",
        Geometry(
            reduction_banks=2,
            clusters=2,
            bank_rows=64,
            lanes=8,
            lane_columns=MAGNITUDE_BITS,
            wordline_window=1,
            activation_bytes=1 << 16,
            psum_entries=256,
            step_entries=64,
            vector_taps=128,
            requant_lanes=4,
            block_commands=16,
            clock_mhz=_CLOCK_MHZ,
        ),
    ),
)
