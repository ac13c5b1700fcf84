"""Cuts a quantised network into parts that run on the machine and parts that run on the host.

Parts alternate; a part holds everything that can run when those before it are done. Between parts
tensors are floats by name. Codes that later parts need as codes go through floats unharmed:
(code - zero) * scale, divided by scale and rounded, is the code again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from xdsl.dialects.builtin import (
    ArrayAttr,
    FunctionType,
    LocationAttr,
    ModuleOp,
    NameLoc,
    StringAttr,
    TensorType,
    UnknownLoc,
    f32,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue

from cimc.diagnostics import node_names
from cimc.dialects.nn import DequantizeOp, QuantizeOp, int_attr, quant_of, shape_of
from cimc.interp.nn import end_names, main_function
from cimc.passes.ranges import code_limits

Value = SSAValue[Any]


@dataclass(frozen=True)
class Segment:
    """One part: @main of `module` takes and gives floats, by names that are unique in the network.

    On the machine everything between its ends is on codes, on the host nothing is.
    """

    module: ModuleOp
    on_host: bool


@dataclass(frozen=True)
class Segments:
    """All parts in order, and under which name each output of the network comes out of them."""

    parts: tuple[Segment, ...]
    outputs: dict[str, str]


def cut(module: ModuleOp) -> Segments:
    """The parts of a quantised network; a network without host operations is its only part."""
    function = main_function(module)
    stages = stages_of(function)
    converted = all(isinstance(value.owner, DequantizeOp) for value in _returns(function))
    if set(stages.values()) <= {0} and converted:
        names = end_names(function, "res_names")
        return Segments((Segment(module, False),), {name: name for name in names})
    cutter = _Cutter(function, stages)
    parts = [cutter.part(stage) for stage in sorted(set(stages.values()))]
    return Segments(tuple(parts), cutter.outputs)


def stages_of(function: FuncOp) -> dict[Operation, int]:
    """The part of each operation: even ones on the machine, odd ones on the host.

    Free conversions have none: they are made again wherever they are needed.
    """
    stages: dict[Operation, int] = {}
    for op in function.body.block.ops:
        if is_free(op) or isinstance(op, ReturnOp):
            continue
        before = [stages[source] for source in map(_source, op.operands) if source is not None]
        if quant_of(op.results[0]) is None:
            stages[op] = max((stage | 1 for stage in before), default=1)
        else:
            stages[op] = max((stage + stage % 2 for stage in before), default=0)
    return stages


def is_free(op: Operation | Block) -> bool:
    """A conversion that loses nothing, or only what its readers on the machine lose anyway."""
    if isinstance(op, QuantizeOp):
        return not any(isinstance(use.operation, DequantizeOp) for use in op.y.uses)
    return isinstance(op, DequantizeOp)


def _origin(value: Value) -> Value:
    """`value` before free conversions: an argument, or what an operation computed."""
    while is_free(owner := value.owner) and isinstance(owner, QuantizeOp | DequantizeOp):
        value = owner.x
    return value


def _source(value: Value) -> Operation | None:
    """The operation that computed `value`, free conversions aside; None for an argument."""
    owner = _origin(value).owner
    return owner if isinstance(owner, Operation) else None


@dataclass
class _Part:
    """A function that is being built; `floats` and `codes` are by values of the whole network."""

    block: Block = field(default_factory=Block)
    inputs: list[str] = field(default_factory=list[str])
    floats: dict[Value, Value] = field(default_factory=dict[Value, Value])
    codes: dict[Value, Value] = field(default_factory=dict[Value, Value])


class _Cutter:
    """Builds the parts of one function."""

    def __init__(self, function: FuncOp, stages: dict[Operation, int]):
        self.function = function
        self.stages = stages
        self.names: dict[Value, str] = {}
        arguments = zip(function.body.block.args, end_names(function, "arg_names"), strict=True)
        for argument, name in arguments:
            self.names[argument] = name
        self.returned = [_origin(value) for value in _returns(function)]
        ends = zip(end_names(function, "res_names"), self.returned, strict=True)
        self.outputs = {name: self.name(value, name) for name, value in ends}

    def name(self, value: Value, wanted: str | None = None) -> str:
        """The name of a tensor between parts."""
        if value not in self.names:
            nodes = node_names(value.owner.location) if isinstance(value.owner, Operation) else []
            base = wanted or "+".join(nodes) or "tensor"
            used = set(self.names.values())
            tries = (base if n == 0 else f"{base}#{n}" for n in range(len(used) + 1))
            self.names[value] = next(each for each in tries if each not in used)
        return self.names[value]

    def part(self, stage: int) -> Segment:
        """The part of `stage`."""
        part = _Part()
        mine = [op for op in self.function.body.block.ops if self.stages.get(op) == stage]
        on_host = stage % 2 == 1
        for op in mine:
            operands = {value: self.operand(part, value) for value in op.operands}
            new = op.clone(operands)
            part.block.add_op(new)
            for old, result in zip(op.results, new.results, strict=True):
                result.name_hint = old.name_hint
                (part.floats if on_host else part.codes)[old] = result
        made = [value for op in mine for value in op.results if self.leaves(value, stage)]
        results = [self.result(part, value) for value in made]
        return Segment(_module(part, results, [self.name(value) for value in made]), on_host)

    def operand(self, part: _Part, value: Value) -> Value:
        """`value` inside of `part`."""
        quant = quant_of(value)
        if quant is None:
            return self.real(part, _origin(value))
        if value not in part.codes:
            low, high = code_limits(value)
            op = QuantizeOp(
                [self.real(part, _origin(value))],
                TensorType(quant, shape_of(value)),
                {"low": int_attr(low), "high": int_attr(high)},
            )
            op.location = self.where(value)
            part.block.add_op(op)
            part.codes[value] = op.y
        return part.codes[value]

    def where(self, value: Value) -> LocationAttr:
        """Location of codes that are made again: their conversion's, else the tensor's name."""
        owner = value.owner
        if isinstance(owner, QuantizeOp) and is_free(owner):
            return owner.location
        return NameLoc(StringAttr(self.name(value)), UnknownLoc())

    def real(self, part: _Part, value: Value) -> Value:
        """Floats of `value`, an argument of `part` unless `part` has computed them."""
        if value not in part.floats:
            kind = TensorType(f32, shape_of(value)) if quant_of(value) else value.type
            part.floats[value] = part.block.insert_arg(kind, len(part.block.args))
            part.inputs.append(self.name(value))
        return part.floats[value]

    def leaves(self, value: Value, stage: int) -> bool:
        """Whether other parts, or the network's outputs, need `value`."""
        readers = {self.stages[op] for op in _readers(value) if op in self.stages}
        return bool(readers - {stage}) or any(value is each for each in self.returned)

    def result(self, part: _Part, value: Value) -> Value:
        """Floats of `value`, for other parts."""
        if value in part.floats:
            return part.floats[value]
        op = DequantizeOp([part.codes[value]], TensorType(f32, shape_of(value)))
        owner = value.owner
        assert isinstance(owner, Operation)
        op.location = owner.location
        part.block.add_op(op)
        return op.y


def _readers(value: Value) -> Iterator[Operation]:
    """Operations that read `value`, free conversions aside."""
    for use in value.uses:
        op = use.operation
        if is_free(op):
            yield from _readers(op.results[0])
        else:
            yield op


def _returns(function: FuncOp) -> Sequence[Value]:
    last = function.body.block.last_op
    assert isinstance(last, ReturnOp)
    return last.arguments


def _module(part: _Part, results: Sequence[Value], names: Sequence[str]) -> ModuleOp:
    part.block.add_op(ReturnOp(*results))
    kind = FunctionType.from_lists([a.type for a in part.block.args], [v.type for v in results])
    function = FuncOp("main", kind, Region(part.block))
    for key, texts in (("arg_names", part.inputs), ("res_names", names)):
        function.attributes[key] = ArrayAttr([StringAttr(text) for text in texts])
    return ModuleOp([function])
