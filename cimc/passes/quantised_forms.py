"""The quantised form of each operation, given codes and the scale of the result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue

from cimc.diagnostics import pass_fail
from cimc.dialects.nn import (
    ActivatedOp,
    AddOp,
    AveragePoolOp,
    ClipOp,
    ConcatOp,
    FlattenOp,
    GlobalAveragePoolOp,
    HostOp,
    MaxPoolOp,
    MoveOp,
    MulOp,
    NnOp,
    PoolOp,
    QuantizeOp,
    QuantType,
    ReluOp,
    TwoInputOp,
    UnaryOp,
    UnflattenOp,
    WeightedOp,
    int_attr,
    quant_of,
    shape_of,
)
from cimc.passes.canonicalise_nn import NO_CLAMP, clamp_of
from cimc.passes.quantise_vector import (
    ONE_CELL,
    Properties,
    concat_properties,
    divisor_properties,
    mean_properties,
    scale_properties,
    sum_properties,
    table_properties,
)
from cimc.passes.quantise_weights import weight_properties
from cimc.passes.ranges import code_limits
from cimc.weights import WeightStore

Ends = tuple[int, int]

Grid = tuple[QuantType, Ends]
"""Codes of a tensor, and the smallest and largest that occur."""

UNUSED = ("activation", "clip_min", "clip_max", "negate_b", "histogram")
"""Properties that the quantised form does not have: its clamp holds the activation."""

KEEPS = (MaxPoolOp, MoveOp)
"""Operations whose result has the scale and zero point of their operand."""

OFF_MACHINE = (HostOp, ReturnOp, *KEEPS)
"""Readers of a result of the network; `KEEPS` only if their own result is one."""


def has_form(op: Operation) -> bool:
    """`op` can compute on codes."""
    if isinstance(op, ReluOp | ClipOp):
        return len(shape_of(op.x)) in (2, 4)
    return isinstance(op, WeightedOp | TwoInputOp | UnaryOp | ConcatOp | PoolOp | MoveOp)


@dataclass(frozen=True)
class Forms:
    """Builds quantised forms; integers that are arrays go to `weights`."""

    weights: WeightStore

    def form(
        self,
        op: NnOp,
        operands: Sequence[SSAValue],
        y: QuantType,
        ends: Ends,
        activation_bits: int,
    ) -> list[NnOp]:
        """`op` on codes `operands`, to codes of type `y` within `ends`; the last gives the result.

        `activation_bits` is the precision of what a layer reads. The result of one of `KEEPS`
        has the type of its operand, which must be `y`.

        Raises:
            PassFailedException: `op` has none, or its integers do not fit the machine.
        """
        kinds = [quant_of(operand) for operand in operands]
        inputs = [kind for kind in kinds if kind is not None]
        properties: Properties = {k: v for k, v in op.properties.items() if k not in UNUSED}
        low, high = narrowed(op, y, ends)
        clamp: Properties = {"low": int_attr(low), "high": int_attr(high)}
        match op:
            case WeightedOp():
                found = weight_properties(op, operands[0], y, activation_bits, self.weights)
                properties |= found | clamp
            case AddOp():
                properties |= sum_properties(op, inputs[0], inputs[1], y) | clamp
            case MulOp():
                factor = inputs[0].scale_value * inputs[1].scale_value / y.scale_value
                properties |= scale_properties(factor) | clamp
            case UnaryOp():
                properties |= table_properties(op, inputs[0], y, (low, high), self.weights)
            case ConcatOp():
                properties |= concat_properties(inputs, y) | clamp
            case MoveOp():
                pass
            case MaxPoolOp():
                properties |= {"m0": int_attr(1), "shift": int_attr(0)} | clamp
            case AveragePoolOp():
                properties |= mean_properties(inputs[0], y, op.kernel.get_values()) | clamp
                properties |= divisor_properties(op, inputs[0], y)
            case GlobalAveragePoolOp():
                properties |= mean_properties(inputs[0], y, shape_of(op.x)[2:]) | clamp
            case ReluOp() | ClipOp():
                return recode(operands[0], y, (low, high))
            case _:
                raise pass_fail(op, "has no quantised form")
        return [type(op)(operands, TensorType(y, shape_of(op.y)), properties)]


def narrowed(op: NnOp, y: QuantType, ends: Ends) -> Ends:
    """`ends`, narrowed by the activation of `op`; the nearest of them where it lies beyond."""
    interval = (clamp_of(op) if isinstance(op, ActivatedOp | ReluOp | ClipOp) else None) or NO_CLAMP
    first, last = (round(end / y.scale_value) + y.zero for end in interval)
    low, high = (min(max(end, ends[0]), ends[1]) for end in (first, last))
    return low, high


def recode(codes: SSAValue, y: QuantType, ends: Ends) -> list[NnOp]:
    """`codes` as codes of type `y` within `ends`: a pool of one cell."""
    x, shape = quant_of(codes), shape_of(codes)
    assert x is not None
    properties = ONE_CELL | mean_properties(x, y, (1, 1))
    properties |= {"low": int_attr(ends[0]), "high": int_attr(ends[1])}
    if len(shape) == 4:
        return [AveragePoolOp([codes], TensorType(y, shape), properties)]
    maps = UnflattenOp([codes], TensorType(x, (*shape, 1, 1)))
    pool = AveragePoolOp([maps.y], TensorType(y, (*shape, 1, 1)), properties)
    return [maps, pool, FlattenOp([pool.y], TensorType(y, shape))]


def grid_of(op: QuantizeOp) -> Grid:
    """Type and clamp of a quantisation."""
    y = quant_of(op.y)
    assert y is not None
    return y, (op.low.value.data, op.high.value.data)


def grid_of_readers(value: SSAValue) -> Grid | None:
    """Type and clamp that the model gives float `value`: those of all of its readers, if equal."""
    grids = {grid_of_reader(use.operation) for use in value.uses}
    return grids.pop() if len(grids) == 1 else None


def grid_of_reader(op: Operation) -> Grid | None:
    """Type and clamp that `op`, or what reads its result, gives its operand."""
    if isinstance(op, QuantizeOp):
        return grid_of(op)
    return grid_of_readers(op.y) if isinstance(op, KEEPS) else None


def grid_of_entry(value: SSAValue, seen: tuple[float, float] | None) -> Grid | None:
    """Type and clamp that the model gives `value`, an argument or a result of the host.

    Those of all of its readers on the machine, else of one whose codes reach as far as what
    calibration has `seen`.
    """
    users = [use.operation for use in value.uses]
    readers = [user for user in users if not isinstance(user, HostOp | ReturnOp)]
    grids = {grid_of_reader(reader) for reader in readers}
    if len(grids) == 1:
        return grids.pop()
    given = [grid_of(reader) for reader in readers if isinstance(reader, QuantizeOp)]
    return next((grid for grid in given if seen is not None and reaches(grid, *seen)), None)


def reaches(grid: Grid, low: float, high: float) -> bool:
    """No value from `low` to `high` saturates in `grid` by more than a step."""
    y, ends = grid
    first, last = ((end - y.zero) * y.scale_value for end in ends)
    return first - y.scale_value <= low and high <= last + y.scale_value


def are_scores(value: SSAValue) -> bool:
    """`value` is a result of the network and has one element a channel."""
    return math.prod(shape_of(value)[2:]) == 1 and is_result(value)


def is_result(value: SSAValue) -> bool:
    """Only the host reads `value`, and the machine nothing that the host makes of it."""
    readers = [use.operation for use in value.uses]
    return all(isinstance(op, OFF_MACHINE) and all(map(is_result, op.results)) for op in readers)


def fits(codes: SSAValue, y: QuantType, ends: Ends) -> bool:
    """`codes` are codes of type `y` within `ends` already."""
    if quant_of(codes) != y:
        return False
    low, high = code_limits(codes)
    return ends[0] <= low and high <= ends[1]
