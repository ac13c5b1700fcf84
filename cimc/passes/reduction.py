"""Which input bytes a convolution reads in each array access, and which weights meet them.

One step reads consecutive bytes of the HWC map, one a bank of a cluster or of all clusters. Runs of
bytes that are contiguous in memory (a kernel row over all channels; the whole window when it spans
the map) are cut into such steps, so a first layer with 3 channels still fills the banks.

Small groups of a grouped convolution are packed: lanes of several groups share the steps that
read the channels of all of them, and weights are zero where a lane meets another group's channels.

Where a convolution has few output channels, several neighbouring pixels are computed together: the
steps read the union of their windows, and each pixel has lanes of its own, whose weights are
zero where they meet what only the windows of the others cover.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.cim import ConvOp, act_type, ints
from cimc.targets import Geometry
from cimc.targets.packing import LaneUse


@dataclass(frozen=True)
class Steps:
    """The reduction of one output pixel.

    offsets: int64 [S], bytes from the window's first pixel, first channel of the map.
    taps: int64 [S, bytes], index into the weights of one output channel over the channels of its
    output group [kh, columns, groups * C / group], -1 where the byte takes no part; columns are
    kw, more when several pixels are computed together (`window_columns`).
    """

    offsets: NDArray[np.int64]
    taps: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets)


@dataclass(frozen=True)
class _Run:
    """Bytes that follow each other in memory, with the tap of the first."""

    offset: int
    tap: int
    length: int


@dataclass(frozen=True)
class OutputGroup:
    """Output channels computed at once: `count` from `first`.

    They belong to the conv groups from `group` on; their steps read the channels of `groups` conv
    groups, of which the last may not exist.
    """

    group: int
    groups: int
    first: int
    count: int


def window_columns(op: ConvOp, pixels: int) -> int:
    """Columns of the map that the windows of `pixels` neighbouring outputs cover together."""
    return ints(op.kernel)[1] + (pixels - 1) * ints(op.strides)[1]


def pixel_counts(op: ConvOp, outputs: int) -> list[int]:
    """How many pixels of a line can be computed together on `outputs` lanes; 1 always.

    Such runs fill lines, and the bytes of their windows follow each other.
    """
    _, width, channels = act_type(op.y).hwc
    if op.group.value.data > 1 or ints(op.dilations)[1] > 1:
        return [1]
    most = max(1, outputs // channels)
    return [count for count in range(1, min(width, most) + 1) if width % count == 0]


def _runs(op: ConvOp, group: int, groups: int, pixels: int = 1) -> list[_Run]:
    """What output channels of conv groups `group` .. `group` + `groups` - 1 read."""
    x = act_type(op.x)
    (kh, _), (dh, dw) = ints(op.kernel), ints(op.dilations)
    kw = window_columns(op, pixels)
    channels = x.hwc[2]
    per_group = channels // op.group.value.data
    span = groups * per_group
    row = kw * channels
    if span == channels and dw == 1 and (kh == 1 or (dh == 1 and x.pitch == row)):
        return [_Run(0, 0, kh * row)]
    if span == channels and dw == 1:
        return [_Run(ky * dh * x.pitch, ky * row, row) for ky in range(kh)]
    first = group * per_group
    return [
        _Run(ky * dh * x.pitch + kx * dw * channels + first, (ky * kw + kx) * span, span)
        for ky in range(kh)
        for kx in range(kw)
    ]


def reduction_steps(op: ConvOp, window_bytes: int, outputs: OutputGroup, pixels: int = 1) -> Steps:
    """The steps of `op` for `outputs` at `pixels` together, each of `window_bytes` bytes.

    There are as many for each output group.
    """
    offsets: list[int] = []
    taps: list[list[int]] = []
    for run in _runs(op, outputs.group, outputs.groups, pixels):
        for at in range(0, run.length, window_bytes):
            offsets.append(run.offset + at)
            left = run.length - at
            taps.append([run.tap + at + c if c < left else -1 for c in range(window_bytes)])
    return Steps(np.array(offsets, np.int64), np.array(taps, np.int64).reshape(-1, window_bytes))


def _packed_groups(op: ConvOp, outputs: int, window_bytes: int) -> int:
    """How many conv groups share their steps: what takes the fewest steps in all, else the fewest.

    More groups fill the bytes of a step better; their outputs must fit the lanes.
    """
    groups = op.group.value.data
    per_group = act_type(op.y).hwc[2] // groups

    def steps(packed: int) -> int:
        lengths = (run.length for run in _runs(op, 0, packed))
        return ceil(groups / packed) * sum(ceil(n / window_bytes) for n in lengths)

    most = max(1, min(groups, outputs // per_group))
    return min(range(1, most + 1), key=steps)


def output_groups(op: ConvOp, geometry: Geometry, use: LaneUse | None = None) -> list[OutputGroup]:
    """Cut the output channels of `op` into runs of at most as many as are computed at once.

    Such a run has whole conv groups, or a part of one.
    """
    total, groups = act_type(op.y).hwc[2], op.group.value.data
    use = use or LaneUse()
    most = use.outputs(geometry)
    packed = _packed_groups(op, most, use.window_bytes(geometry))
    outputs = total // groups * packed
    return [
        OutputGroup(g, packed, first + at, min(most, outputs - at, total - first - at))
        for g in range(0, groups, packed)
        for first in (g * (total // groups),)
        for at in range(0, min(outputs, total - first), most)
    ]


def packed_weights(
    op: ConvOp, outputs: OutputGroup, weights: NDArray[np.integer], pixels: int = 1
) -> NDArray[np.integer]:
    """Weight codes [pixels * count, taps] of the lanes of `outputs`, as their steps index them.

    weights: all of `op` [K, taps]. A lane's weights for channels of other conv groups, and for
    columns of other pixels, are zero.
    """
    lanes = weights[outputs.first : outputs.first + outputs.count]
    if pixels > 1:
        return _weights_by_pixel(op, lanes, pixels)
    if outputs.groups == 1:
        return lanes
    per_group = act_type(op.y).hwc[2] // op.group.value.data
    kh, kw = ints(op.kernel)
    own = lanes.reshape(len(lanes), kh * kw, -1)
    shape = (len(lanes), kh * kw, outputs.groups, own.shape[2])
    diagonal = np.full(shape, op.weight_zero.value.data, lanes.dtype)
    lane = np.arange(len(lanes))
    diagonal[lane, :, lane // per_group] = own
    return diagonal.reshape(len(lanes), -1)


def _weights_by_pixel(op: ConvOp, lanes: NDArray[np.integer], pixels: int) -> NDArray[np.integer]:
    """`lanes` [K, taps] once for each of `pixels`, a stride further right each time."""
    (kh, kw), stride = ints(op.kernel), ints(op.strides)[1]
    own = lanes.reshape(len(lanes), kh, kw, -1)
    shape = (pixels, len(lanes), kh, window_columns(op, pixels), own.shape[3])
    placed = np.full(shape, op.weight_zero.value.data, lanes.dtype)
    for pixel in range(pixels):
        placed[pixel, :, :, pixel * stride : pixel * stride + kw] = own
    return placed.reshape(pixels * len(lanes), -1)
