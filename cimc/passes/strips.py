"""Strips: runs of output rows, and the input rows that each of them reads."""

from __future__ import annotations

from itertools import pairwise

from cimc.dialects.cim import ActType, AddOp, LayerOp, ints


def rows_of_strip(height: int, strips: int) -> list[range]:
    """Output rows 0..height-1 as `strips` runs that differ by at most one row."""
    cuts = [height * i // strips for i in range(strips + 1)]
    return [range(a, b) for a, b in pairwise(cuts) if b > a]


def input_rows(op: LayerOp, x: ActType, rows: range) -> range:
    """Rows of operand `x` (halo rows have numbers outside the map) that output `rows` read."""
    if isinstance(op, AddOp):
        return rows
    stride, top = ints(op.strides)[0], ints(op.pads)[0]
    span = (ints(op.kernel)[0] - 1) * ints(op.dilations)[0] + 1
    first = rows.start * stride - top
    last = (rows.stop - 1) * stride - top + span
    assert first >= -x.margins[0], "the verifier keeps pads within the halo"
    return range(first, last)
