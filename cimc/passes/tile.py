"""`cim-tile`: cut every convolution into weight tiles and pixel blocks.

A tile is as many row-groups as half a bank holds (the other half is being loaded meanwhile);
tiles of one reduction are made equal. When a reduction needs several tiles, partial
sums of a block of pixels wait between them, so a block has at most `psum_entries` pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cimc.diagnostics import pass_fail
from cimc.dialects.cim import ConvOp, TilingAttr, act_type
from cimc.multipliers import get as get_multiplier
from cimc.passes.context import cim_context
from cimc.passes.reduction import output_groups, reduction_steps
from cimc.targets import Geometry, Target

MAX_PIXELS_PER_AXIS = 4095
"""Limit of the nx and ny fields of an ARRAY command (cimc/targets/isa.py)."""


def check_array(op: ConvOp, target: Target) -> None:
    """Check that the array of `target` can compute the products of `op`.

    Raises:
        PassFailedException: it cannot.
    """
    multiplier = get_multiplier(op.multiplier.data)
    if target.array not in multiplier.arrays:
        raise pass_fail(
            op,
            f"multiplier '{multiplier.name}' needs target {' or '.join(multiplier.arrays)}: "
            f"target '{target.name}' ORs stored rows; choose 'exact' or a daism multiplier",
        )


def rows_of(op: ConvOp) -> int:
    """Physical rows that one stored weight of `op` takes (rho)."""
    multiplier = get_multiplier(op.multiplier.data)
    config = multiplier.array_config(op.stored_bits.value.data, op.broadcast_bits.value.data)
    return config.rows


def _equal_parts(total: int, limit: int) -> list[int]:
    """`total` as ceil(total / limit) parts that differ by at most one, larger first."""
    count = ceil(total / limit)
    small, larger = divmod(total, count)
    return [small + 1] * larger + [small] * (count - larger)


def _block(height: int, width: int, entries: int) -> tuple[int, int]:
    """Height and width of pixel blocks of at most `entries` pixels, whole rows when possible."""
    if width > entries:
        return 1, max(_equal_parts(width, entries))
    return max(_equal_parts(height, max(1, entries // width))), width


@dataclass(frozen=True)
class TilePass(ModulePass):
    """Sets `tiling` on every `cim.conv`; options lower the limits of the target, for tests."""

    name = "cim-tile"

    max_steps: int | None = None
    max_pixels: int | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        target = cim_context(ctx).target
        for conv in op.walk():
            if isinstance(conv, ConvOp):
                check_array(conv, target)
                conv.tiling = self._tiling(conv, target.geometry)

    def _tiling(self, conv: ConvOp, geometry: Geometry) -> TilingAttr:
        half = geometry.bank_rows // 2
        rows = rows_of(conv)
        if rows > half:
            raise pass_fail(
                conv,
                f"multiplier '{conv.multiplier.data}' needs {rows} rows a weight, but half a bank "
                f"has {half}; choose another multiplier or a target with more rows",
            )
        fits = min(half // rows, geometry.step_entries // 2, self.max_steps or half)
        outputs = output_groups(conv, geometry)[0]
        steps = len(reduction_steps(conv, geometry.reduction_banks, outputs))
        tiles = _equal_parts(steps, fits)
        height, width, _ = act_type(conv.y).hwc
        pixels = min(geometry.psum_entries, self.max_pixels or geometry.psum_entries)
        block = _block(height, width, pixels) if len(tiles) > 1 else (height, width)
        limit = MAX_PIXELS_PER_AXIS
        return TilingAttr.of(tiles, (min(block[0], limit), min(block[1], limit)))
