"""Commands of layers that take their operand in parts, an output row at a time."""

from __future__ import annotations

from collections.abc import Callable

from cimc.dialects.cim import ConvOp, FlattenOp, LayerOp, PoolOp, act_type
from cimc.passes.parts import part_rows
from cimc.passes.schedule import vector
from cimc.passes.schedule.array import ArrayScheduler, Layer
from cimc.passes.schedule.commands import DataSegment, FetchPart, Step
from cimc.passes.schedule.elementwise import ElementwiseScheduler
from cimc.passes.schedule.sums import SumScheduler
from cimc.passes.schedule.views import View
from cimc.targets import Target
from cimc.weights import WeightStore

PartsMaker = Callable[[FetchPart, View, int], list[Step]]
"""Commands of one output row, from the operand in parts and the view of the result."""


class PartsScheduler:
    """Knows which unit takes which layer in parts."""

    def __init__(
        self,
        target: Target,
        data: DataSegment,
        array: ArrayScheduler,
        elementwise: ElementwiseScheduler,
    ):
        self._target = target
        self._array = array
        self._sums = SumScheduler(target, data, array)
        self._elementwise = elementwise

    def maker(self, op: LayerOp, store: WeightStore) -> PartsMaker:
        """What expands one output row of `op`; weights are written to the data segment now."""
        assert op.strips is not None
        parts, geometry = op.strips.parts.data, self._target.geometry
        match op:
            case ConvOp():
                layer = Layer.of(op, store, self._target)
                tiles = self._array.tiles(layer)
                return lambda x, y, row: self._array.strip(layer, tiles, x, y, range(row, row + 1))
            case PoolOp() if op.kind.data == "max":
                at = self._scratch(op, parts)
                return lambda x, y, row: vector.largest_in_parts(op, parts, x, at, y, row, geometry)
            case PoolOp():
                sums = self._sums
                return lambda x, y, row: sums.strip(sums.of(op, row), parts, x, y)
            case FlattenOp():
                rows = part_rows(op, parts, self._target)
                return lambda x, y, _: self._elementwise.flatten_in_parts(op, rows, x, y)
            case _:
                raise NotImplementedError(op.name)

    def _scratch(self, op: PoolOp, parts: int) -> int:
        """Address behind the rows of a part in the strip buffer of the operand, beat aligned."""
        assert op.strips is not None
        needs = part_rows(op, parts, self._target)
        beat = self._target.geometry.beat_bytes
        size = max(map(len, needs)) * act_type(op.x).pitch + beat
        return op.strips.buffers.data[0].data + -(-size // beat) * beat
