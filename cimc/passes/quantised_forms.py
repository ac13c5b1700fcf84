"""The quantised form of each operation, given codes and the scale of the result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import BoolAttr, TensorType
from xdsl.ir import Attribute, Operation, SSAValue

from cimc.diagnostics import pass_fail
from cimc.dialects.nn import (
    ActivatedOp,
    AddOp,
    AveragePoolOp,
    ClipOp,
    FlattenOp,
    GlobalAveragePoolOp,
    MaxPoolOp,
    NnOp,
    PoolOp,
    QuantizeOp,
    QuantType,
    ReluOp,
    UnflattenOp,
    WeightedOp,
    int_array,
    int_attr,
    quant_of,
    shape_of,
)
from cimc.passes.canonicalise_nn import NO_CLAMP, clamp_of
from cimc.passes.nn_layers import NO_PADS
from cimc.passes.quantise_weights import weight_properties
from cimc.passes.ranges import code_limits
from cimc.quant import encode_multiplier, encode_multipliers
from cimc.weights import WeightStore

Properties = dict[str, Attribute | None]
Ends = tuple[int, int]

UNUSED = ("activation", "clip_min", "clip_max", "histogram")
"""Properties that the quantised form does not have: its clamp holds the activation."""

KEEPS = (MaxPoolOp, FlattenOp)
"""Operations whose result has the scale and zero point of their operand."""

ONE_CELL: Properties = {
    "kernel": int_array((1, 1)),
    "strides": int_array((1, 1)),
    "pads": int_array(NO_PADS),
    "count_include_pad": BoolAttr.from_bool(True),
}
"""Window of a pool that only rescales and clamps."""


def has_form(op: Operation) -> bool:
    """`op` can compute on codes."""
    if isinstance(op, ReluOp | ClipOp):
        return len(shape_of(op.x)) in (2, 4)
    return isinstance(op, WeightedOp | AddOp | PoolOp | FlattenOp)


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
            case FlattenOp():
                pass
            case MaxPoolOp():
                properties |= {"m0": int_attr(1), "shift": int_attr(0)} | clamp
            case AveragePoolOp():
                properties |= mean_properties(inputs[0], y, op.kernel.get_values()) | clamp
            case GlobalAveragePoolOp():
                properties |= mean_properties(inputs[0], y, shape_of(op.x)[2:]) | clamp
            case ReluOp() | ClipOp():
                return recode(operands[0], y, (low, high))
            case _:
                raise pass_fail(op, "has no quantised form")
        return [type(op)(operands, TensorType(y, shape_of(op.y)), properties)]


def narrowed(op: NnOp, y: QuantType, ends: Ends) -> Ends:
    """`ends`, narrowed by the activation of `op`."""
    interval = (clamp_of(op) if isinstance(op, ActivatedOp | ReluOp | ClipOp) else None) or NO_CLAMP
    first, last = (round(end / y.scale_value) + y.zero for end in interval)
    low, high = (min(max(end, first), last) for end in ends)
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


def grid_of(op: QuantizeOp) -> tuple[QuantType, Ends]:
    """Type and clamp of a quantisation."""
    y = quant_of(op.y)
    assert y is not None
    return y, (op.low.value.data, op.high.value.data)


def grid_of_readers(value: SSAValue) -> tuple[QuantType, Ends] | None:
    """Type and clamp that the model gives float `value`: those of all of its readers, if equal."""
    readers = [use.operation for use in value.uses]
    grids = {grid_of(op) for op in readers if isinstance(op, QuantizeOp)}
    alone = len(grids) == 1 and all(isinstance(op, QuantizeOp) for op in readers)
    return grids.pop() if alone else None


def fits(codes: SSAValue, y: QuantType, ends: Ends) -> bool:
    """`codes` are codes of type `y` within `ends` already."""
    if quant_of(codes) != y:
        return False
    low, high = code_limits(codes)
    return ends[0] <= low and high <= ends[1]


def sum_properties(op: AddOp, a: QuantType, b: QuantType, y: QuantType) -> Properties:
    """Integer factors of an addition."""
    factors = (a.scale_value / y.scale_value, b.scale_value / y.scale_value)
    if max(factors) >= 1 << 31:
        raise pass_fail(op, f"operands are {max(factors):.3g} times as large as the result")
    (m0, m1), shift = encode_multipliers(*factors)
    return {"m0": int_attr(m0), "m1": int_attr(m1), "shift": int_attr(shift)}


def mean_properties(x: QuantType, y: QuantType, kernel: Sequence[int]) -> Properties:
    """Integer factor of a mean over `kernel` cells."""
    m0, shift = encode_multiplier(x.scale_value / (y.scale_value * math.prod(kernel)))
    return {"m0": int_attr(m0), "shift": int_attr(shift)}
