"""Commands of a sum over windows whose rows come in parts: the array adds what it reads.

The vector unit ends every command with 8 bits; the accumulators of the array keep 32 bits between
commands. Lane l multiplies channel l by 1, exactly, so one weight tile does for all windows: only
the address that it reads from moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import ceil

import numpy as np

from cimc.dialects.cim import PoolOp, act_type, ints, pool_factors, windows_inside
from cimc.multipliers.base import ArrayConfig
from cimc.passes.bank_groups import exact_ones
from cimc.passes.parts import kernel_parts
from cimc.passes.schedule.array import ArrayScheduler, WeightTile, offset_bytes, weight_beats
from cimc.passes.schedule.commands import DataSegment, FetchPart, Step, parameter_bytes
from cimc.passes.schedule.views import View
from cimc.targets import BankGroup, Geometry, Target
from cimc.targets.packing import LaneUse


@dataclass(frozen=True)
class _Sum:
    """What one accumulator entry adds up: `count` channels from `first` of output column `x`."""

    x: int
    first: int
    count: int
    factor: tuple[int, int]
    """m0 and shift."""


@dataclass(frozen=True)
class SumRow:
    """Output `row` of a pool of kind "sum".

    lanes: channels added at once; steps: array steps that read them; cells: neighbours in a
    row of the window that one command adds.
    """

    op: PoolOp
    row: int
    lanes: int
    steps: int
    cells: int

    def sums(self) -> list[_Sum]:
        """All of the row."""
        _, width, channels = act_type(self.op.y).hwc
        return [
            _Sum(x, first, min(self.lanes, channels - first), self._factor(x))
            for x, first in product(range(width), range(0, channels, self.lanes))
        ]

    def _factor(self, x: int) -> tuple[int, int]:
        inside = windows_inside(self.op)
        if inside is None:
            return self.op.m0.value.data, self.op.shift.value.data
        return pool_factors(self.op)[max(1, inside[0][self.row] * inside[1][x])]

    def runs(self, kernel: range) -> list[tuple[int, range]]:
        """Rows `kernel` of the window, cut into runs of at most `cells`."""
        width = ints(self.op.kernel)[1]
        cuts = [range(at, min(at + self.cells, width)) for at in range(0, width, self.cells)]
        return list(product(kernel, cuts))


class SumScheduler:
    """Expands pools of kind "sum", a row at a time."""

    def __init__(self, target: Target, data: DataSegment, array: ArrayScheduler):
        self._target = target
        self._data = data
        self._array = array

    @cached_property
    def _place(self) -> tuple[BankGroup, ArrayConfig]:
        """Where the sums are made, and how ones are stored there."""
        return exact_ones(self._target)

    @property
    def _geometry(self) -> Geometry:
        return self._place[0].geometry

    @property
    def _config(self) -> ArrayConfig:
        return self._place[1]

    def of(self, op: PoolOp, row: int) -> SumRow:
        """Output `row` of `op`, cut for this machine."""
        geometry = self._geometry
        most = min(geometry.bank_rows // 2 // self._config.rows, geometry.step_entries // 2)
        channels = act_type(op.y).hwc[2]
        lanes = min(channels, geometry.outputs, most * geometry.reduction_banks)
        steps = ceil(lanes / geometry.reduction_banks)
        return SumRow(op, row, lanes, steps, min(ints(op.kernel)[1], most // steps))

    def strip(self, layer: SumRow, parts: int, fetch: FetchPart, y: View) -> list[Step]:
        """Commands that compute `layer` into `y`, from the parts that `fetch` brings."""
        sums, entries = layer.sums(), self._geometry.psum_entries
        steps: list[Step] = []
        for at in range(0, len(sums), entries):
            steps += self._together(layer, sums[at : at + entries], parts, fetch, y)
        return steps

    def _together(
        self, layer: SumRow, sums: Sequence[_Sum], parts: int, fetch: FetchPart, y: View
    ) -> list[Step]:
        """As many sums as there are accumulator entries, at most."""
        tiles = {factor: self._tile(layer, factor) for factor in {each.factor for each in sums}}
        loaded: WeightTile | None = None
        steps: list[Step] = []
        pieces = kernel_parts(layer.op, parts)
        for number, kernel in enumerate(pieces):
            x, loads = fetch(number)
            steps += loads
            runs, last = layer.runs(kernel), number == len(pieces) - 1
            for entry, each in enumerate(sums):
                if tiles[each.factor] is not loaded:
                    loaded = tiles[each.factor]
                    steps.append(self._array.load(self._config, loaded, 0, self._place[0]))
                for i, run in enumerate(runs):
                    ends = number + i > 0, not last or i < len(runs) - 1
                    steps.append(self._add(layer, each, run, (entry, *ends), x, y))
        return steps

    def _tile(self, layer: SumRow, factor: tuple[int, int]) -> WeightTile:
        """Write ones and the requantisation parameters to the data segment."""
        geometry, banks = self._geometry, self._geometry.reduction_banks
        apart = ints(layer.op.dilations)[1] * act_type(layer.op.x).hwc[2]
        cell, step = np.divmod(np.arange(layer.cells * layer.steps), layer.steps)
        codes = np.zeros((geometry.outputs, len(step), banks), np.int64)
        channel = step[:, None] * banks + np.arange(banks)
        own = np.nonzero(channel < layer.lanes)
        codes[channel[own], *own] = 1
        bias, m, s = (np.full(layer.lanes, value, np.int64) for value in (0, *factor))
        data = offset_bytes(cell * apart + step * banks, geometry.beat_bytes)
        data += parameter_bytes(bias, m, s, geometry.outputs) + weight_beats(
            codes, geometry, LaneUse()
        )
        return WeightTile(0, len(step), True, self._data.put(data))

    def _add(
        self,
        layer: SumRow,
        each: _Sum,
        run: tuple[int, range],
        entry: tuple[int, bool, bool],
        x: View,
        y: View,
    ) -> Step:
        """Add the cells of `run`; `entry` says which accumulators, whether read, whether kept."""
        op, (ky, cells), (psum, psum_in, psum_out) = layer.op, run, entry
        (sh, sw), (dh, dw) = ints(op.strides), ints(op.dilations)
        top, left, _, _ = ints(op.pads)
        values = {
            "src": x.address(
                layer.row * sh - top + ky * dh, each.x * sw - left + cells.start * dw, each.first
            ),
            "nx": 1,
            "ny": 1,
            "src_x": 0,
            "src_y": 0,
            "steps": len(cells) * layer.steps,
            "a_signed": int(x.type.signed),
            "a_zero": x.type.zero_point.data,
            "psum": psum,
            "psum_in": int(psum_in),
            "psum_out": int(psum_out),
            "lanes": each.count,
            "dst": y.address(layer.row, each.x, each.first),
            "dst_x": 0,
            "dst_y": 0,
            "y_zero": y.type.zero_point.data,
            "low": op.low.value.data,
            "high": op.high.value.data,
        }
        comment = f"sum of kernel row {ky}, columns {cells.start}..{cells.stop - 1}"
        return self._array.run(self._config, values, comment)
