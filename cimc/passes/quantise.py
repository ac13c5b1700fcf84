"""`quantise`: from real numbers to integers; afterwards no operation needs a float.

Weights are symmetric per output channel, activations per tensor: unsigned when nothing negative was
seen, else symmetric signed without the lowest code, so that magnitudes have one bit less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import (
    ArrayAttr,
    BoolAttr,
    DenseArrayBase,
    FunctionType,
    ModuleOp,
    NameLoc,
    StringAttr,
    TensorType,
    UnknownLoc,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from cimc.diagnostics import InvalidInput, pass_fail
from cimc.dialects.nn import (
    AddOp,
    AveragePoolOp,
    BlobAttr,
    ClipOp,
    DequantizeOp,
    FlattenOp,
    GlobalAveragePoolOp,
    MaxPoolOp,
    NnOp,
    QuantizeOp,
    QuantType,
    ReluOp,
    SoftmaxOp,
    WeightedOp,
    int_array,
    int_attr,
    quant_of,
    shape_of,
)
from cimc.interp.nn import end_names, main_function
from cimc.passes.canonicalise_nn import NO_CLAMP, Interval, clamp_of
from cimc.passes.context import cim_context
from cimc.passes.nn_layers import NO_PADS
from cimc.passes.quantise_weights import weight_properties
from cimc.passes.ranges import activation_type, code_range
from cimc.quant import encode_multiplier, encode_multipliers
from cimc.weights import WeightStore

Properties = dict[str, Attribute]
UNUSED = ("activation", "clip_min", "clip_max", "histogram")
"""Properties that the quantised form does not have: its clamp holds the activation."""

ONE_CELL: Properties = {
    "kernel": int_array((1, 1)),
    "strides": int_array((1, 1)),
    "pads": int_array(NO_PADS),
    "count_include_pad": BoolAttr.from_bool(True),
}
"""Window of a pool that only rescales and clamps."""


@dataclass(frozen=True)
class QuantisePass(ModulePass):
    """Rewrites @main on codes, between `nn.quantize` of inputs and `nn.dequantize` of outputs.

    `clip` says how a scale follows from what calibration saw: "mse" takes, where there is a
    histogram, the clipping level with the least mean squared error; "minmax" never clips.
    """

    name = "quantise"

    clip: str = "mse"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Replace the function; stored integers go to the context's store."""
        if self.clip not in ("mse", "minmax"):
            raise InvalidInput(f"{self.name}: clip must be mse or minmax, got '{self.clip}'")
        function = main_function(op)
        new = Quantiser(function, cim_context(ctx).weights, self.clip == "mse").run()
        op.body.block.insert_op_before(new, function)
        op.body.block.erase_op(function)


class Quantiser:
    """Rewrites one function; `values` maps float tensors to quantised ones."""

    def __init__(self, function: FuncOp, weights: WeightStore, clip: bool):
        self.function = function
        self.weights = weights
        self.clip = clip
        self.values: dict[SSAValue[Any], SSAValue[Any]] = {}
        self.bits: dict[SSAValue[Any], int] = {}
        self.block = Block()

    def run(self) -> FuncOp:
        """The quantised function."""
        self.find_bits()
        self.quantise_inputs()
        for op in self.function.body.block.ops:
            if isinstance(op, ReturnOp):
                results = [self.real(value, op) for value in op.arguments]
                self.block.add_op(ReturnOp(*results))
            else:
                assert isinstance(op, NnOp)
                self.quantise(op)
        kind = FunctionType.from_lists(
            [a.type for a in self.block.args], list(self.function.function_type.outputs)
        )
        new = FuncOp(self.function.sym_name.data, kind, Region(self.block))
        new.attributes.update(self.function.attributes)
        new.attributes.pop("arg_histograms", None)
        new.location = self.function.location
        return new

    def find_bits(self) -> None:
        """Bits of every tensor: the most that a layer among its readers wants, else 8."""
        for op in reversed(list(self.function.body.block.ops)):
            for operand in op.operands:
                wanted = 8
                if isinstance(op, WeightedOp) and op.activation_bits is not None:
                    wanted = op.activation_bits.value.data
                elif isinstance(op, MaxPoolOp | FlattenOp):
                    wanted = self.bits.get(op.y, 8)
                self.bits[operand] = max(wanted, self.bits.get(operand, 0))

    def quantise_inputs(self) -> None:
        """Arguments stay float; each is quantised first."""
        ranges, histograms = (
            self.function.attributes.get(name) for name in ("arg_ranges", "arg_histograms")
        )
        names = end_names(self.function, "arg_names")
        for i, argument in enumerate(self.function.body.block.args):
            new = self.block.insert_arg(argument.type, i)
            new.name_hint = argument.name_hint
            if not isinstance(ranges, ArrayAttr):
                raise pass_fail(self.function, "arg_ranges is missing; run calibrate first")
            histogram = histograms.data[i] if isinstance(histograms, ArrayAttr) else None
            quant = self.type_of(argument, ranges.data[i], histogram)
            low, high = code_range(quant, self.bits.get(argument, 8))
            properties = {"low": int_attr(low), "high": int_attr(high)}
            op = QuantizeOp([new], TensorType(quant, shape_of(argument)), properties)
            op.location = NameLoc(StringAttr(names[i]), UnknownLoc())
            self.block.add_op(op)
            self.values[argument] = op.y

    def type_of(
        self, value: SSAValue[Any], seen: Attribute | None, histogram: Attribute | None
    ) -> QuantType:
        """Scale and signedness for `value` from what calibration has seen in it."""
        if not isinstance(seen, DenseArrayBase):
            assert isinstance(value.owner, Operation)
            raise pass_fail(value.owner, "range is missing; run calibrate first")
        low, high = (float(v) for v in seen.get_values())
        counts = None
        if self.clip and isinstance(histogram, BlobAttr):
            counts = self.weights.get(histogram.key.data)
        return activation_type(low, high, self.bits.get(value, 8), counts)

    def real(self, value: SSAValue[Any], user: Operation) -> SSAValue[Any]:
        """`value` as floats, for the host."""
        codes = self.values[value]
        if quant_of(codes) is None:
            return codes
        owner = codes.owner
        op = DequantizeOp([codes], value.type)
        op.location = owner.location if isinstance(owner, Operation) else user.location
        self.block.add_op(op)
        return op.y

    def quantise(self, op: NnOp) -> None:
        """Append the quantised form of `op`."""
        if isinstance(op, SoftmaxOp):
            new: NnOp = SoftmaxOp([self.real(op.x, op)], op.y.type)
        else:
            new = self.quantised(op)
        new.location = op.location
        new.y.name_hint = op.y.name_hint
        self.block.add_op(new)
        self.values[op.y] = new.y

    def quantised(self, op: NnOp) -> NnOp:
        """The quantised form of `op`."""
        operands = [self.values[operand] for operand in op.operands]
        kinds = [quant_of(operand) for operand in operands]
        if any(kind is None for kind in kinds):
            raise pass_fail(op, "follows an operation that runs on the host")
        inputs = [kind for kind in kinds if kind is not None]
        keeps = isinstance(op, MaxPoolOp | FlattenOp)
        y = inputs[0] if keeps else self.type_of(op.y, op.value_range, op.histogram)
        result = TensorType(y, shape_of(op.y))
        properties = {k: v for k, v in op.properties.items() if k not in UNUSED}
        clamp = self.clamp(op, y)
        match op:
            case WeightedOp():
                bits = self.bits[op.x]
                properties |= weight_properties(op, inputs[0], y, bits, self.weights) | clamp
            case AddOp():
                properties |= self.sum_properties(op, inputs[0], inputs[1], y) | clamp
            case FlattenOp():
                pass
            case MaxPoolOp():
                properties |= {"m0": int_attr(1), "shift": int_attr(0)} | clamp
            case AveragePoolOp():
                properties |= mean_properties(inputs[0], y, op.kernel.get_values()) | clamp
            case GlobalAveragePoolOp():
                properties |= mean_properties(inputs[0], y, shape_of(op.x)[2:]) | clamp
            case ReluOp() | ClipOp() if len(shape_of(op.x)) == 4:
                properties = ONE_CELL | mean_properties(inputs[0], y, (1, 1)) | clamp
                return AveragePoolOp(operands, result, properties)
            case _:
                raise pass_fail(op, "has no quantised form")
        return type(op)(operands, result, properties)

    def sum_properties(self, op: AddOp, a: QuantType, b: QuantType, y: QuantType) -> Properties:
        """Integer factors of an addition."""
        factors = (a.scale_value / y.scale_value, b.scale_value / y.scale_value)
        if max(factors) >= 1 << 31:
            raise pass_fail(op, f"operands are {max(factors):.3g} times as large as the result")
        (m0, m1), shift = encode_multipliers(*factors)
        return {"m0": int_attr(m0), "m1": int_attr(m1), "shift": int_attr(shift)}

    def clamp(self, op: NnOp, y: QuantType) -> Properties:
        """`low` and `high`: the codes of the precision, narrowed by the activation of `op`."""
        low, high = code_range(y, self.bits.get(op.y, 8))
        interval: Interval = clamp_of(op) or NO_CLAMP
        first, last = (round(end / y.scale_value) + y.zero for end in interval)
        low, high = (min(max(end, first), last) for end in (low, high))
        return {"low": int_attr(low), "high": int_attr(high)}


def mean_properties(x: QuantType, y: QuantType, kernel: tuple[int, ...]) -> Properties:
    """Integer factor of a mean over `kernel` cells."""
    m0, shift = encode_multiplier(x.scale_value / (y.scale_value * kernel[0] * kernel[1]))
    return {"m0": int_attr(m0), "shift": int_attr(shift)}
