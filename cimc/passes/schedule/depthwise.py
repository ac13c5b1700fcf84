"""Commands of a depthwise convolution: tap loads in ping-pong halves, one beat of channels each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.cim import DepthwiseOp, ints
from cimc.passes.schedule.commands import (
    ACTIVATIONS,
    DataSegment,
    Step,
    make_step,
    parameter_bytes,
    tap_resource,
)
from cimc.passes.schedule.views import View, wrap_stride
from cimc.targets import Geometry
from cimc.targets.isa import Opcode, VectorOp
from cimc.weights import WeightStore

MAX_PIXELS_PER_AXIS = 4095
"""Limit of the n1 and n2 fields of a VECTOR command (cimc/targets/isa.py)."""


@dataclass(frozen=True)
class TapTile:
    """What one LOAD_TAPS brings: the weights and parameters of `count` channels from `first`."""

    first: int
    count: int
    address: int


@dataclass(frozen=True)
class DepthwiseLayer:
    """A depthwise convolution whose taps are in the data segment."""

    op: DepthwiseOp
    signed: bool
    """Weight codes are int8, else uint8."""
    tiles: list[TapTile]


class DepthwiseScheduler:
    """Expands depthwise convolutions; keeps which ping-pong half the next load goes to."""

    def __init__(self, geometry: Geometry, data: DataSegment):
        self._geometry = geometry
        self._data = data
        self._half = 0

    def layer(self, op: DepthwiseOp, store: WeightStore) -> DepthwiseLayer:
        """Write taps and parameters of `op` to the data segment, a beat of channels a tile.

        Bytes of channels that do not exist hold the weight zero point.
        """
        blobs = (op.weights, op.bias, op.requant_m, op.requant_s)
        w, bias, m, s = (store.get(b.key.data).astype(np.int64) for b in blobs)
        taps: NDArray[np.int64] = w.reshape(len(w), -1).T
        beat = self._geometry.beat_bytes
        tiles: list[TapTile] = []
        for first in range(0, len(w), beat):
            part = slice(first, first + beat)
            count = len(w[part])
            codes = np.full((len(taps), beat), op.weight_zero.value.data, np.int64)
            codes[:, :count] = taps[:, part]
            data = (codes & 0xFF).astype(np.uint8).tobytes()
            data += parameter_bytes(bias[part], m[part], s[part], beat)
            tiles.append(TapTile(first, count, self._data.put(data)))
        signed = store.get(op.weights.key.data).dtype == np.int8
        return DepthwiseLayer(op, signed, tiles)

    def strip(self, layer: DepthwiseLayer, x: View, y: View, rows: range) -> list[Step]:
        """Commands that compute output rows `rows` of `layer` from `x` into `y`."""
        steps: list[Step] = []
        for tile in layer.tiles:
            steps.append(self._load(layer.op, tile))
            for part, columns in _blocks(rows, y.type.hwc[1]):
                steps.append(self._compute(layer, tile, x, y, part, columns))
            self._half ^= 1
        return steps

    def _base(self) -> int:
        return self._half * (self._geometry.vector_taps // 2)

    def _load(self, op: DepthwiseOp, tile: TapTile) -> Step:
        height, width = ints(op.kernel)
        values = {
            "dram": tile.address,
            "taps": height * width,
            "base": self._base(),
            "param_set": self._half,
        }
        comment = f"taps of {_channels(tile)}"
        resources = {tap_resource(self._half)}
        return make_step(Opcode.LOAD_TAPS, values, resources, data=True, comment=comment)

    def _compute(
        self, layer: DepthwiseLayer, tile: TapTile, x: View, y: View, rows: range, columns: range
    ) -> Step:
        op = layer.op
        (kh, kw), (sh, sw) = ints(op.kernel), ints(op.strides)
        (dh, dw), (top, left, _, _) = ints(op.dilations), ints(op.pads)
        channels = x.type.hwc[2]
        values = {
            "op": VectorOp.DEPTHWISE,
            "a_signed": int(x.type.signed),
            "b_signed": int(layer.signed),
            "a": x.address(rows.start * sh - top, columns.start * sw - left, tile.first),
            "dst": y.address(rows.start, columns.start, tile.first),
            "n0": 1,
            "n1": len(columns),
            "n2": len(rows),
            "a1": wrap_stride(sw * channels),
            "a2": wrap_stride(sh * x.type.pitch),
            "b0": wrap_stride(dw * channels),
            "b1": wrap_stride(dh * x.type.pitch),
            "d1": wrap_stride(channels),
            "d2": wrap_stride(y.type.pitch),
            "wx": kw,
            "wy": kh,
            "tail": tile.count,
            "a_zero": x.type.zero_point.data,
            "b_zero": op.weight_zero.value.data,
            "y_zero": y.type.zero_point.data,
            "low": op.low.value.data,
            "high": op.high.value.data,
            "tap_base": self._base(),
            "param_set": self._half,
        }
        comment = f"depthwise, {_channels(tile)}, rows {rows.start}..{rows.stop - 1}"
        resources = {ACTIVATIONS, tap_resource(self._half)}
        return make_step(Opcode.VECTOR, values, resources, data=False, comment=comment)


def _channels(tile: TapTile) -> str:
    return f"channels {tile.first}..{tile.first + tile.count - 1}"


def _blocks(rows: range, width: int) -> Iterator[tuple[range, range]]:
    """Output rows and columns of each command: the whole strip, unless a loop is too short."""
    limit = MAX_PIXELS_PER_AXIS
    for y in range(rows.start, rows.stop, limit):
        for x in range(0, width, limit):
            yield range(y, min(y + limit, rows.stop)), range(x, min(x + limit, width))
