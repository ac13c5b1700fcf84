"""What the operations of `nn` share."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from typing import Any

from xdsl.dialects.builtin import I64, Float64Type, FloatAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    operand_def,
    opt_prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure

from cimc.diagnostics import verify_fail
from cimc.dialects.nn.attrs import BlobAttr, Floats, Tensor
from cimc.dialects.nn.shapes import check_codes

ONE_OPERAND = "$x attr-dict `:` type($x) `->` type($y)"
TWO_OPERANDS = "$a `,` $b attr-dict `:` type($a) `,` type($b) `->` type($y)"


class NnOp(IRDLOperation, ABC):
    """One result `y`, and what calibration has seen in it.

    `range` is the lowest and highest real value; `histogram` counts magnitudes above 0, in equal
    bins from 0 to the smallest power of two that is not below the largest of them.
    """

    y = result_def(Tensor)
    value_range = opt_prop_def(Floats, prop_name="range")
    histogram = opt_prop_def(BlobAttr)

    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(
        self,
        operands: Sequence[SSAValue[Any]],
        result: Attribute,
        properties: Mapping[str, Attribute | None] | None = None,
    ):
        super().__init__(operands=operands, result_types=[result], properties=properties or {})


class ActivatedOp(NnOp, ABC):
    """Clamps its result: "relu" to [0, inf), "clip" to [clip_min, clip_max].

    In quantised form the clamp is `low`..`high` in codes, the activation included.
    """

    activation = opt_prop_def(StringAttr)
    clip_min = opt_prop_def(FloatAttr[Float64Type])
    clip_max = opt_prop_def(FloatAttr[Float64Type])
    low = opt_prop_def(IntegerAttr[I64])
    high = opt_prop_def(IntegerAttr[I64])

    def verify_activation(self) -> None:
        """Check that `activation` is known and a clip has both of its ends."""
        kind = None if self.activation is None else self.activation.data
        if kind not in (None, "relu", "clip"):
            raise verify_fail(self, f'activation must be "relu" or "clip", got "{kind}"')
        ends = (self.clip_min is not None, self.clip_max is not None)
        if ends != (kind == "clip", kind == "clip"):
            raise verify_fail(self, 'clip_min and clip_max go with activation "clip"')

    def verify_clamp(self) -> None:
        """Check `low`..`high` of a quantised form."""
        assert self.low is not None
        assert self.high is not None
        check_codes(self, self.y, self.low.value.data, self.high.value.data)


class OneInputOp(NnOp, ABC):
    """One tensor in, one out."""

    x = operand_def(Tensor)

    def verify_elementwise(self) -> None:
        """Result and operand have one type."""
        if self.x.type != self.y.type:
            raise verify_fail(self, f"result must have type {self.x.type}, got {self.y.type}")
