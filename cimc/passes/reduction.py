"""Which input bytes a convolution reads in each array access, and which weights meet them.

One step reads `reduction_banks` consecutive bytes of the HWC map. Runs of bytes that are contiguous
in memory (a kernel row over all channels; the whole window when it spans the map) are cut
into such steps, so a first layer with 3 channels still fills the banks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.cim import ActType, ConvOp, act_type, ints


@dataclass(frozen=True)
class Steps:
    """The reduction of one output pixel.

    offsets: int64 [S], bytes from the window's first pixel, first channel of the map.
    taps: int64 [S, Bc], index into the weights of one output channel [kh, kw, C / group], -1 where
    the byte takes no part.
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


def _runs(x: ActType, op: ConvOp, group_index: int) -> list[_Run]:
    (kh, kw), (dh, dw) = ints(op.kernel), ints(op.dilations)
    groups, channels = op.group.value.data, x.hwc[2]
    per_group = channels // groups
    row = kw * channels
    if groups == 1 and dw == 1 and (kh == 1 or (dh == 1 and x.pitch == row)):
        return [_Run(0, 0, kh * row)]
    if groups == 1 and dw == 1:
        return [_Run(ky * dh * x.pitch, ky * row, row) for ky in range(kh)]
    first = group_index * per_group
    return [
        _Run(ky * dh * x.pitch + kx * dw * channels + first, (ky * kw + kx) * per_group, per_group)
        for ky in range(kh)
        for kx in range(kw)
    ]


def reduction_steps(op: ConvOp, reduction_banks: int, group_index: int = 0) -> Steps:
    """The steps of `op` for one of its groups."""
    offsets: list[int] = []
    taps: list[list[int]] = []
    for run in _runs(act_type(op.x), op, group_index):
        for at in range(0, run.length, reduction_banks):
            offsets.append(run.offset + at)
            left = run.length - at
            taps.append([run.tap + at + c if c < left else -1 for c in range(reduction_banks)])
    return Steps(np.array(offsets, np.int64), np.array(taps, np.int64).reshape(-1, reduction_banks))


@dataclass(frozen=True)
class OutputGroup:
    """Output channels computed at once: `count` from `first`, all in conv group `group`."""

    group: int
    first: int
    count: int


def output_groups(op: ConvOp, outputs: int) -> list[OutputGroup]:
    """Cut the output channels of `op` into runs of at most `outputs` lanes, within each group."""
    total = act_type(op.y).hwc[2]
    per_group = total // op.group.value.data
    return [
        OutputGroup(g, g * per_group + at, min(outputs, per_group - at))
        for g in range(op.group.value.data)
        for at in range(0, per_group, outputs)
    ]
