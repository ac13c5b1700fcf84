"""`cim-allocate`: give every activation map a place in the activation buffer.

Maps live from the op that makes them to their last use. When all of them fit, each gets a fixed
address. Otherwise the largest map alive where memory is short is spilled to DRAM, and the
layers that touch it work on strips of rows: the strips' buffers are placed like maps that live
for one layer only, with as many rows as fit. Where not even the rows of a strip of one row fit,
they come in parts, if the layer allows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, OpResult, SSAValue
from xdsl.passes import ModulePass

from cimc.diagnostics import DoesNotFit, where
from cimc.dialects.cim import ActType, InputOp, LayerOp, OutputOp, PlaceAttr, StripAttr, act_type
from cimc.passes.context import cim_context
from cimc.passes.parts import (
    first_parts,
    in_parts,
    more_parts,
    most_parts,
    part_rows,
    scratch_bytes,
    too_wide,
)
from cimc.passes.strips import input_rows, rows_of_strip
from cimc.targets import Target


@dataclass(frozen=True)
class Interval:
    """A byte range wanted from op `start` to op `end` inclusive."""

    size: int
    start: int
    end: int


def first_fit(intervals: Sequence[Interval], capacity: int, align: int) -> list[int] | None:
    """Addresses for `intervals`, largest first, each as low as possible; None if one fails."""
    order = sorted(range(len(intervals)), key=lambda i: (-intervals[i].size, intervals[i].start, i))
    placed: list[tuple[int, Interval]] = []
    found = [0] * len(intervals)
    for index in order:
        want = intervals[index]
        address = 0
        for at, other in sorted(placed, key=lambda p: p[0]):
            overlap = other.start <= want.end and want.start <= other.end
            if overlap and at < address + want.size:
                address = max(address, -(-(at + other.size) // align) * align)
        if address + want.size > capacity:
            return None
        found[index] = address
        placed.append((address, want))
    return found


class _Allocator:
    """The decision for one function: which maps are spilled, and how many strips each layer has."""

    def __init__(self, ops: Sequence[Operation], capacity: int, target: Target):
        self.capacity = capacity
        self.target = target
        self.beat = target.geometry.beat_bytes
        self.ops = ops
        self.values: list[OpResult] = [r for op in ops for r in op.results]
        position = {op: i for i, op in enumerate(ops)}
        self.lives: dict[SSAValue, tuple[int, int]] = {
            v: (position[v.op], max((position[u.operation] for u in v.uses), default=0))
            for v in self.values
        }
        layers = [op for op in ops if isinstance(op, LayerOp)]
        wide = [op for op in layers if too_wide(op)]
        self.spilled: set[SSAValue] = {op.operands[0] for op in wide}
        self.strips: dict[Operation, int] = dict.fromkeys(layers, 1)
        self.strips |= {op: act_type(op.y).hwc[0] for op in wide}
        self.parts: dict[Operation, int] = {op: first_parts(op) for op in layers}
        self._needs: dict[tuple[Operation, int, int, int], int] = {}

    def solve(self) -> tuple[dict[SSAValue, int], dict[tuple[Operation, int], int]]:
        """Addresses of the resident maps, and of each layer's strip buffers by operand number.

        The result of a layer counts as the operand after its last.

        Raises:
            DoesNotFit: a single row strip of a layer exceeds the buffer.
        """
        while True:
            resident = [v for v in self.values if v not in self.spilled]
            buffers = [(op, i) for op in self.ops for i in self._spilled_ports(op)]
            intervals = [self._interval(v) for v in resident]
            intervals += [self._strip_interval(op, i) for op, i in buffers]
            found = first_fit(intervals, self.capacity, self.beat)
            if found is not None:
                count = len(resident)
                return (
                    dict(zip(resident, found[:count], strict=True)),
                    dict(zip(buffers, found[count:], strict=True)),
                )
            self._make_room()

    def _interval(self, value: SSAValue) -> Interval:
        return Interval(act_type(value).size_bytes, *self.lives[value])

    def _ports(self, op: Operation) -> list[SSAValue]:
        return [*op.operands, *op.results]

    def _spilled_ports(self, op: Operation) -> list[int]:
        if not isinstance(op, LayerOp):
            return []
        return [i for i, v in enumerate(self._ports(op)) if v in self.spilled]

    def _strip_interval(self, op: Operation, port: int) -> Interval:
        at = self.ops.index(op)
        return Interval(self._strip_bytes(op, port), at, at)

    def _strip_bytes(self, op: Operation, port: int) -> int:
        key = op, port, self.strips[op], self.parts[op]
        if key not in self._needs:
            self._needs[key] = self._count_bytes(*key)
        return self._needs[key]

    def _count_bytes(self, op: Operation, port: int, count: int, parts: int) -> int:
        assert isinstance(op, LayerOp)
        strips = rows_of_strip(act_type(op.y).hwc[0], count)
        value = self._ports(op)[port]
        kind = act_type(value)
        if value is op.y:
            runs = strips
        elif in_parts(op, parts):
            runs = part_rows(op, parts, self.target)
        else:
            runs = [input_rows(op, kind, rows) for rows in strips]
        size = max(map(len, runs)) * kind.pitch + 2 * self.beat
        return size if value is op.y else size + scratch_bytes(op, parts, self.beat)

    def _demand(self, op: Operation) -> int:
        at = self.ops.index(op)
        alive = [v for v in self.values if v not in self.spilled and self._alive(v, at)]
        own = sum(self._strip_bytes(op, i) for i in self._spilled_ports(op))
        return own + sum(act_type(v).size_bytes for v in alive)

    def _alive(self, value: SSAValue, at: int) -> bool:
        start, end = self.lives[value]
        return start <= at <= end

    def _make_room(self) -> None:
        """Cut a layer that is short of memory finer, if that can be, else spill a map."""
        worst = max(self.ops, key=self._demand)
        ports = self._spilled_ports(worst)
        at = self.ops.index(worst)
        alive = [v for v in self.values if v not in self.spilled and self._alive(v, at)]
        if isinstance(worst, LayerOp) and ports:
            own = sum(self._strip_bytes(worst, i) for i in ports)
            biggest = max((act_type(v).size_bytes for v in alive), default=0)
            if own >= biggest and self._cut_finer(worst, ports):
                return
        if not alive:
            raise DoesNotFit(
                f"{where(worst)}: one output row needs {self._demand(worst)} bytes of activation "
                f"buffer, the target has {self.capacity} (activation_bytes); "
                "choose a target with a larger buffer"
            )
        self.spilled.add(max(alive, key=lambda v: act_type(v).size_bytes))

    def _cut_finer(self, op: LayerOp, ports: Sequence[int]) -> bool:
        """More strips, or more parts of a strip of one row; False when there can be none."""
        rows = act_type(op.y).hwc[0]
        if self.strips[op] < rows:
            self.strips[op] = min(self.strips[op] * 2, rows)
        elif 0 in ports and self.parts[op] < most_parts(op):
            self.parts[op] = more_parts(op, self.parts[op])
        else:
            return False
        return True


@dataclass(frozen=True)
class AllocatePass(ModulePass):
    """Sets `place` on every op with a result, `strips` on layers that touch spilled maps."""

    name = "cim-allocate"

    capacity: int | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        target = cim_context(ctx).target
        geometry = target.geometry
        capacity = min(geometry.activation_bytes, self.capacity or geometry.activation_bytes)
        ops = [o for o in op.walk() if isinstance(o, LayerOp | InputOp | OutputOp)]
        allocator = _Allocator(ops, capacity, target)
        resident, buffers = allocator.solve()
        dram = 0
        for layer in ops:
            if isinstance(layer, LayerOp):
                layer.strips = _strip_attr(allocator, layer, buffers)
            if isinstance(layer, OutputOp):
                continue
            if layer.y in resident:
                layer.place = PlaceAttr.of("buffer", resident[layer.y])
            else:
                layer.place = PlaceAttr.of("dram", dram)
                dram += _aligned(act_type(layer.y), geometry.beat_bytes)


def _aligned(kind: ActType, beat: int) -> int:
    return ceil(kind.size_bytes / beat) * beat


def _strip_attr(
    allocator: _Allocator, layer: LayerOp, buffers: dict[tuple[Operation, int], int]
) -> StripAttr | None:
    ports = len(layer.operands) + 1
    addresses = [buffers.get((layer, i), -1) for i in range(ports)]
    if max(addresses) < 0:
        return None
    return StripAttr.of(allocator.strips[layer], addresses, allocator.parts[layer])
