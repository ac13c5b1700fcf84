"""Operations of `nn` that treat each element, or each channel, alone, and changes of shape."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

from xdsl.dialects.builtin import I64, Float64Type, FloatAttr, IntegerAttr, UnitAttr
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
    shape_of,
)
from cimc.dialects.nn.base import ONE_OPERAND, TWO_OPERANDS, ActivatedOp, OneInputOp
from cimc.dialects.nn.shapes import (
    check_fields,
    check_rank,
    check_result,
    check_same_kind,
    check_window,
    dims,
)


class TwoInputOp(ActivatedOp, ABC):
    """Two tensors of one shape; `b` may instead have one value a channel: [N, C, 1, 1]."""

    a = operand_def(Tensor)
    b = operand_def(Tensor)

    def verify_operands(self, fields: Sequence[str]) -> None:
        """Check shapes, and `fields` of the quantised form."""
        self.verify_activation()
        quantised = check_same_kind(self, self.a, self.b, self.y)
        a, b = shape_of(self.a), shape_of(self.b)
        if b not in (a, (*a[:2], *[1] * len(a[2:]))):
            raise verify_fail(self, f"shapes differ: {dims(a)} and {dims(b)}")
        check_result(self, self.y, a)
        check_fields(self, quantised, fields)
        if quantised:
            self.verify_clamp()


@irdl_op_definition
class AddOp(TwoInputOp):
    """a + b, or a - b with `negate_b`.

    Quantised:
    y = clamp(rhe(((a - a.zero) * m0 + (b - b.zero) * m1) / 2^shift) + y.zero, low, high),
    m1 being negative for a difference.
    """

    name = "nn.add"
    assembly_format = TWO_OPERANDS

    negate_b = opt_prop_def(UnitAttr)
    m0 = opt_prop_def(IntegerAttr[I64])
    m1 = opt_prop_def(IntegerAttr[I64])
    shift = opt_prop_def(IntegerAttr[I64])

    def verify_(self) -> None:
        """Check shapes and the fields of the quantised form."""
        self.verify_operands(("m0", "m1", "shift", "low", "high"))
        if quant_of(self.y) is not None and self.negate_b is not None:
            raise verify_fail(self, "quantised form must not have negate_b; m1 is negative instead")


@irdl_op_definition
class MulOp(TwoInputOp):
    """a * b.

    Quantised: y = clamp(rhe((a - a.zero) * (b - b.zero) * m0 / 2^shift) + y.zero, low, high).
    """

    name = "nn.mul"
    assembly_format = TWO_OPERANDS

    m0 = opt_prop_def(IntegerAttr[I64])
    shift = opt_prop_def(IntegerAttr[I64])

    def verify_(self) -> None:
        """Check shapes and the fields of the quantised form."""
        self.verify_operands(("m0", "shift", "low", "high"))


@irdl_op_definition
class BatchNormOp(OneInputOp):
    """Per channel: (x - mean) * scale / sqrt(variance + epsilon) + bias (float only)."""

    name = "nn.batch_norm"
    assembly_format = ONE_OPERAND

    scale = prop_def(BlobAttr)
    bias = prop_def(BlobAttr)
    mean = prop_def(BlobAttr)
    variance = prop_def(BlobAttr)
    epsilon = prop_def(FloatAttr[Float64Type])

    def verify_(self) -> None:
        """Check that each parameter has one value a channel."""
        self.verify_elementwise()
        check_same_kind(self, self.x, self.y)
        channels = [*shape_of(self.x), 0, 0][1]
        for name in ("scale", "bias", "mean", "variance"):
            blob = self.properties[name]
            assert isinstance(blob, BlobAttr)
            if blob.shape != (channels,):
                raise verify_fail(self, f"{name} must have {channels} values, got {blob.type}")


@irdl_op_definition
class ReluOp(OneInputOp):
    """max(x, 0) (float only: quantised, it is a clamp of its producer)."""

    name = "nn.relu"
    assembly_format = ONE_OPERAND

    def verify_(self) -> None:
        """Check the types."""
        self.verify_elementwise()


@irdl_op_definition
class ClipOp(OneInputOp):
    """min(max(x, clip_min), clip_max) (float only: quantised, it is a clamp of its producer)."""

    name = "nn.clip"
    assembly_format = ONE_OPERAND

    clip_min = prop_def(FloatAttr[Float64Type])
    clip_max = prop_def(FloatAttr[Float64Type])

    def verify_(self) -> None:
        """Check types and order of the ends."""
        self.verify_elementwise()
        low, high = self.clip_min.value.data, self.clip_max.value.data
        if not low <= high:
            raise verify_fail(self, f"clip_min {low} is above clip_max {high}")


@irdl_op_definition
class PadOp(OneInputOp):
    """Adds `pads` = top, left, bottom, right cells of the real number `value` to each map."""

    name = "nn.pad"
    assembly_format = ONE_OPERAND

    pads = prop_def(Ints)
    value = prop_def(FloatAttr[Float64Type])

    def verify_(self) -> None:
        """Check the shape of the result."""
        batch, channels, height, width = check_rank(self, self.x, 4)
        pads = self.pads.get_values()
        check_window(self, pads=pads)
        check_same_kind(self, self.x, self.y)
        out = (height + pads[0] + pads[2], width + pads[1] + pads[3])
        check_result(self, self.y, (batch, channels, *out))
