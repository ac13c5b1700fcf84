"""Operations of the `cim` dialect that treat each code alone or move codes, on the vector unit.

None of them reads a halo. R(v) = rhe(v / 2^shift), C(v) = clamp(v, low, high); positions are those
of maps [H, W, C].
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

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
    var_operand_def,
)
from xdsl.traits import Pure

from cimc.diagnostics import verify_fail
from cimc.dialects.cim import ops
from cimc.dialects.cim.attrs import ActType, PlaceAttr, StripAttr
from cimc.dialects.cim.windows import act_type, ints, verify_pair
from cimc.dialects.nn import BlobAttr
from cimc.dialects.nn.attrs import Ints, ui8


class VectorLayerOp(IRDLOperation, ABC):
    """What the layers of this file share."""

    y = result_def(ActType)
    source_op = prop_def(StringAttr)
    place = opt_prop_def(PlaceAttr)
    strips = opt_prop_def(StripAttr)
    cycles = opt_prop_def(IntegerAttr[I64])

    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)


class OneMapOp(VectorLayerOp, ABC):
    """One map in, one out."""

    x = operand_def(ActType)

    assembly_format = "$x attr-dict `:` type($x) `->` type($y)"

    def __init__(self, x: SSAValue, y: ActType, properties: dict[str, Attribute]):
        super().__init__(operands=[x], result_types=[y], properties=properties)


@irdl_op_definition
class TableOp(OneMapOp):
    """The byte of y is table[byte of x]; signed codes as two's complement."""

    name = "cim.table"

    table = prop_def(BlobAttr)

    def verify_(self) -> None:
        if (self.table.shape, self.table.type.get_element_type()) != ((256,), ui8):
            raise verify_fail(self, f"table must be 256 values of ui8, got {self.table.type}")
        check_shape(self, act_type(self.x).hwc)


@irdl_op_definition
class MulOp(VectorLayerOp):
    """y = C(R((a - a_zero) * (b - b_zero) * m0) + y_zero); `b` may be [1, 1, C]."""

    name = "cim.mul"
    assembly_format = "$a `,` $b attr-dict `:` type($a) `,` type($b) `->` type($y)"

    a = operand_def(ActType)
    b = operand_def(ActType)
    m0 = prop_def(IntegerAttr[I64])
    shift = prop_def(IntegerAttr[I64])
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])

    def __init__(self, a: SSAValue, b: SSAValue, y: ActType, properties: dict[str, Attribute]):
        super().__init__(operands=[a, b], result_types=[y], properties=properties)

    def verify_(self) -> None:
        verify_pair(self)


@irdl_op_definition
class ConcatOp(VectorLayerOp):
    """The channels of all operands in order; operand i: y = C(R((x - x_zero) * m0[i]) + y_zero).

    R divides by 2^shift[i].
    """

    name = "cim.concat"
    assembly_format = "$xs attr-dict `:` type($xs) `->` type($y)"

    xs = var_operand_def(ActType)
    m0 = prop_def(Ints)
    shift = prop_def(Ints)
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])

    def __init__(self, xs: Sequence[SSAValue], y: ActType, properties: dict[str, Attribute]):
        super().__init__(operands=[xs], result_types=[y], properties=properties)

    def verify_(self) -> None:
        shapes = [act_type(x).hwc for x in self.xs]
        if not shapes or {len(self.m0), len(self.shift)} != {len(shapes)}:
            raise verify_fail(
                self,
                f"{len(shapes)} operands need as many values of m0 and shift, "
                f"got {len(self.m0)} and {len(self.shift)}",
            )
        sizes = {shape[:2] for shape in shapes}
        if len(sizes) > 1:
            raise verify_fail(self, f"shapes differ in height or width: {sorted(sizes)}")
        check_shape(self, (*shapes[0][:2], sum(shape[2] for shape in shapes)))


class CopyOp(OneMapOp, ABC):
    """Codes of x elsewhere; storage and zero point stay."""

    def verify_copy(self, shape: tuple[int, int, int]) -> None:
        """Check shape and type of the result."""
        x, y = act_type(self.x), act_type(self.y)
        if (x.storage, x.zero_point) != (y.storage, y.zero_point):
            raise verify_fail(self, "result must have the storage and zero point of the operand")
        check_shape(self, shape)


@irdl_op_definition
class SliceOp(CopyOp):
    """y[h, w, c] = x[starts + steps * (h, w, c)], `sizes` positions."""

    name = "cim.slice"

    starts = prop_def(Ints)
    sizes = prop_def(Ints)
    steps = prop_def(Ints)

    def verify_(self) -> None:
        shape = act_type(self.x).hwc
        starts, sizes, steps = ints(self.starts), ints(self.sizes), ints(self.steps)
        if not len(starts) == len(sizes) == len(steps) == 3 or min(starts + sizes + steps) < 0:
            raise verify_fail(self, "starts, sizes and steps must be 3 values of at least 0")
        last = [a + (n - 1) * s for a, n, s in zip(starts, sizes, steps, strict=True)]
        if any(at >= n for at, n in zip(last, shape, strict=True)):
            raise verify_fail(self, f"last position {last} is outside of {shape}")
        height, width, channels = sizes
        self.verify_copy((height, width, channels))


@irdl_op_definition
class ResizeOp(CopyOp):
    """y[h, w, c] = x[h / scale[0], w / scale[1], c], divisions rounded down."""

    name = "cim.resize"

    scale = prop_def(Ints)

    def verify_(self) -> None:
        scale = ints(self.scale)
        if len(scale) != 2 or min(scale) < 1:
            raise verify_fail(self, f"scale must be 2 values of at least 1, got {list(scale)}")
        height, width, channels = act_type(self.x).hwc
        self.verify_copy((height * scale[0], width * scale[1], channels))


@irdl_op_definition
class ShuffleOp(CopyOp):
    """y[h, w, i * groups + g] = x[h, w, g * (C / groups) + i]."""

    name = "cim.shuffle"

    groups = prop_def(IntegerAttr[I64])

    def verify_(self) -> None:
        shape, groups = act_type(self.x).hwc, self.groups.value.data
        if groups < 1 or shape[2] % groups:
            raise verify_fail(self, f"groups {groups} must divide {shape[2]} channels")
        self.verify_copy(shape)


@irdl_op_definition
class FlattenOp(CopyOp):
    """y[0, 0, (c * H + h) * W + w] = x[h, w, c]: the order of ONNX, for vectors."""

    name = "cim.flatten"

    def verify_(self) -> None:
        height, width, channels = act_type(self.x).hwc
        self.verify_copy((1, 1, height * width * channels))


def check_shape(op: VectorLayerOp, expected: tuple[int, ...]) -> None:
    """Raise when the result of `op` does not have shape `expected`."""
    if act_type(op.y).hwc != expected:
        raise verify_fail(op, f"result is {act_type(op.y).hwc}, expected {expected}")


LayerOp = ops.LayerOp | VectorLayerOp
"""Everything that computes; each makes one map."""
