"""Operations of `nn` that move elements and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdsl.dialects.builtin import I64, IntegerAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import irdl_op_definition, opt_prop_def, prop_def, var_operand_def

from cimc.diagnostics import verify_fail
from cimc.dialects.nn.attrs import Ints, Tensor, quant_of, shape_of
from cimc.dialects.nn.base import ONE_OPERAND, NnOp, OneInputOp
from cimc.dialects.nn.shapes import (
    check_codes,
    check_fields,
    check_rank,
    check_result,
    check_same_kind,
    check_window,
    dims,
)


@irdl_op_definition
class ConcatOp(NnOp):
    """The operands one behind the other along axis 1.

    Quantised, operand i: y = clamp(rhe((x - x.zero) * m0[i] / 2^shift[i]) + y.zero, low, high).
    """

    name = "nn.concat"
    assembly_format = "$xs attr-dict `:` type($xs) `->` type($y)"

    xs = var_operand_def(Tensor)
    m0 = opt_prop_def(Ints)
    shift = opt_prop_def(Ints)
    low = opt_prop_def(IntegerAttr[I64])
    high = opt_prop_def(IntegerAttr[I64])

    def __init__(
        self,
        operands: Sequence[SSAValue[Any]],
        result: Attribute,
        properties: Mapping[str, Attribute | None] | None = None,
    ):
        super(NnOp, self).__init__(
            operands=[operands], result_types=[result], properties=properties or {}
        )

    def verify_(self) -> None:
        """Check shapes and the fields of the quantised form."""
        if not self.xs:
            raise verify_fail(self, "expected at least one operand")
        shapes = [shape_of(x) for x in self.xs]
        batch, *rest = (*shapes[0][:1], *shapes[0][2:])
        for shape in shapes:
            if len(shape) < 2 or [*shape[:1], *shape[2:]] != [batch, *rest]:
                raise verify_fail(
                    self, f"shapes differ beside axis 1: {dims(shapes[0])} and {dims(shape)}"
                )
        check_result(self, self.y, (batch, sum(shape[1] for shape in shapes), *rest))
        quantised = check_same_kind(self, *self.xs, self.y)
        check_fields(self, quantised, ("m0", "shift", "low", "high"))
        if quantised:
            self.verify_integers()

    def verify_integers(self) -> None:
        """Check the fields of the quantised form."""
        assert self.m0 is not None
        assert self.shift is not None
        assert self.low is not None
        assert self.high is not None
        counts = (len(self.m0), len(self.shift))
        if counts != (len(self.xs), len(self.xs)):
            raise verify_fail(
                self, f"m0 and shift must have {len(self.xs)} values, one an operand, got {counts}"
            )
        check_codes(self, self.y, self.low.value.data, self.high.value.data)


class MoveOp(OneInputOp):
    """Its result has the elements, scale and zero point of its operand, elsewhere."""

    def verify_move(self, shape: Sequence[int]) -> None:
        """Check shape of the result, and that quantisation is unchanged."""
        check_result(self, self.y, shape)
        check_same_kind(self, self.x, self.y)
        if quant_of(self.x) != quant_of(self.y):
            raise verify_fail(self, "result must have the scale and zero point of the operand")


@irdl_op_definition
class FlattenOp(MoveOp):
    """[N, C, H, W] to [N, C*H*W], channel outermost as in ONNX."""

    name = "nn.flatten"
    assembly_format = ONE_OPERAND

    def verify_(self) -> None:
        """Check the shape of the result."""
        batch, channels, height, width = check_rank(self, self.x, 4)
        self.verify_move((batch, channels * height * width))


@irdl_op_definition
class UnflattenOp(MoveOp):
    """[N, C] to [N, C, 1, 1]."""

    name = "nn.unflatten"
    assembly_format = ONE_OPERAND

    def verify_(self) -> None:
        """Check the shape of the result."""
        self.verify_move((*check_rank(self, self.x, 2), 1, 1))


@irdl_op_definition
class SliceOp(MoveOp):
    """y[n, c, h, w] = x[n, starts + steps * (c, h, w)], `sizes` positions along C, H, W."""

    name = "nn.slice"
    assembly_format = ONE_OPERAND

    starts = prop_def(Ints)
    sizes = prop_def(Ints)
    steps = prop_def(Ints)

    def verify_(self) -> None:
        """Check that every position lies in the operand."""
        batch, *shape = check_rank(self, self.x, 4)
        starts, sizes = self.starts.get_values(), self.sizes.get_values()
        steps = self.steps.get_values()
        for name, values, least in (
            ("starts", starts, 0),
            ("sizes", sizes, 1),
            ("steps", steps, 1),
        ):
            if len(values) != 3 or min(values) < least:
                raise verify_fail(
                    self, f"{name} must be 3 values of at least {least}, got {list(values)}"
                )
        last = [a + (n - 1) * s for a, n, s in zip(starts, sizes, steps, strict=True)]
        if any(at >= n for at, n in zip(last, shape, strict=True)):
            raise verify_fail(self, f"last position {last} is outside of {dims(shape)}")
        self.verify_move((batch, *sizes))


@irdl_op_definition
class ResizeOp(MoveOp):
    """y[n, c, h, w] = x[n, c, h / scale[0], w / scale[1]], divisions rounded down."""

    name = "nn.resize"
    assembly_format = ONE_OPERAND

    scale = prop_def(Ints)

    def verify_(self) -> None:
        """Check the factors and the shape of the result."""
        batch, channels, height, width = check_rank(self, self.x, 4)
        scale = self.scale.get_values()
        check_window(self, scale=scale)
        self.verify_move((batch, channels, height * scale[0], width * scale[1]))


@irdl_op_definition
class ShuffleOp(MoveOp):
    """Channel shuffle: y[n, i * groups + g] = x[n, g * (C / groups) + i]."""

    name = "nn.shuffle"
    assembly_format = ONE_OPERAND

    groups = prop_def(IntegerAttr[I64])

    def verify_(self) -> None:
        """Check that the groups divide the channels."""
        shape, groups = check_rank(self, self.x, 4), self.groups.value.data
        if groups < 1 or shape[1] % groups:
            raise verify_fail(self, f"groups {groups} must divide {shape[1]} channels")
        self.verify_move(shape)
