"""Parts: the rows of its operand that a layer reads for one output row, a few at a time.

A strip of one output row may read more of a spilled map than the activation buffer holds: a pool
or a matrix product over the whole map, a large kernel, a map that becomes a vector. Such a layer
takes these rows one part after the other.
"""

from __future__ import annotations

from cimc.dialects.cim import ActType, ConvOp, FlattenOp, LayerOp, PoolOp, WindowOp, act_type, ints
from cimc.passes.bank_groups import group_of
from cimc.passes.reduction import output_groups, reduction_steps
from cimc.passes.strips import rows_of_strip
from cimc.targets import Geometry, Target

MAX_WINDOW = 1023
"""Limit of the wx and wy fields of a VECTOR command (cimc/targets/isa.py)."""

LARGEST_SUM = (1 << 31) - 1
"""Of the accumulators, which add what comes in parts."""


def too_wide(op: LayerOp) -> bool:
    """`op` has windows that no command of the vector unit takes whole."""
    return isinstance(op, PoolOp) and max(ints(op.kernel)) > MAX_WINDOW


def first_parts(op: LayerOp) -> int:
    """The smallest number of parts that `op` can go in."""
    return len(_cuts(ints(op.kernel)[0])) if isinstance(op, PoolOp) else 1


def most_parts(op: LayerOp) -> int:
    """The largest number of parts that `op` can go in; 1 when it needs all rows at once."""
    match op:
        case ConvOp():
            return len(op.tiling.tile_steps) if op.tiling else 1
        case PoolOp() if op.kind.data == "max":
            height, width = ints(op.kernel)
            return min(height, MAX_WINDOW // len(_cuts(width)))
        case PoolOp():
            height, width = ints(op.kernel)
            return height if height * width * 255 <= LARGEST_SUM else 1
        case FlattenOp():
            return act_type(op.x).hwc[0]
        case _:
            return 1


def more_parts(op: LayerOp, parts: int) -> int:
    """The next number of parts above `parts` to try; a convolution goes by its weight tiles."""
    most = most_parts(op)
    return most if isinstance(op, ConvOp) else min(2 * parts, most)


def part_rows(op: LayerOp, parts: int, target: Target) -> list[range]:
    """Rows of the operand that each part reads for output row 0.

    Rows of the halo have numbers outside the map. For later rows add `rows_down`.
    """
    match op:
        case ConvOp():
            found = _tile_rows(op, group_of(op, target).geometry)
        case PoolOp():
            down = ints(op.dilations)[0]
            pieces = kernel_parts(op, parts)
            found = [range(k.start * down, (k.stop - 1) * down + 1) for k in pieces]
        case FlattenOp():
            return rows_of_strip(act_type(op.x).hwc[0], parts)
        case _:
            raise NotImplementedError(op.name)
    return [moved(rows, -ints(op.pads)[0]) for rows in found]


def rows_down(op: LayerOp, row: int) -> int:
    """How much further down output `row` reads than row 0."""
    return row * ints(op.strides)[0] if isinstance(op, WindowOp) else 0


def moved(rows: range, by: int) -> range:
    """`rows`, further down."""
    return range(rows.start + by, rows.stop + by)


def kernel_parts(op: PoolOp, parts: int) -> list[range]:
    """The rows of the kernel as `parts` runs."""
    return rows_of_strip(ints(op.kernel)[0], parts)


def kernel_pieces(op: PoolOp, parts: int) -> list[list[tuple[range, range]]]:
    """Rows and columns of the kernel that a command of the vector unit takes, for each part."""
    columns = _cuts(ints(op.kernel)[1])
    return [[(rows, each) for each in columns] for rows in kernel_parts(op, parts)]


def _cuts(size: int) -> list[range]:
    return [range(at, min(at + MAX_WINDOW, size)) for at in range(0, size, MAX_WINDOW)]


def _tile_rows(op: ConvOp, geometry: Geometry) -> list[range]:
    """Rows that each weight tile reads, from that of the window's first pixel."""
    assert op.tiling is not None
    pitch = act_type(op.x).pitch
    use = op.tiling.use
    outputs = output_groups(op, geometry, use)[0]
    steps = reduction_steps(op, use.window_bytes(geometry), outputs, use.pixels)
    first = steps.offsets
    last = first + (steps.taps >= 0).sum(axis=1) - 1
    found: list[range] = []
    at = 0
    for size in op.tiling.tile_steps:
        mine = slice(at, at + size)
        found.append(range(int(first[mine].min()) // pitch, int(last[mine].max()) // pitch + 1))
        at += size
    return found


def scratch_bytes(op: LayerOp, parts: int, beat: int) -> int:
    """Buffer that `op` needs beside its rows: a maximum keeps a row of each piece."""
    if not isinstance(op, PoolOp) or op.kind.data != "max" or not in_parts(op, parts):
        return 0
    pieces = parts * len(_cuts(ints(op.kernel)[1]))
    return pieces * partial_pitch(act_type(op.y), beat)


def in_parts(op: LayerOp, parts: int) -> bool:
    """`op` is to be scheduled by its parts, of which there may be one."""
    return parts > 1 or too_wide(op)


def partial_pitch(y: ActType, beat: int) -> int:
    """Bytes from the partial row of a piece to that of the next."""
    _, width, channels = y.hwc
    return -(-width * channels // beat) * beat
