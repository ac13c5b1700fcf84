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
from cimc.passes.bank_groups import array_config, group_of
from cimc.passes.context import CimContext, cim_context
from cimc.passes.reduction import output_groups, pixel_counts, reduction_steps
from cimc.passes.tile_cost import tiling_cost
from cimc.targets import Target
from cimc.targets.packing import (
    PACKED_BITS,
    LaneUse,
    WeightPacking,
    half_lane_bits,
    psum_pixels,
    window_bytes,
)
from cimc.weights import WeightStore

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


def _equal_parts(total: int, limit: int) -> list[int]:
    """`total` as ceil(total / limit) parts that differ by at most one, larger first."""
    count = ceil(total / limit)
    small, larger = divmod(total, count)
    return [small + 1] * larger + [small] * (count - larger)


def _block(height: int, width: int, entries: int, pixels: int) -> tuple[int, int]:
    """Height and width of blocks of at most `entries` runs of `pixels` pixels, whole lines when
    possible.
    """
    runs = width // pixels
    if runs > entries:
        return 1, pixels * max(_equal_parts(runs, entries))
    return max(_equal_parts(height, max(1, entries // runs))), width


def weights_fit_half_bytes(op: ConvOp, target: Target, weights: WeightStore) -> bool:
    """The weight codes of `op` are two's complement of 4 bits."""
    if op.weight_zero.value.data != 0:
        return False
    if not target.multipliers:
        return op.stored_bits.value.data < PACKED_BITS
    # A built-in multiplier has widths of its own, so only the codes themselves tell.
    codes = weights.get(op.weights.key.data)
    most = 1 << (PACKED_BITS - 1)
    return bool(codes.min() >= -most and codes.max() < most)


def packings(op: ConvOp, target: Target, weights: WeightStore) -> list[WeightPacking]:
    """How weights of `op` can share bytes and lanes of the array."""
    geometry = group_of(op, target).geometry
    found = [WeightPacking.BYTES]
    if not weights_fit_half_bytes(op, target, weights):
        return found
    if geometry.banks % 2 == 0:
        found.append(WeightPacking.BANKS)
    product = op.stored_bits.value.data + op.broadcast_bits.value.data
    fits = product <= half_lane_bits(geometry) and psum_pixels(geometry, WeightPacking.LANES)
    if fits and not target.multipliers:  # a built-in multiplier makes one product
        found.append(WeightPacking.LANES)
    return found


def lane_uses(op: ConvOp, target: Target, weights: WeightStore) -> list[LaneUse]:
    """What `op` can make of banks and lanes."""
    geometry = group_of(op, target).geometry
    reaches = [False]
    if window_bytes(geometry) > geometry.reduction_banks and len(target.groups) == 1:
        reaches.append(True)
    return [
        LaneUse(packing, pixels, wide)
        for packing in packings(op, target, weights)
        for wide in reaches
        for pixels in pixel_counts(op, LaneUse(packing, 1, wide).outputs(geometry))
    ]


@dataclass(frozen=True)
class TilePass(ModulePass):
    """Sets `tiling` on every `cim.conv`; options lower the limits of the target, for tests.

    Of all uses of the lanes (weights packed or not, pixels computed together, clusters that take
    further bytes) it is the one whose weight loads and array passes, which overlap, need the fewest
    cycles; of equal ones the one with fewer bytes to load. `packing` (bytes, banks, lanes),
    `pixels` and `wide` (0, 1) fix a part of that for the layers that can have it.
    """

    name = "cim-tile"

    max_steps: int | None = None
    max_pixels: int | None = None
    packing: str | None = None
    pixels: int | None = None
    wide: int | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        context = cim_context(ctx)
        convs = [conv for conv in op.walk() if isinstance(conv, ConvOp)]
        # A module of its own, as cimc-opt reads it, was not seen by assign-multiplier.
        names = dict.fromkeys(conv.multiplier.data for conv in convs)
        context.target = context.target.built_for([*names])
        for conv in convs:
            check_array(conv, context.target)
            conv.tiling = self._best(conv, context)

    def _best(self, conv: ConvOp, context: CimContext) -> TilingAttr:
        target = context.target
        wanted = self._wanted(lane_uses(conv, target, context.weights))
        tilings = [self._tiling(conv, target, use) for use in wanted]
        return min(tilings, key=lambda tiling: tiling_cost(conv, tiling, target))

    def _wanted(self, uses: list[LaneUse]) -> list[LaneUse]:
        """The `uses` that the options leave; one that no use has is not asked for."""
        kept = [use for use in uses if use.packing.name.lower() == self.packing] or uses
        kept = [use for use in kept if use.pixels == self.pixels] or kept
        return [use for use in kept if use.wide == self.wide] or kept

    def _tiling(self, conv: ConvOp, target: Target, use: LaneUse) -> TilingAttr:
        geometry = group_of(conv, target).geometry
        half = geometry.bank_rows // 2
        rows = array_config(conv, target).rows
        if rows > half:
            raise pass_fail(
                conv,
                f"multiplier '{conv.multiplier.data}' needs {rows} rows a weight, but half a bank "
                f"has {half}; choose another multiplier or a target with more rows",
            )
        fits = min(half // rows, geometry.step_entries // 2, self.max_steps or half)
        outputs = output_groups(conv, geometry, use)[0]
        steps = len(reduction_steps(conv, use.window_bytes(geometry), outputs, use.pixels))
        tiles = _equal_parts(steps, fits)
        height, width, _ = act_type(conv.y).hwc
        entries = min(psum_pixels(geometry, use.packing), self.max_pixels or geometry.psum_entries)
        many = len(tiles) > 1
        block = _block(height, width, entries, use.pixels) if many else (height, width)
        limit = MAX_PIXELS_PER_AXIS
        return TilingAttr.of(tiles, (min(block[0], limit), min(block[1], limit * use.pixels)), use)
