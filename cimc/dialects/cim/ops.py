"""Operations of the `cim` dialect without weights; unions of those that compute."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import I64, FloatAttr, IntegerAttr, StringAttr, i64
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure

from cimc.diagnostics import verify_fail
from cimc.dialects.cim.attrs import ActType, PlaceAttr, StripAttr
from cimc.dialects.cim.weighted import ConvOp, DepthwiseOp
from cimc.dialects.cim.windows import (
    act_type,
    pool_factors,
    verify_halo,
    verify_pair,
    window_outputs,
    windows_inside,
)
from cimc.dialects.nn import divisors_of
from cimc.dialects.nn.attrs import Ints, int_array


@irdl_op_definition
class InputOp(IRDLOperation):
    """A network input: codes arrive in DRAM and are loaded whole.

    The host packs them: code = clamp(rhe(x / scale) + zero_point), halo bytes = zero_point.
    """

    name = "cim.input"

    y = result_def(ActType)
    input_name = prop_def(StringAttr)
    scale = prop_def(FloatAttr)
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])
    place = opt_prop_def(PlaceAttr)
    cycles = opt_prop_def(IntegerAttr[I64])

    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "attr-dict `:` type($y)"

    def __init__(self, name: str, scale: FloatAttr, low: int, high: int, y: ActType):
        super().__init__(
            result_types=[y],
            properties={
                "input_name": StringAttr(name),
                "scale": scale,
                "low": IntegerAttr(low, i64),
                "high": IntegerAttr(high, i64),
            },
        )


@irdl_op_definition
class OutputOp(IRDLOperation):
    """A network output: codes are stored in DRAM; the host makes (code - zero_point) * scale.

    `shape` is the ONNX shape (batch 1) that the host gives it, from channel, height, width order.
    """

    name = "cim.output"

    x = operand_def(ActType)
    output_name = prop_def(StringAttr)
    scale = prop_def(FloatAttr)
    shape = prop_def(Ints)
    cycles = opt_prop_def(IntegerAttr[I64])

    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$x attr-dict `:` type($x)"

    def __init__(self, x: SSAValue, name: str, scale: FloatAttr, shape: Sequence[int]):
        super().__init__(
            operands=[x],
            properties={
                "output_name": StringAttr(name),
                "scale": scale,
                "shape": int_array(shape),
            },
        )


@irdl_op_definition
class PoolOp(IRDLOperation):
    """Window reduction on the vector unit, per channel.

    kind "max": y = clamp(rhe((max x - x_zero) * m0 / 2^shift) + y_zero, low, high);
    kind "sum": the same of sum (x - x_zero). A halo byte counts as it is stored.
    `halo_value` is the code that the halo must hold (lowest code for max).

    A sum with `divisors` has factors[i] and shifts[i] in place of m0 and shift where divisors[i]
    cells of its window (at least 1) lie inside the map.
    """

    name = "cim.pool"

    x = operand_def(ActType)
    y = result_def(ActType)
    kind = prop_def(StringAttr)
    kernel = prop_def(Ints)
    strides = prop_def(Ints)
    pads = prop_def(Ints)
    dilations = prop_def(Ints)
    m0 = prop_def(IntegerAttr[I64])
    shift = prop_def(IntegerAttr[I64])
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])
    halo_value = prop_def(IntegerAttr[I64])
    divisors = opt_prop_def(Ints)
    factors = opt_prop_def(Ints)
    shifts = opt_prop_def(Ints)
    source_op = prop_def(StringAttr)
    place = opt_prop_def(PlaceAttr)
    strips = opt_prop_def(StripAttr)
    cycles = opt_prop_def(IntegerAttr[I64])

    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$x attr-dict `:` type($x) `->` type($y)"

    def __init__(self, x: SSAValue, y: ActType, properties: dict[str, Attribute]):
        super().__init__(operands=[x], result_types=[y], properties=properties)

    def verify_(self) -> None:
        if self.kind.data not in ("max", "sum"):
            raise verify_fail(self, f"kind must be max or sum, not '{self.kind.data}'")
        oh, ow, oc = act_type(self.y).hwc
        if oc != act_type(self.x).hwc[2]:
            raise verify_fail(self, f"{act_type(self.x).hwc[2]} channels in, {oc} out")
        if (oh, ow) != window_outputs(self):
            raise verify_fail(self, f"output is {oh}x{ow}, expected {window_outputs(self)}")
        verify_halo(self, act_type(self.x))
        if missing := divisors_of(windows_inside(self)) - pool_factors(self).keys():
            raise verify_fail(self, f"divisors lack {sorted(missing)}")


@irdl_op_definition
class AddOp(IRDLOperation):
    """y = clamp(rhe(((a - a_zero) * m0 + (b - b_zero) * m1) / 2^shift) + y_zero, low, high).

    `b` may be [1, 1, C]: one value a channel.
    """

    name = "cim.add"

    a = operand_def(ActType)
    b = operand_def(ActType)
    y = result_def(ActType)
    m0 = prop_def(IntegerAttr[I64])
    m1 = prop_def(IntegerAttr[I64])
    shift = prop_def(IntegerAttr[I64])
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])
    source_op = prop_def(StringAttr)
    place = opt_prop_def(PlaceAttr)
    strips = opt_prop_def(StripAttr)
    cycles = opt_prop_def(IntegerAttr[I64])

    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$a `,` $b attr-dict `:` type($a) `,` type($b) `->` type($y)"

    def __init__(self, a: SSAValue, b: SSAValue, y: ActType, properties: dict[str, Attribute]):
        super().__init__(operands=[a, b], result_types=[y], properties=properties)

    def verify_(self) -> None:
        verify_pair(self)


WindowOp = ConvOp | DepthwiseOp | PoolOp
"""Layers that read a window of their input for each output pixel."""

LayerOp = WindowOp | AddOp
"""Everything that computes; each makes one map."""
