"""Lowering of quantised `nn` operations that become element-wise or moving layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Attribute, Operation, SSAValue

from cimc.diagnostics import pass_fail
from cimc.dialects import cim, nn
from cimc.dialects.nn import int_array

VectorOp: TypeAlias = (
    nn.AddOp | nn.MulOp | nn.UnaryOp | nn.ConcatOp | nn.SliceOp | nn.ResizeOp | nn.ShuffleOp
)
"""What `lower` takes."""

_NAMES = {
    nn.MulOp: "Mul",
    nn.ConcatOp: "Concat",
    nn.SliceOp: "Slice",
    nn.ResizeOp: "Resize",
    nn.ShuffleOp: "Shuffle",
}


def lower(op: VectorOp, operands: Sequence[SSAValue], y: cim.ActType) -> Operation:
    """The layer of `op` on activation maps `operands`, with result type `y`."""
    properties: dict[str, Attribute] = {"source_op": StringAttr(_source_name(op))}
    match op:
        case nn.AddOp():
            properties |= _fields(op, "m0", "m1", "shift", "low", "high")
            return cim.AddOp(operands[0], operands[1], y, properties)
        case nn.MulOp():
            properties |= _fields(op, "m0", "shift", "low", "high")
            return cim.MulOp(operands[0], operands[1], y, properties)
        case nn.ConcatOp():
            properties |= _fields(op, "m0", "shift", "low", "high")
            return cim.ConcatOp(operands, y, properties)
        case nn.UnaryOp():
            return cim.TableOp(operands[0], y, properties | _fields(op, "table"))
        case nn.SliceOp():
            fields = {"starts": op.starts, "sizes": op.sizes, "steps": op.steps}
            for name, values in fields.items():
                channel, height, width = values.get_values()
                properties[name] = int_array((height, width, channel))
            return cim.SliceOp(operands[0], y, properties)
        case nn.ResizeOp():
            return cim.ResizeOp(operands[0], y, properties | _fields(op, "scale"))
        case nn.ShuffleOp():
            return cim.ShuffleOp(operands[0], y, properties | _fields(op, "groups"))


def _source_name(op: VectorOp) -> str:
    """The ONNX operator, for the report."""
    match op:
        case nn.UnaryOp():
            return op.function.data
        case nn.AddOp():
            assert op.m1 is not None
            return "Add" if op.m1.value.data >= 0 else "Sub"
        case _:
            return _NAMES[type(op)]


def _fields(op: Operation, *names: str) -> dict[str, Attribute]:
    """Properties `names` of `op`.

    Raises:
        PassFailedException: one is missing, the module has not been quantised.
    """
    missing = [name for name in names if name not in op.properties]
    if missing:
        raise pass_fail(op, f"lacks {', '.join(missing)}; run quantise first")
    return {name: op.properties[name] for name in names}
