"""Commands of the layers that treat each code alone, or move codes."""

from __future__ import annotations

from collections.abc import Sequence

from cimc.dialects.cim import (
    ActType,
    AddOp,
    ConcatOp,
    CopyOp,
    FlattenOp,
    MulOp,
    ResizeOp,
    ShuffleOp,
    SliceOp,
    TableOp,
    VectorLayerOp,
    ints,
)
from cimc.passes.schedule.commands import (
    ACTIVATIONS,
    LUT,
    DataSegment,
    FetchPart,
    Step,
    make_step,
)
from cimc.passes.schedule.runs import Plane, run_fields
from cimc.passes.schedule.views import View
from cimc.targets import Geometry
from cimc.targets.isa import Opcode, VectorOp
from cimc.weights import WeightStore

Shape = tuple[int, int, int]


class ElementwiseScheduler:
    """Expands these layers; knows which table the look-up memory holds."""

    def __init__(self, geometry: Geometry, data: DataSegment, store: WeightStore):
        self._geometry = geometry
        self._data = data
        self._store = store
        self._tables: dict[str, int] = {}
        self._loaded: str | None = None

    def strip(
        self, op: AddOp | VectorLayerOp, xs: Sequence[View], y: View, rows: range
    ) -> list[Step]:
        """Commands that compute output rows `rows` of `op` from `xs` into `y`."""
        match op:
            case AddOp() | MulOp():
                return self._pair(op, xs[0], xs[1], y, rows)
            case TableOp():
                return self._table(op, xs[0], y, rows)
            case ConcatOp():
                return self._concat(op, xs, y, rows)
            case SliceOp():
                return self._slice(op, xs[0], y, rows)
            case ResizeOp():
                return self._resize(op, xs[0], y, rows)
            case ShuffleOp():
                return self._shuffle(op, xs[0], y, rows)
            case FlattenOp():
                return self._flatten(op, xs[0], y, range(xs[0].type.hwc[0]))
            case _:
                raise NotImplementedError(op.name)

    def _steps(
        self,
        dst: Plane,
        sources: Sequence[Plane],
        shape: Shape,
        fields: dict[str, int],
        comment: str,
    ) -> list[Step]:
        resources = {ACTIVATIONS, LUT} if fields["op"] == VectorOp.LUT else {ACTIVATIONS}
        return [
            make_step(Opcode.VECTOR, fields | loops, resources, data=False, comment=comment)
            for loops in run_fields(dst, sources, shape, self._geometry)
        ]

    def _pair(self, op: AddOp | MulOp, a: View, b: View, y: View, rows: range) -> list[Step]:
        """A sum or product; one value a channel is read again for each pixel."""
        _, width, channels = y.type.hwc
        second = Plane.of(b, rows.start, 0)
        if b.type.hwc != a.type.hwc:
            second = Plane(b.address(0, 0), 0, 0)
        fields = {
            "op": VectorOp.ADD if isinstance(op, AddOp) else VectorOp.MUL,
            "a_signed": int(a.type.signed),
            "b_signed": int(b.type.signed),
            "m0": op.m0.value.data,
            "m1": op.m1.value.data if isinstance(op, AddOp) else 0,
            "shift": op.shift.value.data,
            "a_zero": a.type.zero_point.data,
            "b_zero": b.type.zero_point.data,
            "y_zero": y.type.zero_point.data,
            "low": op.low.value.data,
            "high": op.high.value.data,
        }
        planes = [Plane.of(a, rows.start, 0), second]
        shape = (len(rows), width, channels)
        name = "add" if isinstance(op, AddOp) else "multiply"
        return self._steps(Plane.of(y, rows.start, 0), planes, shape, fields, _text(name, rows))

    def _table(self, op: TableOp, x: View, y: View, rows: range) -> list[Step]:
        key = op.table.key.data
        steps: list[Step] = []
        if key not in self._tables:
            self._tables[key] = self._data.put(self._store.get(key).tobytes())
        if key != self._loaded:
            self._loaded = key
            values = {"dram": self._tables[key]}
            steps.append(make_step(Opcode.LOAD_LUT, values, {LUT}, data=True, comment="table"))
        shape = (len(rows), *y.type.hwc[1:])
        planes = Plane.of(y, rows.start, 0), [Plane.of(x, rows.start, 0)]
        return steps + self._steps(*planes, shape, {"op": VectorOp.LUT}, _text("look up", rows))

    def _concat(self, op: ConcatOp, xs: Sequence[View], y: View, rows: range) -> list[Step]:
        """Each operand goes to its own channels."""
        steps: list[Step] = []
        first = 0
        for x, m0, shift in zip(xs, ints(op.m0), ints(op.shift), strict=True):
            channels = x.type.hwc[2]
            fields = _copy_fields(x.type) | {
                "m0": m0,
                "shift": shift,
                "y_zero": y.type.zero_point.data,
                "low": op.low.value.data,
                "high": op.high.value.data,
            }
            planes = Plane.of(y, rows.start, 0, first), [Plane.of(x, rows.start, 0)]
            shape = (len(rows), y.type.hwc[1], channels)
            comment = _text(f"channels {first}..{first + channels - 1}", rows)
            steps += self._steps(*planes, shape, fields, comment)
            first += channels
        return steps

    def _copy(self, x: View, dst: Plane, src: Plane, shape: Shape, op: CopyOp) -> list[Step]:
        return self._steps(dst, [src], shape, _copy_fields(x.type), op.name.removeprefix("cim."))

    def _slice(self, op: SliceOp, x: View, y: View, rows: range) -> list[Step]:
        """Runs of channels; with a step along the channels each is a run of its own."""
        (top, left, first), (down, across, apart) = ints(op.starts), ints(op.steps)
        _, width, channels = y.type.hwc
        start = top + rows.start * down
        if apart == 1:
            dst = Plane.of(y, rows.start, 0)
            src = Plane.of(x, start, left, first, (down, across))
            return self._copy(x, dst, src, (len(rows), width, channels), op)
        steps: list[Step] = []
        for row in rows:
            dst = Plane(y.address(row, 0), channels, 1)
            at = x.address(top + row * down, left, first)
            src = Plane(at, across * x.type.hwc[2], apart)
            steps += self._copy(x, dst, src, (width, channels, 1), op)
        return steps

    def _resize(self, op: ResizeOp, x: View, y: View, rows: range) -> list[Step]:
        """For each position among the copies of a cell, one copy of the map."""
        down, across = ints(op.scale)
        _, width, channels = x.type.hwc
        steps: list[Step] = []
        for i in range(down):
            mine = [row for row in rows if row % down == i]
            for j in range(across if mine else 0):
                dst = Plane.of(y, mine[0], j, 0, (down, across))
                src = Plane.of(x, mine[0] // down, 0)
                steps += self._copy(x, dst, src, (len(mine), width, channels), op)
        return steps

    def _shuffle(self, op: ShuffleOp, x: View, y: View, rows: range) -> list[Step]:
        """For each group its channels, one by one, to every groups-th place."""
        groups = op.groups.value.data
        _, width, channels = y.type.hwc
        own = channels // groups
        steps: list[Step] = []
        for g in range(groups):
            for part in _joined(rows, x.type, y.type):
                dst = Plane(y.address(part.start, 0, g), channels, groups)
                src = Plane(x.address(part.start, 0, g * own), channels, 1)
                steps += self._copy(x, dst, src, (len(part) * width, own, 1), op)
        return steps

    def flatten_in_parts(
        self, op: FlattenOp, parts: Sequence[range], fetch: FetchPart, y: View
    ) -> list[Step]:
        """The vector of a map whose rows `parts` `fetch` brings."""
        steps: list[Step] = []
        for number, rows in enumerate(parts):
            x, loads = fetch(number)
            steps += [*loads, *self._flatten(op, x, y, rows)]
        return steps

    def _flatten(self, op: FlattenOp, x: View, y: View, rows: range) -> list[Step]:
        """For each channel its codes of `rows` one by one, rows behind each other."""
        height, width, channels = x.type.hwc
        steps: list[Step] = []
        for part in _joined(rows, x.type, x.type):
            dst = Plane(y.address(0, 0, part.start * width), height * width, 1)
            src = Plane(x.address(part.start, 0), 1, channels)
            steps += self._copy(x, dst, src, (channels, len(part) * width, 1), op)
        return steps


def _joined(rows: range, *kinds: ActType) -> list[range]:
    """`rows` in parts whose pixels follow each other without a gap in maps of all `kinds`."""
    if all(kind.margins[1] + kind.margins[3] == 0 for kind in kinds):
        return [rows]
    return [range(row, row + 1) for row in rows]


def _copy_fields(kind: ActType) -> dict[str, int]:
    """A maximum of one code, which copies it."""
    zero = kind.zero_point.data
    low, high = (-128, 127) if kind.signed else (0, 255)
    return {
        "op": VectorOp.MAX,
        "a_signed": int(kind.signed),
        "wx": 1,
        "wy": 1,
        "m0": 1,
        "shift": 0,
        "a_zero": zero,
        "y_zero": zero,
        "low": low,
        "high": high,
    }


def _text(what: str, rows: range) -> str:
    return f"{what}, rows {rows.start}..{rows.stop - 1}"
