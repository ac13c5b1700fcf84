"""Strips: runs of output rows, and the input rows that each of them reads."""

from __future__ import annotations

from itertools import pairwise

from cimc.dialects.cim import (
    ActType,
    AddOp,
    FlattenOp,
    LayerOp,
    ResizeOp,
    SliceOp,
    VectorLayerOp,
    act_type,
    ints,
)


def rows_of_strip(height: int, strips: int) -> list[range]:
    """Output rows 0..height-1 as `strips` runs that differ by at most one row."""
    cuts = [height * i // strips for i in range(strips + 1)]
    return [range(a, b) for a, b in pairwise(cuts) if b > a]


def input_rows(op: LayerOp, x: ActType, rows: range) -> range:
    """Rows of operand `x` (halo rows have numbers outside the map) that output `rows` read."""
    if isinstance(op, AddOp | VectorLayerOp):
        return _elementwise_rows(op, x, rows)
    stride, top = ints(op.strides)[0], ints(op.pads)[0]
    span = (ints(op.kernel)[0] - 1) * ints(op.dilations)[0] + 1
    first = rows.start * stride - top
    last = (rows.stop - 1) * stride - top + span
    assert first >= -x.margins[0], "the verifier keeps pads within the halo"
    return range(first, last)


def _elementwise_rows(op: AddOp | VectorLayerOp, x: ActType, rows: range) -> range:
    height = x.hwc[0]
    match op:
        case FlattenOp():
            return range(height)
        case ResizeOp():
            down = ints(op.scale)[0]
            return range(rows.start // down, (rows.stop - 1) // down + 1)
        case SliceOp():
            first, down = ints(op.starts)[0], ints(op.steps)[0]
            return range(first + rows.start * down, first + (rows.stop - 1) * down + 1)
        case _ if height == 1 and act_type(op.y).hwc[0] > 1:
            return range(1)  # one value a channel
        case _:
            return rows
