"""DAISM arrays: products by OR-ing pre-shifted rows of a conventional SRAM."""

from __future__ import annotations

from cimc.targets.base import Geometry, Target

TARGETS = (
    Target(
        name="daism",
        description="16 banks of 512 x 544 cells (32 lanes), 512 products a cycle",
        geometry=Geometry(),
        default_multiplier="daism-pc3-lj",
    ),
    Target(
        name="daism-small",
        description="4 banks of 64 x 136 cells (8 lanes), 32 products a cycle; for synthesis runs",
        geometry=Geometry(
            reduction_banks=2,
            clusters=2,
            bank_rows=64,
            lanes=8,
            activation_bytes=1 << 16,
            psum_entries=256,
            step_entries=64,
            vector_taps=128,
            requant_lanes=4,
            block_commands=16,
        ),
        default_multiplier="daism-pc3-lj",
    ),
)
