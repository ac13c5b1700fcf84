"""`cim-schedule`: expand the layers into the commands of the machine, with tokens.

Order: layers as in the function; in a layer strips, channel groups, pixel blocks, weight tiles.
Weight loads alternate between the two halves of the banks, so the load of a tile runs while the
previous one is computed with, across layers too. Taps of depthwise convolutions alternate in the
same way between the halves of the tap memory. The result is `CimContext.schedule`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from cimc.diagnostics import node_names
from cimc.dialects.cim import (
    AddOp,
    ConvOp,
    DepthwiseOp,
    InputOp,
    LayerOp,
    OutputOp,
    PlaceAttr,
    PoolOp,
    VectorLayerOp,
    act_type,
    ints,
)
from cimc.passes.context import CimContext, cim_context
from cimc.passes.parts import in_parts, moved, part_rows, rows_down
from cimc.passes.schedule import vector
from cimc.passes.schedule.array import ArrayScheduler, Layer
from cimc.passes.schedule.commands import DataSegment, Step, move_step
from cimc.passes.schedule.depthwise import DepthwiseScheduler
from cimc.passes.schedule.elementwise import ElementwiseScheduler
from cimc.passes.schedule.in_parts import PartsScheduler
from cimc.passes.schedule.tokens import insert_tokens
from cimc.passes.schedule.views import View, row_bytes, wrap_address
from cimc.passes.strips import input_rows, rows_of_strip
from cimc.targets import Target
from cimc.targets.isa import Opcode


@dataclass(frozen=True)
class TensorRegion:
    """A tensor that a marked command completes: where it lies then, and which op made it."""

    tag: int
    op: Operation
    view: View
    in_dram: bool
    """The view's origin counts from the data segment, else it is a buffer address."""


@dataclass
class Schedule:
    """The expanded program, before it is cut into blocks and DRAM addresses are final."""

    steps: list[Step] = field(default_factory=list[Step])
    data: DataSegment = field(default_factory=lambda: DataSegment(1))
    regions: list[TensorRegion] = field(default_factory=list[TensorRegion])
    dram_offsets: dict[Operation, int] = field(default_factory=dict[Operation, int])
    """Data-segment offset of the tensor of each input and output op."""


StripMaker = Callable[[Sequence[View], View, range], list[Step]]
"""Commands of output rows, from views of the operands and of the result."""


class _Scheduler:
    def __init__(self, ctx: CimContext, ops: Sequence[Operation]):
        self.target: Target = ctx.target
        self.geometry = ctx.target.geometry
        self.store = ctx.weights
        self.schedule = Schedule(data=DataSegment(self.geometry.beat_bytes))
        self.array = ArrayScheduler(self.geometry, self.schedule.data)
        self.depthwise = DepthwiseScheduler(self.geometry, self.schedule.data)
        self.elementwise = ElementwiseScheduler(self.geometry, self.schedule.data, self.store)
        self.in_parts = PartsScheduler(
            self.target, self.schedule.data, self.array, self.elementwise
        )
        self.tags = {op: number for number, op in enumerate(ops, start=1)}
        self.halo: dict[SSAValue, int] = {}
        # Spilled tensors start the data segment: their places count from it.
        self.schedule.data.reserve(max((_spill_end(op) for op in ops), default=0))

    def run(self, op: Operation) -> None:
        """Append the commands of one op."""
        first = len(self.schedule.steps)
        match op:
            case InputOp():
                self._input(op)
            case OutputOp():
                self._output(op)
            case ConvOp() | DepthwiseOp() | PoolOp() | AddOp() | VectorLayerOp():
                self._layer(op)
            case _:
                return
        steps = self.schedule.steps[first:]
        for step in steps:
            step.command.comment = f"{', '.join(node_names(op.location))}: {step.command.comment}"
        if steps:
            steps[-1].command.values |= {"mark": 1, "tag": self.tags[op]}

    def _region(self, op: Operation, view: View, in_dram: bool) -> None:
        self.schedule.regions.append(TensorRegion(self.tags[op], op, view, in_dram))

    def _input(self, op: InputOp) -> None:
        kind = act_type(op.y)
        self.halo[op.y] = kind.zero_point.data
        assert op.place is not None
        if op.place.space.data == "dram":
            self.schedule.dram_offsets[op] = op.place.address.data
            return
        offset = self.schedule.data.reserve(kind.size_bytes)
        self.schedule.dram_offsets[op] = offset
        view = self._resident(op.y)
        move = move_step(Opcode.LOAD, offset, view.origin, kind.size_bytes, "load input")
        self.schedule.steps.append(move)
        self._region(op, view, False)

    def _output(self, op: OutputOp) -> None:
        kind = act_type(op.x)
        place = _place(op.x)
        if place.space.data == "dram":
            self.schedule.dram_offsets[op] = place.address.data
            return
        offset = self.schedule.data.reserve(kind.size_bytes)
        self.schedule.dram_offsets[op] = offset
        view = self._resident(op.x)
        move = move_step(Opcode.STORE, offset, view.origin, kind.size_bytes, "store output")
        self.schedule.steps.append(move)
        self._region(op, View(kind, offset), True)

    def _layer(self, op: LayerOp) -> None:
        height = act_type(op.y).hwc[0]
        count = op.strips.count.data if op.strips else 1
        parts = op.strips.parts.data if op.strips else 1
        if in_parts(op, parts):
            self._layer_in_parts(op, parts)
            return
        strip = self._strip_maker(op)
        for rows in rows_of_strip(height, count):
            views = [self._operand(op, i, rows) for i in range(len(op.operands))]
            y = self._result(op, rows)
            self.schedule.steps += strip(views, y, rows)
            self._store_strip(op, y, rows)
        self._layer_region(op)

    def _layer_in_parts(self, op: LayerOp, parts: int) -> None:
        """As `_layer`, where one output row at a time reads its operand in parts."""
        commands = self.in_parts.maker(op, self.store)
        first = part_rows(op, parts, self.target)
        for row in range(act_type(op.y).hwc[0]):
            needs = [moved(rows, rows_down(op, row)) for rows in first]
            rows = range(row, row + 1)
            y = self._result(op, rows)
            self.schedule.steps += commands(partial(self._part, op, needs), y, row)
            self._store_strip(op, y, rows)
        self._layer_region(op)

    def _part(
        self, op: LayerOp, needs: Sequence[range], number: int
    ) -> tuple[View, Sequence[Step]]:
        """The operand of `op` for part `number`, which reads rows `needs[number]`."""
        return self._spilled_rows(op, 0, needs[number])

    def _strip_maker(self, op: LayerOp) -> StripMaker:
        """What expands one strip of `op`; weights are written to the data segment now, once."""
        match op:
            case ConvOp():
                layer = Layer.of(op, self.store, self.target)
                tiles = self.array.tiles(layer)
                return lambda x, y, rows: self.array.strip(
                    layer, tiles, lambda _: (x[0], ()), y, rows
                )
            case DepthwiseOp():
                taps = self.depthwise.layer(op, self.store)
                return lambda x, y, rows: self.depthwise.strip(taps, x[0], y, rows)
            case PoolOp():
                return lambda x, y, rows: vector.pool(op, x[0], y, rows, self.geometry)
            case AddOp() | VectorLayerOp():
                return lambda x, y, rows: self.elementwise.strip(op, x, y, rows)

    def _layer_region(self, op: LayerOp) -> None:
        place = _place(op.y)
        view = View(act_type(op.y), place.address.data)
        self._region(op, view, place.space.data == "dram")

    def _resident(self, value: SSAValue) -> View:
        return View(act_type(value), _place(value).address.data)

    def _operand(self, op: LayerOp, number: int, rows: range) -> View:
        """View of an operand's rows that output `rows` read, loaded and with its halo filled."""
        value = op.operands[number]
        kind = act_type(value)
        wanted = _halo_value(op, value)
        place = _place(value)
        if place.space.data == "buffer":
            view = self._resident(value)
            if wanted is not None and self.halo.get(value) != wanted:
                top, _, bottom, _ = kind.margins
                everything = range(-top, kind.hwc[0] + bottom)
                self.schedule.steps += vector.fill_halo(view, everything, wanted, self.geometry)
                self.halo[value] = wanted
            return view
        view, steps = self._spilled_rows(op, number, input_rows(op, kind, rows))
        self.schedule.steps += steps
        return view

    def _spilled_rows(self, op: LayerOp, number: int, need: range) -> tuple[View, list[Step]]:
        """View of rows `need` of a spilled operand, and what brings them to its strip buffer."""
        value = op.operands[number]
        kind, wanted, place = act_type(value), _halo_value(op, value), _place(value)
        steps: list[Step] = []
        inside = range(max(need.start, 0), min(need.stop, kind.hwc[0]))
        view = self._strip_view(op, number, place.address.data, need)
        if inside:  # else the strip lies in the padding
            offset, size = row_bytes(kind, inside)
            dram = place.address.data + offset
            address = wrap_address(view.origin + offset)
            comment = f"load rows {inside.start}..{inside.stop - 1}"
            steps.append(move_step(Opcode.LOAD, dram, address, size, comment))
        if wanted is not None:
            steps += vector.fill_halo(view, need, wanted, self.geometry)
        return view, steps

    def _result(self, op: LayerOp, rows: range) -> View:
        place = _place(op.y)
        if place.space.data == "buffer":
            return self._resident(op.y)
        return self._strip_view(op, len(op.operands), place.address.data, rows)

    def _strip_view(self, op: LayerOp, port: int, dram: int, rows: range) -> View:
        """View whose rows `rows` lie in the strip buffer, congruent to DRAM modulo a beat."""
        value = op.operands[port] if port < len(op.operands) else op.y
        assert op.strips is not None
        buffer = op.strips.buffers.data[port].data
        first, _ = row_bytes(act_type(value), rows)
        beat = self.geometry.beat_bytes
        return View(act_type(value), buffer + (dram + first) % beat - first)

    def _store_strip(self, op: LayerOp, y: View, rows: range) -> None:
        place = _place(op.y)
        if place.space.data == "buffer":
            return
        offset, size = row_bytes(y.type, rows)
        address = wrap_address(y.origin + offset)
        comment = f"store rows {rows.start}..{rows.stop - 1}"
        move = move_step(Opcode.STORE, place.address.data + offset, address, size, comment)
        self.schedule.steps.append(move)


def _place(value: SSAValue) -> PlaceAttr:
    owner = value.owner
    assert isinstance(owner, InputOp | LayerOp)
    assert owner.place is not None, "cim-allocate runs before cim-schedule"
    return owner.place


def _spill_end(op: Operation) -> int:
    """First data-segment byte behind the result of `op` when it is spilled, else 0."""
    if isinstance(op, OutputOp) or not op.results:
        return 0
    place = _place(op.results[0])
    spilled = place.space.data == "dram"
    return place.address.data + act_type(op.results[0]).size_bytes if spilled else 0


def _halo_value(op: LayerOp, value: SSAValue) -> int | None:
    """The code that the halo of `value` must hold for `op`, None when `op` reads no halo."""
    if isinstance(op, AddOp | VectorLayerOp) or not any(ints(op.pads)):
        return None
    return op.halo_value.value.data if isinstance(op, PoolOp) else act_type(value).zero_point.data


@dataclass(frozen=True)
class SchedulePass(ModulePass):
    """Sets `CimContext.schedule`; the module is not changed."""

    name = "cim-schedule"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        context = cim_context(ctx)
        ops = [o for o in op.walk() if isinstance(o, InputOp | OutputOp | LayerOp)]
        scheduler = _Scheduler(context, ops)
        for each in ops:
            scheduler.run(each)
        insert_tokens(scheduler.schedule.steps)
        context.schedule = scheduler.schedule
