"""The `cim` dialect: layers on the accelerator, one op a layer.

Activations are 8-bit codes in height, width, channel order with a halo (`!cim.act`). Weights and
requantisation parameters are blobs in the weight store. Passes fill in, one after the other, how a
layer is tiled (`#cim.tiling`) and where its tensors lie (`#cim.place`), so a few
dozen ops describe loops that expand to many thousand commands.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import (
    I64,
    ArrayAttr,
    FloatAttr,
    IntAttr,
    IntegerAttr,
    IntegerType,
    Signedness,
    StringAttr,
    i64,
)
from xdsl.ir import Attribute, Dialect, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    param_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from cimc.diagnostics import verify_fail
from cimc.dialects.nn import BlobAttr
from cimc.dialects.nn.attrs import Ints, int_array

__all__ = [
    "ActType",
    "AddOp",
    "BlobAttr",
    "Cim",
    "ConvOp",
    "InputOp",
    "OutputOp",
    "PlaceAttr",
    "PoolOp",
    "StripAttr",
    "TilingAttr",
]


def _ints(values: Sequence[int]) -> ArrayAttr[IntAttr]:
    return ArrayAttr([IntAttr(int(v)) for v in values])


@irdl_attr_definition
class ActType(ParametrizedAttribute, TypeAttribute):
    """Activation map ``!cim.act<[H, W, C], ui8, zero_point, [top, left, bottom, right]>``.

    `halo` pixels of padding surround the map in memory; an address of the tensor is that of the
    first halo byte. Codes are ui8 or si8.
    """

    name = "cim.act"

    shape: ArrayAttr[IntAttr] = param_def()
    storage: IntegerType = param_def()
    zero_point: IntAttr = param_def()
    halo: ArrayAttr[IntAttr] = param_def()

    @staticmethod
    def of(
        shape: Sequence[int], storage: IntegerType, zero_point: int, halo: Sequence[int]
    ) -> ActType:
        """The type of an H x W x C map with `halo` (top, left, bottom, right)."""
        return ActType(_ints(shape), storage, IntAttr(zero_point), _ints(halo))

    def verify(self) -> None:
        if len(self.shape.data) != 3 or any(d.data < 1 for d in self.shape.data):
            raise VerifyException("cim.act needs three positive sizes: height, width, channels")
        if len(self.halo.data) != 4 or any(d.data < 0 for d in self.halo.data):
            raise VerifyException("cim.act needs a halo of four sizes: top, left, bottom, right")
        if self.storage.width.data != 8:
            raise VerifyException("cim.act holds 8-bit codes")

    @property
    def hwc(self) -> tuple[int, int, int]:
        """Height, width, channels without the halo."""
        h, w, c = (d.data for d in self.shape.data)
        return h, w, c

    @property
    def signed(self) -> bool:
        """Whether codes are int8 (else uint8)."""
        return self.storage.signedness.data == Signedness.SIGNED

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """Halo sizes: top, left, bottom, right."""
        t, left, b, r = (d.data for d in self.halo.data)
        return t, left, b, r

    @property
    def pitch(self) -> int:
        """Bytes from a row to the next, halo included."""
        _, w, c = self.hwc
        _, left, _, right = self.margins
        return (left + w + right) * c

    @property
    def size_bytes(self) -> int:
        """Bytes of the map with its halo."""
        top, _, bottom, _ = self.margins
        return (top + self.hwc[0] + bottom) * self.pitch

    def offset(self, y: int, x: int) -> int:
        """Bytes from the first halo byte to pixel (y, x); negative ones lie in the halo."""
        top, left, _, _ = self.margins
        return (y + top) * self.pitch + (x + left) * self.hwc[2]


@irdl_attr_definition
class TilingAttr(ParametrizedAttribute):
    """How a convolution is cut: ``#cim.tiling<[steps of each tile], [block height, width]>``.

    A tile is what one weight load holds: that many row-groups a bank. A block is the pixels whose
    partial sums are kept while the tiles of the reduction pass by. Loops, outermost first:
    output-channel groups, blocks, tiles, pixels, row-groups, reads.
    """

    name = "cim.tiling"

    steps: ArrayAttr[IntAttr] = param_def()
    block: ArrayAttr[IntAttr] = param_def()

    @staticmethod
    def of(steps: Sequence[int], block: Sequence[int]) -> TilingAttr:
        """The tiling with these tile sizes and this block height and width."""
        return TilingAttr(_ints(steps), _ints(block))

    def verify(self) -> None:
        if not self.steps.data or any(s.data < 1 for s in self.steps.data):
            raise VerifyException("cim.tiling needs at least one tile of at least one step")
        if len(self.block.data) != 2 or any(s.data < 1 for s in self.block.data):
            raise VerifyException("cim.tiling needs a block height and width")

    @property
    def tile_steps(self) -> tuple[int, ...]:
        """Row-groups a bank of each tile."""
        return tuple(s.data for s in self.steps.data)

    @property
    def block_hw(self) -> tuple[int, int]:
        """Pixels of a block: height, width."""
        h, w = (s.data for s in self.block.data)
        return h, w


@irdl_attr_definition
class PlaceAttr(ParametrizedAttribute):
    """Where a tensor lies: ``#cim.place<"buffer" | "dram", byte address>``."""

    name = "cim.place"

    space: StringAttr = param_def()
    address: IntAttr = param_def()

    @staticmethod
    def of(space: str, address: int) -> PlaceAttr:
        """The place at `address` of `space`."""
        return PlaceAttr(StringAttr(space), IntAttr(address))

    def verify(self) -> None:
        if self.space.data not in ("buffer", "dram"):
            raise VerifyException(f"cim.place knows buffer and dram, not '{self.space.data}'")


@irdl_attr_definition
class StripAttr(ParametrizedAttribute):
    """How a layer with spilled tensors runs: ``#cim.strip<count, [address of each strip buffer]>``.

    Output rows are cut into `count` equal runs. Addresses are in operand order, the result last;
    -1 for a tensor that is resident and needs no strip buffer.
    """

    name = "cim.strip"

    count: IntAttr = param_def()
    buffers: ArrayAttr[IntAttr] = param_def()

    def verify(self) -> None:
        if self.count.data < 1:
            raise VerifyException("cim.strip needs at least one strip")


def act_type(value: SSAValue) -> ActType:
    """The `!cim.act` type of `value`."""
    assert isinstance(value.type, ActType)
    return value.type


def ints(attr: Ints) -> tuple[int, ...]:
    """The integers of an `array<i64: ...>`."""
    return tuple(int(v) for v in attr.get_values())


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
        steps = ("bias", self.bias), ("requant_m", self.requant_m), ("requant_s", self.requant_s)
        for name, blob in steps:
            if blob.type.get_shape() != (k,):
                raise verify_fail(self, f"{name} must have {k} elements")


@irdl_op_definition
class PoolOp(IRDLOperation):
    """Window reduction on the vector unit, per channel.

    kind "max": y = clamp(rhe((max x - x_zero) * m0 / 2^shift) + y_zero, low, high);
    kind "sum": the same of sum (x - x_zero). A halo byte counts as it is stored.
    `halo_value` is the code that the halo must hold (lowest code for max).
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


@irdl_op_definition
class AddOp(IRDLOperation):
    """y = clamp(rhe(((a - a_zero) * m0 + (b - b_zero) * m1) / 2^shift) + y_zero, low, high)."""

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
        if not act_type(self.a).hwc == act_type(self.b).hwc == act_type(self.y).hwc:
            raise verify_fail(
                self,
                f"shapes differ: {act_type(self.a).hwc}, {act_type(self.b).hwc}, "
                f"{act_type(self.y).hwc}",
            )


def window_outputs(op: ConvOp | PoolOp) -> tuple[int, int]:
    """Output height and width of a window op: floor((in + pads - span) / stride) + 1."""
    h, w, _ = act_type(op.x).hwc
    (kh, kw), (sh, sw) = ints(op.kernel), ints(op.strides)
    (dh, dw), (top, left, bottom, right) = ints(op.dilations), ints(op.pads)
    oh = (h + top + bottom - (kh - 1) * dh - 1) // sh + 1
    return oh, (w + left + right - (kw - 1) * dw - 1) // sw + 1


def verify_halo(op: ConvOp | PoolOp, x: ActType) -> None:
    """Raise when the padding that `op` reads is larger than the halo that `x` has in memory."""
    need = ints(op.pads)
    if any(n > m for n, m in zip(need, x.margins, strict=True)):
        raise verify_fail(op, f"pads {need} exceed the halo {x.margins} of its input")


LayerOp = ConvOp | PoolOp | AddOp

Cim = Dialect(
    "cim",
    [InputOp, OutputOp, ConvOp, PoolOp, AddOp],
    [ActType, TilingAttr, PlaceAttr, StripAttr],
)
