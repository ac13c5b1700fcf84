"""Commands of a convolution: weight loads in ping-pong halves, array passes over blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import ceil

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.cim import ConvOp, TilingAttr, act_type, ints
from cimc.multipliers.base import ArrayConfig
from cimc.passes.bank_groups import array_config, group_of
from cimc.passes.reduction import (
    OutputGroup,
    Steps,
    output_groups,
    packed_weights,
    reduction_steps,
)
from cimc.passes.schedule.commands import (
    ACTIVATIONS,
    DataSegment,
    FetchPart,
    Step,
    half_resource,
    make_step,
    parameter_bytes,
)
from cimc.passes.schedule.views import View, wrap_stride
from cimc.targets import BankGroup, Geometry, Target
from cimc.targets.isa import Opcode
from cimc.targets.packing import LaneUse, WeightPacking, parameter_lanes, weight_pace
from cimc.weights import WeightStore


@dataclass(frozen=True)
class Layer:
    """A convolution with its constants at hand.

    weights: codes [K, taps] of 8 bits; bias, requant_m, requant_s: [K].
    """

    op: ConvOp
    tiling: TilingAttr
    group: BankGroup
    """Where it is computed."""
    config: ArrayConfig
    weights: NDArray[np.integer]
    bias: NDArray[np.int64]
    requant_m: NDArray[np.int64]
    requant_s: NDArray[np.int64]

    @staticmethod
    def of(op: ConvOp, store: WeightStore, target: Target) -> Layer:
        """Fetch the constants of `op` from the weight store."""
        config = array_config(op, target)
        w = store.get(op.weights.key.data)
        blobs = (op.bias, op.requant_m, op.requant_s)
        bias, m, s = (store.get(b.key.data).astype(np.int64) for b in blobs)
        assert op.tiling is not None, "cim-tile runs before cim-schedule"
        group = group_of(op, target)
        return Layer(op, op.tiling, group, config, w.reshape(len(w), -1), bias, m, s)


@dataclass(frozen=True)
class WeightTile:
    """One weight load: `steps` row-groups from step `first`; `last` ends the reduction."""

    first: int
    steps: int
    last: bool
    address: int


@dataclass(frozen=True)
class GroupTiles:
    """The weight tiles of one group of output channels, in reduction order."""

    outputs: OutputGroup
    tiles: list[WeightTile]


@dataclass(frozen=True)
class _Block:
    """Output pixels that one array command visits."""

    y: int
    x: int
    height: int
    width: int


def tile_bytes(layer: Layer, group: OutputGroup, steps: Steps, tile: slice, params: bool) -> bytes:
    """What LOAD_WEIGHTS reads for one tile: step offsets, parameters when `params`, weights.

    Layout in docs/machine.md; taps or lanes that do not exist hold the weight zero point.
    """
    use, geometry = layer.tiling.use, layer.group.geometry
    head = offset_bytes(steps.offsets[tile], geometry.beat_bytes)
    if params:
        head += _parameter_bytes(layer, group, geometry)
    taps = steps.taps[tile]
    zero = layer.op.weight_zero.value.data
    codes = np.full((use.outputs(geometry), *taps.shape), zero, layer.weights.dtype)
    rows = packed_weights(layer.op, group, layer.weights, use.pixels)
    codes[: len(rows)] = np.where(taps >= 0, rows[:, np.maximum(taps, 0)], zero)
    return head + weight_beats(codes, geometry, use)


def offset_bytes(offsets: NDArray[np.int64], beat: int) -> bytes:
    """Step offsets as LOAD_WEIGHTS reads them, whole beats."""
    data = offsets.astype(np.uint32).tobytes()
    return data + bytes(-len(data) % beat)


def weight_beats(codes: NDArray[np.integer], geometry: Geometry, use: LaneUse) -> bytes:
    """Weight codes [outputs, steps, window bytes] in the order in which LOAD_WEIGHTS reads them."""
    # [weight, cluster, lane, step, bank] -> [weight, step, bank = cluster * Bc + position, lane];
    # clusters that take further bytes are positions already.
    clusters = 1 if use.wide else geometry.clusters
    cube = codes.reshape(-1, clusters, geometry.lanes, *codes.shape[1:])
    by_bank = cube.transpose(0, 3, 1, 4, 2).reshape(len(cube), -1, geometry.banks, geometry.lanes)
    if use.packing is WeightPacking.BYTES:
        return by_bank.astype(np.uint8).tobytes()
    assert codes.min() >= -8, "only weights of 4 bits are packed"
    assert codes.max() <= 7, "only weights of 4 bits are packed"
    low, high = by_bank if use.dual else (by_bank[0, :, 0::2], by_bank[0, :, 1::2])
    return (low & 0xF | (high & 0xF) << 4).astype(np.uint8).tobytes()


def _parameter_bytes(layer: Layer, group: OutputGroup, geometry: Geometry) -> bytes:
    use = layer.tiling.use
    lanes = np.tile(np.arange(group.first, group.first + group.count), use.pixels)
    vectors = (layer.bias[lanes], layer.requant_m[lanes], layer.requant_s[lanes])
    return parameter_bytes(*vectors, parameter_lanes(geometry, use.packing))


def _blocks(layer: Layer, rows: range) -> Iterator[_Block]:
    height, width = layer.tiling.block_hw
    total_width = act_type(layer.op.y).hwc[1]
    for y in range(rows.start, rows.stop, height):
        for x in range(0, total_width, width):
            yield _Block(y, x, min(height, rows.stop - y), min(width, total_width - x))


class ArrayScheduler:
    """Expands convolutions; keeps which ping-pong half was loaded last."""

    def __init__(self, geometry: Geometry, data: DataSegment):
        self._geometry = geometry
        self._data = data
        self._half = 1
        self._group = 0

    def strip(
        self, layer: Layer, groups: list[GroupTiles], fetch: FetchPart, y: View, rows: range
    ) -> list[Step]:
        """Commands that compute output rows `rows` of `layer` into `y`.

        `fetch` gives the operand for the tile of a number, and what brings it to the buffer.
        """
        steps: list[Step] = []
        for group in groups:
            for block in _blocks(layer, rows):
                for number, tile in enumerate(group.tiles):
                    x, loads = fetch(number)
                    zero, packing = layer.op.weight_zero.value.data, layer.tiling.use.packing
                    steps += [*loads, self.load(layer.config, tile, zero, layer.group, packing)]
                    steps.append(self._compute(layer, group.outputs, tile, block, x, y))
        return steps

    def tiles(self, layer: Layer) -> list[GroupTiles]:
        """Write the weight tiles of `layer` to the data segment."""
        sizes, use = layer.tiling.tile_steps, layer.tiling.use
        geometry = layer.group.geometry
        window = use.window_bytes(geometry)
        starts = [0, *accumulate(sizes)]
        found: list[GroupTiles] = []
        for outputs in output_groups(layer.op, geometry, use):
            steps = reduction_steps(layer.op, window, outputs, use.pixels)
            tiles: list[WeightTile] = []
            for number, size in enumerate(sizes):
                last = number == len(sizes) - 1
                part = slice(starts[number], starts[number] + size)
                data = tile_bytes(layer, outputs, steps, part, last)
                tiles.append(WeightTile(starts[number], size, last, self._data.put(data)))
            found.append(GroupTiles(outputs, tiles))
        return found

    def _bases(self) -> dict[str, int]:
        """Where the current half starts."""
        return {
            "row_base": self._half * (self._geometry.bank_rows // 2),
            "step_base": self._half * (self._geometry.step_entries // 2),
            "param_set": self._half,
        }

    def load(
        self,
        config: ArrayConfig,
        tile: WeightTile,
        weight_zero: int,
        group: BankGroup,
        packing: WeightPacking = WeightPacking.BYTES,
    ) -> Step:
        """Load `tile` into the half of `group` that is not in use; `run` uses it from then on."""
        self._half ^= 1
        self._group = group.number
        values = self._bases() | {
            "dram": tile.address,
            "steps": tile.steps,
            "rows": config.rows,
            "pace": weight_pace(group.geometry, packing, config.rows),
            "bits": config.broadcast_bits,
            "pc_bits": config.pc_bits,
            "first_row": config.first_row,
            "cut": config.cut,
            "w_signed": 1,
            "w_zero": weight_zero,
            "has_params": int(tile.last),
            "packing": int(packing),
            "group": group.number,
        }
        comment = f"weights of steps {tile.first}..{tile.first + tile.steps - 1}"
        return make_step(
            Opcode.LOAD_WEIGHTS, values, {half_resource(self._half)}, data=True, comment=comment
        )

    def run(self, config: ArrayConfig, fields: dict[str, int], comment: str) -> Step:
        """An ARRAY command on the tile that was loaded last.

        `fields` are those that do not follow from the half and from `config`.
        """
        reads = fields["steps"] * config.reads
        post = 1 if fields["psum_out"] else ceil(fields["lanes"] / self._geometry.requant_lanes)
        values = self._bases() | fields
        values |= {
            "rows": config.rows,
            "bits": config.broadcast_bits,
            "pc_bits": config.pc_bits,
            "first_row": config.first_row,
            "left_justify": int(config.left_justify),
            "reads": config.reads,
            "masks": sum(mask << 8 * r for r, mask in enumerate(config.masks)),
            "period": max(reads, post),
            "group": self._group,
        }
        resources = {ACTIVATIONS, half_resource(self._half)}
        return make_step(Opcode.ARRAY, values, resources, data=False, comment=comment)

    def _compute(
        self, layer: Layer, group: OutputGroup, tile: WeightTile, block: _Block, x: View, y: View
    ) -> Step:
        op = layer.op
        (sh, sw), (top, left, _, _) = ints(op.strides), ints(op.pads)
        use = layer.tiling.use
        values = {
            "src": x.address(block.y * sh - top, block.x * sw - left),
            "nx": block.width // use.pixels,
            "ny": block.height,
            "src_x": wrap_stride(use.pixels * sw * x.type.hwc[2]),
            "src_y": wrap_stride(sh * x.type.pitch),
            "steps": tile.steps,
            "a_signed": int(x.type.signed),
            "a_zero": x.type.zero_point.data,
            "psum": 0,
            "psum_in": int(tile.first > 0),
            "psum_out": int(not tile.last),
            "lanes": use.pixels * group.count,
            "dst": y.address(block.y, block.x, group.first),
            "dst_x": wrap_stride(use.pixels * y.type.hwc[2]),
            "dst_y": wrap_stride(y.type.pitch),
            "y_zero": y.type.zero_point.data,
            "low": op.low.value.data,
            "high": op.high.value.data,
            "dual": int(use.dual),
            "wide": int(use.wide),
        }
        rows = f"rows {block.y}..{block.y + block.height - 1}"
        comment = f"channels {group.first}..{group.first + group.count - 1}, {rows}"
        return self.run(layer.config, values, comment)
