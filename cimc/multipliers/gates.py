"""A generic gate count of a bit-level definition: no library, no optimisation, no synthesis.

Two-input gates, with w the width of the result and c a constant operand:

    and, or, xor        w for each operand after the first; xor with c: 0, inverters are free
    add, sub            5w (a full adder a bit) for each operand after the first
    mux                 3w
    shl, shr            3w for each bit of the amount that matters, none of which is constant
    mul a x b           ab partial products and a-1 rows of b full adders
    icmp eq, ne         2w-1; with c: w-1;  others 5w
    extract, concat     0
"""

from __future__ import annotations

from xdsl.dialects import comb, hw
from xdsl.ir import Operation, SSAValue

from cimc.dialects.bit import width

_FULL_ADDER = 5
_MUX = 3


def gate_count(module: hw.HWModuleOp) -> int | None:
    """Gates of `module`; None when it holds more than logic (stored rows, a table)."""
    counts = [_gates(op) for op in module.body.block.ops]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _gates(op: Operation) -> int | None:
    match op:
        case hw.ConstantOp() | hw.OutputOp() | comb.ExtractOp() | comb.ConcatOp():
            return 0
        case comb.XorOp():
            return width(op.result) * (sum(not _is_constant(x) for x in op.inputs) - 1)
        case comb.AndOp() | comb.OrOp():
            return width(op.result) * (len(op.inputs) - 1)
        case comb.AddOp():
            return _FULL_ADDER * width(op.result) * (len(op.inputs) - 1)
        case comb.SubOp():
            return _FULL_ADDER * width(op.result)
        case comb.MuxOp():
            return _MUX * width(op.result)
        case comb.ShlOp() | comb.ShrUOp():
            stages = min(_variable_bits(op.rhs), (width(op.result) - 1).bit_length())
            return _MUX * width(op.result) * stages
        case comb.MulOp():
            a, b = sorted(_variable_bits(factor) for factor in op.inputs)
            return a * b + max(0, a - 1) * b * _FULL_ADDER
        case comb.ICmpOp():
            return _comparison(op)
        case _:
            return None


def _comparison(op: comb.ICmpOp) -> int:
    bits = width(op.lhs)
    if comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data] not in ("eq", "ne"):
        return _FULL_ADDER * bits
    return bits - 1 if _is_constant(op.lhs) or _is_constant(op.rhs) else 2 * bits - 1


def _is_constant(value: SSAValue) -> bool:
    return isinstance(value.owner, hw.ConstantOp)


def _variable_bits(value: SSAValue) -> int:
    """Bits that are not constants put around others."""
    if isinstance(value.owner, comb.ConcatOp):
        return sum(width(part) for part in value.owner.inputs if not _is_constant(part))
    return 0 if _is_constant(value) else width(value)
