"""Operations of the `cim` dialect that multiply by constant weights."""

from __future__ import annotations

from xdsl.dialects.builtin import I64, IntegerAttr, StringAttr
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
from cimc.dialects.cim.attrs import ActType, PlaceAttr, StripAttr, TilingAttr
from cimc.dialects.cim.windows import act_type, ints, verify_halo, window_outputs
from cimc.dialects.nn import BlobAttr
from cimc.dialects.nn.attrs import Ints


@irdl_op_definition
class ConvOp(IRDLOperation):
    """Convolution or matrix product on the array, then requantisation.

    acc[k] = sum over (ky, kx, c) of sgn * P(|w - w_zero|, |a - a_zero|), P the multiplier's table;
    y = clamp(rhe((acc + bias[k]) * m[k] / 2^s[k]) + y_zero, low, high)   (docs/numerics.md).

    weights: int8 codes [K, kh, kw, C / group]; bias: int32 [K]; requant_m: int32 [K] (24 bits,
    unsigned); requant_s: uint8 [K].
    """

    name = "cim.conv"

    x = operand_def(ActType)
    y = result_def(ActType)
    weights = prop_def(BlobAttr)
    bias = prop_def(BlobAttr)
    requant_m = prop_def(BlobAttr)
    requant_s = prop_def(BlobAttr)
    kernel = prop_def(Ints)
    strides = prop_def(Ints)
    pads = prop_def(Ints)
    dilations = prop_def(Ints)
    group = prop_def(IntegerAttr[I64])
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])
    weight_zero = prop_def(IntegerAttr[I64])
    weight_bits = prop_def(IntegerAttr[I64])
    activation_bits = prop_def(IntegerAttr[I64])
    stored_bits = prop_def(IntegerAttr[I64])
    broadcast_bits = prop_def(IntegerAttr[I64])
    multiplier = prop_def(StringAttr)
    source_op = prop_def(StringAttr)
    tiling = opt_prop_def(TilingAttr)
    place = opt_prop_def(PlaceAttr)
    strips = opt_prop_def(StripAttr)
    cycles = opt_prop_def(IntegerAttr[I64])

    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$x attr-dict `:` type($x) `->` type($y)"

    def __init__(self, x: SSAValue, y: ActType, properties: dict[str, Attribute]):
        super().__init__(operands=[x], result_types=[y], properties=properties)

    def verify_(self) -> None:
        k, kh, kw, cg = self.weights.type.get_shape()
        _, _, c = act_type(self.x).hwc
        oh, ow, ok = act_type(self.y).hwc
        if cg * self.group.value.data != c or ok != k or k % self.group.value.data:
            raise verify_fail(
                self,
                f"weights are {k}x{kh}x{kw}x{cg} in {self.group.value.data} groups, "
                f"but the map has {c} channels in and {ok} out",
            )
        if (kh, kw) != ints(self.kernel):
            raise verify_fail(self, f"kernel {ints(self.kernel)} differs from weights {kh}x{kw}")
        if (oh, ow) != window_outputs(self):
            raise verify_fail(self, f"output is {oh}x{ow}, expected {window_outputs(self)}")
        verify_halo(self, act_type(self.x))
        verify_requantisation(self, k)


@irdl_op_definition
class DepthwiseOp(IRDLOperation):
    """Convolution of each channel by itself on the vector unit, exact, then requantisation.

    acc[c] = sum over (ky, kx) of (a - a_zero) * (w - w_zero), requantised as by cim.conv.

    weights: int8 or uint8 codes [C, kh, kw]; bias: int32 [C]; requant_m: int32 [C] (24 bits,
    unsigned); requant_s: uint8 [C].
    """

    name = "cim.depthwise"

    x = operand_def(ActType)
    y = result_def(ActType)
    weights = prop_def(BlobAttr)
    bias = prop_def(BlobAttr)
    requant_m = prop_def(BlobAttr)
    requant_s = prop_def(BlobAttr)
    kernel = prop_def(Ints)
    strides = prop_def(Ints)
    pads = prop_def(Ints)
    dilations = prop_def(Ints)
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])
    weight_zero = prop_def(IntegerAttr[I64])
    weight_bits = prop_def(IntegerAttr[I64])
    activation_bits = prop_def(IntegerAttr[I64])
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
        channels, *kernel = self.weights.type.get_shape()
        _, _, c = act_type(self.x).hwc
        oh, ow, oc = act_type(self.y).hwc
        if not channels == c == oc:
            raise verify_fail(
                self, f"weights have {channels} channels, the map {c} in and {oc} out"
            )
        if tuple(kernel) != ints(self.kernel):
            shape = "x".join(map(str, kernel))
            raise verify_fail(self, f"kernel {ints(self.kernel)} differs from weights {shape}")
        if (oh, ow) != window_outputs(self):
            raise verify_fail(self, f"output is {oh}x{ow}, expected {window_outputs(self)}")
        verify_halo(self, act_type(self.x))
        verify_requantisation(self, channels)


def verify_requantisation(op: ConvOp | DepthwiseOp, channels: int) -> None:
    """Raise when a vector of parameters does not have one value for each of `channels`."""
    vectors = ("bias", op.bias), ("requant_m", op.requant_m), ("requant_s", op.requant_s)
    for name, blob in vectors:
        if blob.type.get_shape() != (channels,):
            raise verify_fail(op, f"{name} must have {channels} elements")
