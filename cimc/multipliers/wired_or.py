"""Builds the bit-level definition of a multiplier that ORs stored rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import comb, hw
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import SSAValue

from cimc.dialects.bit import DecodeOp, ReadOp, RowOp, width
from cimc.multipliers.logic import Logic, multiplier_module, operand_block
from cimc.multipliers.parts import left_justify


@dataclass(frozen=True)
class WiredOr:
    """Which rows are stored and how many reads make a product.

    `pc_bits` and `reads` are upper bounds: an operand narrower than them has fewer of either.
    """

    name: str
    pc_bits: int = 1
    truncated: bool = False
    left_justify: bool = False
    reads: int = 1
    block_split: bool = False
    """Each read takes neighbouring bits of the operand; otherwise every `reads`-th bit."""

    def __call__(self, stored_bits: int, broadcast_bits: int) -> hw.HWModuleOp:
        """The module for M of `stored_bits` and N of `broadcast_bits`, both magnitudes."""
        return _build(self, stored_bits, broadcast_bits)


def read_masks(bits: int, reads: int, block_split: bool) -> tuple[int, ...]:
    """Bits of an operand that each read uses; reads that would use none are left out."""
    masks = [0] * reads
    for i in range(bits):
        masks[i * reads // bits if block_split else i % reads] |= 1 << i
    return tuple(mask for mask in masks if mask)


def _build(spec: WiredOr, stored_bits: int, broadcast_bits: int) -> hw.HWModuleOp:
    block = operand_block(stored_bits, broadcast_bits)
    stored, broadcast = block.args
    logic = Logic(block)
    pc_bits = min(spec.pc_bits, broadcast_bits)
    # M << 0 has only columns that the cut clears: that row is not stored.
    first_row = 1 if spec.truncated and pc_bits < broadcast_bits else 0
    rows = _row_group(logic, spec, stored, broadcast_bits, pc_bits, first_row)
    operand, amount = broadcast, None
    if spec.left_justify:
        operand, amount = left_justify(logic, broadcast)
    masks = read_masks(broadcast_bits, spec.reads, spec.block_split)
    reads = [_read(logic, operand, rows, pc_bits, mask, first_row) for mask in masks]
    product = reads[0] if len(reads) == 1 else logic.emit(comb.AddOp(reads), "sum")
    if amount is not None:
        product = logic.shr(product, amount, "product")
    block.add_op(hw.OutputOp([product]))
    return multiplier_module(spec.name, stored_bits, broadcast_bits, block)


def _row_group(
    logic: Logic,
    spec: WiredOr,
    stored: SSAValue,
    broadcast_bits: int,
    pc_bits: int,
    first_row: int,
) -> list[SSAValue]:
    """The stored rows: plain ones upwards, then the multiples of the top bits."""
    lane = IntegerType(width(stored) + broadcast_bits)
    cut = width(stored) if spec.truncated else 0
    plain = broadcast_bits - pc_bits
    shapes = [(1, i) for i in range(first_row, plain)]
    shapes += [(multiple, plain) for multiple in range(1, 1 << pc_bits)]
    return [
        logic.emit(RowOp(stored, lane, multiple=multiple, shift=shift, cut=cut), "row")
        for multiple, shift in shapes
    ]


def _read(
    logic: Logic,
    operand: SSAValue,
    rows: Sequence[SSAValue],
    pc_bits: int,
    mask: int,
    first_row: int,
) -> SSAValue:
    """One access: the wordlines of `operand` & `mask`, and what the bit lines then show."""
    lines = IntegerType(len(rows))
    decode = DecodeOp(operand, lines, pc_bits=pc_bits, mask=mask, first_row=first_row)
    return logic.emit(
        ReadOp(logic.emit(decode, "wordlines"), rows, IntegerType(width(rows[0]))), "read"
    )
