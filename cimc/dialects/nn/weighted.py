"""Convolution and matrix product with constant weights."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping

from xdsl.dialects.builtin import I64, IntegerAttr, StringAttr, f32, f64, i8, i32
from xdsl.ir import Attribute
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
)

from cimc.diagnostics import verify_fail
from cimc.dialects.nn.attrs import (
    BlobAttr,
    Ints,
    Tensor,
    quant_of,
    ui8,
)
from cimc.dialects.nn.base import ActivatedOp
from cimc.dialects.nn.shapes import (
    check_fields,
    check_rank,
    check_result,
    check_same_kind,
    check_window,
    dims,
    window_shape,
)

WEIGHTED = (
    "$x `weights` qualified($weights) (`bias` qualified($bias)^)? attr-dict"
    " `:` type($x) `->` type($y)"
)


FLOAT_ELEMENTS: Mapping[str, Attribute] = {"weights": f32, "bias": f32, "weight_scales": f64}
QUANTISED_ELEMENTS: Mapping[str, Attribute] = {
    "weights": i8,
    "bias": i32,
    "weight_scales": f64,
    "requant_m": i32,
    "requant_s": ui8,
}
STEPS = ("weight_scales", "weight_zero")
REQUANTISATION = ("requant_m", "requant_s", "low", "high")


class WeightedOp(ActivatedOp, ABC):
    """Dot products with constant weights, plus a bias per output channel o.

    Quantised: weights are int8 codes with zero point `weight_zero` and real step weight_scales[o],
    the bias is int32 in steps of x.scale * weight_scales[o], and
    y = clamp(rhe((acc + bias[o]) * requant_m[o] / 2^requant_s[o]) + y.zero, low, high).
    `weight_bits` and `activation_bits` (of x) are the precision, `multiplier` names the
    approximate multiplier. `magnitude_bits` are widths of |weight - zero| and |x - zero| where
    these are wider than signed codes around 0 of that precision, as code -128 is, or where the
    multiplier has widths of its own.

    Float, with `weight_scales` and `weight_zero`: the weights are exact multiples of these steps,
    because the model arrived quantised, and (weight / scale) + zero are int8 codes.
    """

    x = operand_def(Tensor)
    weights = prop_def(BlobAttr)
    bias = opt_prop_def(BlobAttr)
    weight_scales = opt_prop_def(BlobAttr)
    weight_zero = opt_prop_def(IntegerAttr[I64])
    requant_m = opt_prop_def(BlobAttr)
    requant_s = opt_prop_def(BlobAttr)
    weight_bits = opt_prop_def(IntegerAttr[I64])
    activation_bits = opt_prop_def(IntegerAttr[I64])
    magnitude_bits = opt_prop_def(Ints)
    multiplier = opt_prop_def(StringAttr)

    def verify_weighted(self) -> None:
        """Check the fields that a convolution and a matrix product share."""
        self.verify_activation()
        outputs = self.weights.shape[0]
        for name in ("bias", "weight_scales", "requant_m", "requant_s"):
            blob = self.properties.get(name)
            if isinstance(blob, BlobAttr) and blob.shape != (outputs,):
                raise verify_fail(
                    self, f"{name} must have {outputs} values, one an output, got {blob.type}"
                )
        for name in ("weight_bits", "activation_bits"):
            bits = self.properties.get(name)
            if isinstance(bits, IntegerAttr) and not 2 <= bits.value.data <= 8:
                raise verify_fail(self, f"{name} must be in [2, 8], got {bits.value.data}")
        quantised = check_same_kind(self, self.x, self.y)
        self.verify_elements(QUANTISED_ELEMENTS if quantised else FLOAT_ELEMENTS)
        check_fields(self, quantised, REQUANTISATION)
        if quantised or any(name in self.properties for name in STEPS):
            check_fields(self, True, STEPS)
        if quantised:
            check_fields(self, True, ("weight_bits", "activation_bits"))
            self.verify_clamp()
        self.verify_magnitudes()

    def verify_magnitudes(self) -> None:
        """Check the widths of magnitudes."""
        if self.magnitude_bits is None:
            return
        widths = list(self.magnitude_bits.get_values())
        if len(widths) != 2 or not all(1 <= n <= 8 for n in widths):
            raise verify_fail(
                self, f"magnitude_bits must be 2 values in [1, 8] (weight, x), got {widths}"
            )

    def verify_elements(self, elements: Mapping[str, Attribute]) -> None:
        """Check the element types of the stored arrays."""
        for name, element in elements.items():
            blob = self.properties.get(name)
            if isinstance(blob, BlobAttr) and blob.type.get_element_type() != element:
                raise verify_fail(self, f"{name} must be of {element}, got {blob.type}")


@irdl_op_definition
class ConvOp(WeightedOp):
    """2-D convolution; weights [O, I/group, kh, kw], pads = top, left, bottom, right."""

    name = "nn.conv"
    assembly_format = WEIGHTED

    kernel = prop_def(Ints)
    strides = prop_def(Ints)
    pads = prop_def(Ints)
    dilations = prop_def(Ints)
    group = prop_def(IntegerAttr[I64])

    def verify_(self) -> None:
        """Check shapes of weights and result."""
        batch, channels, *size = check_rank(self, self.x, 4)
        kernel, strides = self.kernel.get_values(), self.strides.get_values()
        pads, dilations = self.pads.get_values(), self.dilations.get_values()
        check_window(self, kernel=kernel, strides=strides, pads=pads, dilations=dilations)
        group, shape = self.group.value.data, self.weights.shape
        if group < 1 or channels % group or not shape or shape[0] % group:
            raise verify_fail(
                self,
                f"group {group} must divide {channels} inputs and the outputs of {dims(shape)}",
            )
        if shape[1:] != (channels // group, *kernel):
            wanted = dims((shape[0], channels // group, *kernel))
            raise verify_fail(self, f"expected weights of shape {wanted}, got {dims(shape)}")
        self.verify_weighted()
        out = window_shape(size, kernel, strides, pads, dilations)
        if min(out) < 1:
            raise verify_fail(self, f"kernel does not fit: result would be {dims(out)}")
        check_result(self, self.y, (batch, shape[0], *out))


@irdl_op_definition
class GemmOp(WeightedOp):
    """Matrix product y[N, O] = x[N, K] W^T + bias; weights [O, K]."""

    name = "nn.gemm"
    assembly_format = WEIGHTED

    def verify_(self) -> None:
        """Check shapes of weights and result."""
        batch, inputs = check_rank(self, self.x, 2)
        if len(self.weights.shape) != 2 or self.weights.shape[1] != inputs:
            raise verify_fail(
                self, f"expected weights of shape Ox{inputs}, got {dims(self.weights.shape)}"
            )
        self.verify_weighted()
        check_result(self, self.y, (batch, self.weights.shape[0]))


def operand_bits(op: WeightedOp) -> tuple[int, int]:
    """Widths (stored, broadcast) of the magnitudes that the array multiplies for `op`.

    Signed codes of n bits around zero point 0 have magnitudes of n - 1 bits, unless
    `magnitude_bits` says otherwise: truncation cuts the stored rows there, pre-computed rows and
    left-justification start from the broadcast one's top.
    """
    if op.magnitude_bits is not None:
        stored, broadcast = op.magnitude_bits.get_values()
        return stored, broadcast
    quant = quant_of(op.x)
    assert quant is not None
    assert op.activation_bits is not None
    assert op.weight_bits is not None
    assert op.weight_zero is not None
    symmetric = quant.signed and quant.zero == 0
    stored = op.weight_bits.value.data - (op.weight_zero.value.data == 0)
    return stored, op.activation_bits.value.data - symmetric
