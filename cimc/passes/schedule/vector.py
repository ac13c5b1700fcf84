"""Commands of the vector unit: pools and halo fills."""

from __future__ import annotations

from itertools import pairwise, product
from math import ceil

from cimc.dialects.cim import PoolOp, act_type, ints, pool_factors, windows_inside
from cimc.passes.parts import kernel_pieces, partial_pitch
from cimc.passes.schedule.commands import ACTIVATIONS, FetchPart, Step, make_step
from cimc.passes.schedule.views import View, wrap_address, wrap_stride
from cimc.targets import Geometry
from cimc.targets.isa import Opcode, VectorOp


def _vector(values: dict[str, int], comment: str) -> Step:
    return make_step(Opcode.VECTOR, values, {ACTIVATIONS}, data=False, comment=comment)


def _beats(count: int, geometry: Geometry) -> dict[str, int]:
    """Inner loop over `count` consecutive bytes of every operand."""
    beats = ceil(count / geometry.beat_bytes)
    stride = geometry.beat_bytes
    tail = count - (beats - 1) * stride
    return {"n0": beats, "tail": tail, "a0": stride, "d0": stride}


def pool(op: PoolOp, x: View, y: View, rows: range, geometry: Geometry) -> list[Step]:
    """Output rows `rows` of a pool: one command for each block of windows with one factor."""
    inside, factors = windows_inside(op), pool_factors(op)
    if inside is None:
        plain = op.m0.value.data, op.shift.value.data
        return [_pool_block(op, x, y, (rows, range(y.type.hwc[1])), plain, geometry)]
    steps: list[Step] = []
    for part, across in product(_equal_runs(inside[0], rows), _equal_runs(inside[1])):
        divisor = max(1, inside[0][part.start] * inside[1][across.start])
        steps.append(_pool_block(op, x, y, (part, across), factors[divisor], geometry))
    return steps


def _equal_runs(values: list[int], within: range | None = None) -> list[range]:
    """The positions `within` a list (all of them by default) as runs of equal values."""
    wanted = range(len(values)) if within is None else within
    starts = [i for i in wanted if i == wanted.start or values[i] != values[i - 1]]
    return [range(a, b) for a, b in pairwise((*starts, wanted.stop))]


def _pool_block(
    op: PoolOp,
    x: View,
    y: View,
    block: tuple[range, range],
    factor: tuple[int, int],
    geometry: Geometry,
) -> Step:
    """The rows and columns of `block`."""
    kh, kw = ints(op.kernel)
    values = _window_fields(op, x, y, block, (range(kh), range(kw)), geometry)
    values |= {
        "m0": factor[0],
        "shift": factor[1],
        "y_zero": y.type.zero_point.data,
        "low": op.low.value.data,
        "high": op.high.value.data,
    }
    rows = block[0]
    return _vector(values, f"{op.kind.data} pool, rows {rows.start}..{rows.stop - 1}")


def _window_fields(
    op: PoolOp,
    x: View,
    y: View,
    block: tuple[range, range],
    kernel: tuple[range, range],
    geometry: Geometry,
) -> dict[str, int]:
    """Fields of a pool over `kernel` of the windows of `block`, but for requantisation."""
    rows, columns = block
    (sh, sw), (dh, dw) = ints(op.strides), ints(op.dilations)
    top, left, _, _ = ints(op.pads)
    channels = x.type.hwc[2]
    first = rows.start * sh - top + kernel[0].start * dh
    column = columns.start * sw - left + kernel[1].start * dw
    return _beats(channels, geometry) | {
        "op": VectorOp.MAX if op.kind.data == "max" else VectorOp.SUM,
        "a_signed": int(x.type.signed),
        "a": x.address(first, column),
        "dst": y.address(rows.start, columns.start),
        "n1": len(columns),
        "n2": len(rows),
        "a1": wrap_stride(sw * channels),
        "a2": wrap_stride(sh * x.type.pitch),
        "b0": wrap_stride(dw * channels),
        "b1": wrap_stride(dh * x.type.pitch),
        "d1": wrap_stride(channels),
        "d2": wrap_stride(y.type.pitch),
        "wx": len(kernel[1]),
        "wy": len(kernel[0]),
        "a_zero": x.type.zero_point.data,
    }


def largest_in_parts(
    op: PoolOp, parts: int, fetch: FetchPart, scratch: int, y: View, row: int, geometry: Geometry
) -> list[Step]:
    """Output `row` of a pool of kind "max": a partial row of each piece, from `scratch` on."""
    x_type = act_type(op.x)
    low, high = (-128, 127) if x_type.signed else (0, 255)
    zero, pitch = x_type.zero_point.data, partial_pitch(y.type, geometry.beat_bytes)
    copied = {"m0": 1, "shift": 0, "y_zero": zero, "low": low, "high": high}
    block = range(row, row + 1), range(y.type.hwc[1])
    steps: list[Step] = []
    count = 0
    for number, pieces in enumerate(kernel_pieces(op, parts)):
        x, loads = fetch(number)
        steps += loads
        for piece in pieces:
            values = _window_fields(op, x, y, block, piece, geometry) | copied
            values["dst"] = wrap_address(scratch + count * pitch)
            steps.append(_vector(values, f"max pool, part {number}"))
            count += 1
    return [
        *steps,
        _largest_of(op, range(scratch, scratch + count * pitch, pitch), y, row, geometry),
    ]


def _largest_of(op: PoolOp, partial: range, y: View, row: int, geometry: Geometry) -> Step:
    """Output `row` from the partial rows at these addresses."""
    _, width, channels = y.type.hwc
    values = _beats(channels, geometry) | {
        "op": VectorOp.MAX,
        "a_signed": int(act_type(op.x).signed),
        "a": partial.start,
        "dst": y.address(row, 0),
        "n1": width,
        "n2": 1,
        "a1": wrap_stride(channels),
        "b1": wrap_stride(partial.step),
        "d1": wrap_stride(channels),
        "wx": 1,
        "wy": len(partial),
        "m0": op.m0.value.data,
        "shift": op.shift.value.data,
        "a_zero": act_type(op.x).zero_point.data,
        "y_zero": y.type.zero_point.data,
        "low": op.low.value.data,
        "high": op.high.value.data,
    }
    return _vector(values, f"max pool, row {row} of {len(partial)} pieces")


def fill_halo(x: View, rows: range, value: int, geometry: Geometry) -> list[Step]:
    """Write `value` to the halo bytes of rows `rows`; rows outside the map are all halo.

    Three runs of bytes: the rows above with the left margin of the first row; between rows the
    right margin of one and the left margin of the next; the end of the last row with those below.
    """
    height, width, channels = x.type.hwc
    _, left, _, right = x.type.margins
    first, last = max(rows.start, 0), min(rows.stop, height) - 1
    begin, end = x.type.offset(rows.start, -left), x.type.offset(rows.stop, -left)
    start = wrap_address(x.origin + begin)
    if first > last:
        return _fill(start, end - begin, 1, 0, value, geometry)
    head = x.type.offset(first, 0) - begin
    tail = end - x.type.offset(last, width)
    steps = _fill(start, head, 1, 0, value, geometry)
    sides = (left + right) * channels
    steps += _fill(x.address(first, width), sides, last - first, x.type.pitch, value, geometry)
    return steps + _fill(x.address(last, width), tail, 1, 0, value, geometry)


def _fill(
    address: int, count: int, repeats: int, pitch: int, value: int, geometry: Geometry
) -> list[Step]:
    if count == 0 or repeats == 0:
        return []
    values = _beats(count, geometry) | {
        "op": VectorOp.FILL,
        "dst": address,
        "n1": repeats,
        "n2": 1,
        "d1": wrap_stride(pitch),
        "y_zero": value,
    }
    values.pop("a0")
    return [_vector(values, f"fill {count} halo bytes with {value}")]
