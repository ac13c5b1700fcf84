"""`quantise`: from real numbers to integers; afterwards no operation needs a float.

Weights are symmetric per output channel, activations per tensor: unsigned when nothing negative was
seen, else symmetric signed without the lowest code, so that magnitudes have one bit less; the
scores of the network have room for larger ones. What arrived quantised stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import (
    DenseArrayBase,
    FunctionType,
    LocationAttr,
    ModuleOp,
    NameLoc,
    StringAttr,
    TensorType,
    UnknownLoc,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from cimc.diagnostics import InvalidInput
from cimc.dialects.nn import (
    ClipOp,
    DequantizeOp,
    HostOp,
    NnOp,
    QuantizeOp,
    ReluOp,
    WeightedOp,
    int_attr,
    quant_of,
    shape_of,
)
from cimc.interp.nn import end_names, main_function
from cimc.passes.code_types import CodeTypes
from cimc.passes.context import cim_context
from cimc.passes.quantised_forms import (
    KEEPS,
    Forms,
    fits,
    grid_of,
    grid_of_entry,
    grid_of_readers,
    recode,
)
from cimc.passes.ranges import IMAGES, bits_of, code_limits, code_range
from cimc.weights import WeightStore

SEEN = ("range", "histogram", "ranges", "histograms")
"""What calibration notes."""


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
    """Rewrites one function; values of the old one are found as codes, as floats, or as both."""

    def __init__(self, function: FuncOp, weights: WeightStore, clip: bool):
        self.function = function
        self.weights = weights
        self.forms = Forms(weights)
        self.types = CodeTypes(function, weights, clip)
        self.codes: dict[SSAValue[Any], SSAValue[Any]] = {}
        self.floats: dict[SSAValue[Any], SSAValue[Any]] = {}
        self.bits = self.types.bits
        self.fewer: dict[tuple[SSAValue[Any], int], SSAValue[Any]] = {}
        self.block = Block()

    def run(self) -> FuncOp:
        """The quantised function."""
        self.quantise_inputs()
        for op in self.function.body.block.ops:
            match op:
                case ReturnOp():
                    results = [self.returned(value, op) for value in op.arguments]
                    self.block.add_op(ReturnOp(*results))
                case QuantizeOp():
                    self.recode(op)
                case DequantizeOp():
                    self.codes[op.y] = self.codes[op.x]
                    self.bits[op.y] = bits_of(self.codes[op.x])
                case HostOp():
                    self.keep_on_host(op)
                case _ if quant_of(op.results[0]) is not None:
                    self.keep(op)
                case _:
                    assert isinstance(op, NnOp)
                    self.quantise(op)
        kind = FunctionType.from_lists(
            [a.type for a in self.block.args], list(self.function.function_type.outputs)
        )
        new = FuncOp(self.function.sym_name.data, kind, Region(self.block))
        new.attributes.update(self.function.attributes)
        for name in ("arg_histograms", IMAGES):
            new.attributes.pop(name, None)
        new.location = self.function.location
        return new

    def quantise_inputs(self) -> None:
        """Arguments stay float; the machine reads them quantised as it wants, or as calibrated."""
        for i, argument in enumerate(self.function.body.block.args):
            new = self.block.insert_arg(argument.type, i)
            new.name_hint = argument.name_hint
            self.floats[argument] = new
            readers = [use.operation for use in argument.uses]
            on_host = [isinstance(reader, HostOp | ReturnOp) for reader in readers]
            if readers and all(on_host):
                continue
            self.integers(argument)

    def entry(self, value: SSAValue[Any]) -> QuantizeOp:
        """Quantisation of an argument or of a result of the host.

        The model's own, where that does for all readers, else by what calibration saw.
        """
        seen, histogram = self.types.seen_in(value)
        interval = None
        if isinstance(seen, DenseArrayBase):
            low, high = seen.get_values()
            interval = float(low), float(high)
        given = grid_of_entry(value, interval)
        if given is None:
            quant = self.types.of(value, seen, histogram)
            given = quant, code_range(quant, self.bits.get(value, 8))
        quant, (low, high) = given
        properties = {"low": int_attr(low), "high": int_attr(high)}
        op = QuantizeOp([self.floats[value]], TensorType(quant, shape_of(value)), properties)
        users = [use.operation for use in value.uses]
        named = [user for user in users if isinstance(user, QuantizeOp) and grid_of(user) == given]
        op.location = named[0].location if named else self.location_of(value)
        op.y.name_hint = named[0].y.name_hint if named else None
        return op

    def location_of(self, value: SSAValue[Any]) -> LocationAttr:
        """Where `value` comes from: a node, or an argument by its name."""
        if isinstance(value.owner, Operation):
            return value.owner.location
        name = end_names(self.function, "arg_names")[self.function.body.block.args.index(value)]
        return NameLoc(StringAttr(name), UnknownLoc())

    def real(self, value: SSAValue[Any], user: Operation) -> SSAValue[Any]:
        """`value` as floats, for the host."""
        if value not in self.floats:
            self.floats[value] = self.dequantised(value, user)
        return self.floats[value]

    def returned(self, value: SSAValue[Any], user: Operation) -> SSAValue[Any]:
        """`value` as floats; each output of the network has a conversion of its own."""
        known = self.floats.get(value)
        if known is None or isinstance(known.owner, DequantizeOp):
            return self.dequantised(value, user)
        return known

    def dequantised(self, value: SSAValue[Any], user: Operation) -> SSAValue[Any]:
        """Floats of `value`, which is there as codes."""
        codes = self.codes[value]
        op = DequantizeOp([codes], value.type)
        owner = codes.owner
        op.location = owner.location if isinstance(owner, Operation) else user.location
        self.block.add_op(op)
        return op.y

    def integers(self, value: SSAValue[Any]) -> SSAValue[Any]:
        """`value` as codes, for the machine; what is there as floats is quantised here."""
        if value not in self.codes:
            op = self.entry(value)
            self.block.add_op(op)
            self.codes[value] = op.y
        return self.codes[value]

    def quantise(self, op: NnOp) -> None:
        """Append the quantised form of `op`."""
        self.append(op, self.quantised(op))

    def append(self, op: NnOp, new: Sequence[NnOp]) -> None:
        """Append `new`, which stands for `op`."""
        for each in new:
            each.location = op.location
            self.block.add_op(each)
        new[-1].y.name_hint = op.y.name_hint
        self.codes[op.y] = new[-1].y

    def quantised(self, op: NnOp) -> list[NnOp]:
        """The quantised form of `op`."""
        operands = [self.integers(operand) for operand in op.operands]
        bits = self.bits.get(op.operands[0], 8)
        if isinstance(op, WeightedOp) and op.activation_bits is not None:
            wanted = op.activation_bits.value.data
            operands[0] = self.with_fewer_bits(op.operands[0], wanted, op)
            bits = min(bits, wanted)
        given = grid_of_readers(op.y)
        if isinstance(op, KEEPS) or (given is None and limits_codes(op)):
            kind = quant_of(operands[0])
            assert kind is not None
            y, ends = kind, code_limits(operands[0])
        elif given is not None:
            y, ends = given
        else:
            y = self.types.of(op.y, op.value_range, op.histogram)
            ends = code_range(y, self.bits.get(op.y, 8))
        return self.forms.form(op, operands, y, ends, bits)

    def with_fewer_bits(self, value: SSAValue[Any], bits: int, user: Operation) -> SSAValue[Any]:
        """Codes of `value` of at most `bits` bits, where calibration has seen it.

        Made once, in front of the first `user`; the other readers keep theirs.
        """
        codes, source = self.codes[value], value
        while isinstance(source.owner, KEEPS):
            source = source.owner.x
        seen, histogram = self.types.seen_in(source)
        if bits >= self.bits.get(value, 8) or not isinstance(seen, DenseArrayBase):
            return codes
        if (value, bits) not in self.fewer:
            y = self.types.of(source, seen, histogram, bits)
            for each in recode(codes, y, code_range(y, bits)):
                each.location = user.location
                self.block.add_op(each)
                self.fewer[value, bits] = each.y
        return self.fewer[value, bits]

    def keep(self, op: Operation) -> None:
        """Append `op`, which arrived quantised, as it is."""
        new = op.clone(dict(self.codes))
        self.block.add_op(new)
        for old, result in zip(op.results, new.results, strict=True):
            self.codes[old] = result

    def keep_on_host(self, op: Operation) -> None:
        """Append `op` as it is, on floats; what calibration saw in it is used up."""
        new = op.clone({value: self.real(value, op) for value in op.operands})
        for name in SEEN:
            new.properties.pop(name, None)
        self.block.add_op(new)
        for old, result in zip(op.results, new.results, strict=True):
            self.floats[old] = result

    def recode(self, op: QuantizeOp) -> None:
        """Codes of the scale that the model wants here."""
        y, ends = grid_of(op)
        codes = self.integers(op.x)
        if fits(codes, y, ends):
            self.codes[op.y] = codes
        else:
            self.append(op, recode(codes, y, ends))


def limits_codes(op: NnOp) -> bool:
    """`op` cuts off values that the model itself has as codes: they stay what they are."""
    return isinstance(op, ReluOp | ClipOp) and isinstance(op.x.owner, DequantizeOp)
