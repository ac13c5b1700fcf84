"""Reads the array configuration off a multiplier's definition, and proves that it stands for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from xdsl.dialects import hw
from xdsl.ir import SSAValue

from cimc.diagnostics import InvalidInput
from cimc.dialects.bit import DecodeOp, ReadOp, RowOp, width
from cimc.interp.bit import evaluate_all
from cimc.multipliers.base import ArrayConfig

_OpT = TypeVar("_OpT", DecodeOp, RowOp)


def array_config(module: hw.HWModuleOp) -> ArrayConfig:
    """Configuration of a wired-OR bank that computes `module`.

    The structure is read from the `bit` ops. What lies between the input, the decoders, the reads
    and the output is established by evaluating all operand pairs.

    Raises:
        InvalidInput: the module stores no rows, or does something a bank cannot do.
    """
    reads = [op for op in module.body.block.ops if isinstance(op, ReadOp)]
    if not reads:
        raise _not_an_array(module, "it stores no rows")
    decoders = [_owner(module, op.wordlines, DecodeOp) for op in reads]
    decoder, rows = decoders[0], tuple(reads[0].rows)
    for other, read in zip(decoders, reads, strict=True):
        same = (other.broadcast, other.pc_bits, other.first_row, *read.rows)
        if same != (decoder.broadcast, decoder.pc_bits, decoder.first_row, *rows):
            raise _not_an_array(module, "its reads differ in rows or decoding")
    pc_bits, first_row = decoder.pc_bits.value.data, decoder.first_row.value.data
    bits = width(decoder.broadcast)
    return ArrayConfig(
        broadcast_bits=bits,
        pc_bits=pc_bits,
        first_row=first_row,
        cut=_cut_of_row_group(module, rows, bits - pc_bits, pc_bits, first_row),
        rows=len(rows),
        reads=len(reads),
        masks=tuple(op.mask.value.data for op in decoders),
        left_justify=_is_left_justified(module, decoder.broadcast, [r.result for r in reads]),
    )


def _not_an_array(module: hw.HWModuleOp, why: str) -> InvalidInput:
    return InvalidInput(
        f"{module.sym_name.data} cannot run on a wired-OR array: {why}; choose a daism multiplier"
    )


def _owner(module: hw.HWModuleOp, value: SSAValue, kind: type[_OpT]) -> _OpT:
    if not isinstance(value.owner, kind):
        raise _not_an_array(module, f"an operand of a read does not come from {kind.name}")
    return value.owner


def _cut_of_row_group(
    module: hw.HWModuleOp, values: Sequence[SSAValue], plain: int, pc_bits: int, first_row: int
) -> int:
    """Columns that every row loses; the rows are those of ArrayConfig, in its order."""
    rows = [_owner(module, value, RowOp) for value in values]
    shapes = [(row.multiple.value.data, row.shift.value.data) for row in rows]
    wanted = [(1, i) for i in range(first_row, plain)]
    wanted += [(t, plain) for t in range(1, 1 << pc_bits)]
    if shapes != wanted:
        raise _not_an_array(module, f"its rows are {shapes}, the row generator makes {wanted}")
    cuts = {row.cut.value.data for row in rows}
    if len(cuts) != 1 or any(row.stored is not module.body.block.args[0] for row in rows):
        raise _not_an_array(module, "its rows differ in operand or cut")
    return cuts.pop()


def _is_left_justified(module: hw.HWModuleOp, operand: SSAValue, reads: Sequence[SSAValue]) -> bool:
    """Whether the decoders see N shifted up to its top bit; the output undoes the shift."""
    stored, broadcast = module.body.block.args
    n = np.arange(1 << width(broadcast), dtype=np.uint64)
    m = np.arange(1 << width(stored), dtype=np.uint64)
    values = evaluate_all(module, m[:, None], n[None, :])
    lengths = np.array([int(value).bit_length() for value in n], np.uint64)
    shift = np.where(n > 0, np.uint64(width(broadcast)) - lengths, np.uint64(0))
    seen = np.broadcast_to(values[operand], (1, n.size))[0]
    justified = not np.array_equal(seen, n)
    if justified and not np.array_equal(seen, n << shift):
        raise _not_an_array(module, "its decoders see neither N nor left-justified N")
    total = sum((values[read] for read in reads), np.zeros((), np.uint64))
    terminator = module.body.block.last_op
    assert isinstance(terminator, hw.OutputOp)
    if not np.array_equal(values[terminator.inputs[0]], total >> shift if justified else total):
        raise _not_an_array(module, "its product is not the sum of its reads")
    return justified
