"""Builds the bit-level definition of a multiplier that ORs stored rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import comb, hw
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, IntegerType, StringAttr
from xdsl.ir import Block, Operation, Region, SSAValue

from cimc.dialects.bit import DecodeOp, ReadOp, RowOp, width


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


def module_name(name: str, stored_bits: int, broadcast_bits: int) -> str:
    """Symbol of the module: a legal SystemVerilog identifier."""
    return f"cimc_mul_{name.replace('-', '_')}_{stored_bits}x{broadcast_bits}"


def _multiplier_module(
    name: str, stored_bits: int, broadcast_bits: int, block: Block
) -> hw.HWModuleOp:
    """`block`, which has arguments M and N and ends in hw.output, as a module."""

    def port(port_name: str, bits: int, direction: hw.Direction) -> hw.ModulePort:
        return hw.ModulePort(StringAttr(port_name), IntegerType(bits), hw.DirectionAttr(direction))

    ports = (
        port("stored_i", stored_bits, hw.Direction.INPUT),
        port("broadcast_i", broadcast_bits, hw.Direction.INPUT),
        port("product_o", stored_bits + broadcast_bits, hw.Direction.OUTPUT),
    )
    symbol = StringAttr(module_name(name, stored_bits, broadcast_bits))
    return hw.HWModuleOp(symbol, hw.ModuleType(ArrayAttr(ports)), Region(block))


class _Logic:
    """Appends ops to a block and names their results."""

    def __init__(self, block: Block) -> None:
        self._block = block

    def emit(self, op: Operation, name: str) -> SSAValue:
        """Append `op`; its only result, called `name` in text."""
        self._block.add_op(op)
        op.results[0].name_hint = name
        return op.results[0]

    def zero(self, bits: int) -> SSAValue:
        return self.emit(hw.ConstantOp(0, bits), "zero")

    def extract(self, value: SSAValue, low: int, bits: int, name: str) -> SSAValue:
        return self.emit(comb.ExtractOp(value, IntegerAttr(low, 32), IntegerType(bits)), name)

    def concat(self, values: Sequence[SSAValue], name: str) -> SSAValue:
        total = IntegerType(sum(width(value) for value in values))
        return self.emit(comb.ConcatOp(values, total), name)


def _build(spec: WiredOr, stored_bits: int, broadcast_bits: int) -> hw.HWModuleOp:
    block = Block(arg_types=[IntegerType(stored_bits), IntegerType(broadcast_bits)])
    stored, broadcast = block.args
    stored.name_hint, broadcast.name_hint = "stored_i", "broadcast_i"
    logic = _Logic(block)
    pc_bits = min(spec.pc_bits, broadcast_bits)
    # M << 0 has only columns that the cut clears: that row is not stored.
    first_row = 1 if spec.truncated and pc_bits < broadcast_bits else 0
    rows = _row_group(logic, spec, stored, broadcast_bits, pc_bits, first_row)
    operand, amount = broadcast, None
    if spec.left_justify:
        operand, amount = _left_justify(logic, broadcast, stored_bits + broadcast_bits)
    masks = read_masks(broadcast_bits, spec.reads, spec.block_split)
    reads = [_read(logic, operand, rows, pc_bits, mask, first_row) for mask in masks]
    product = reads[0] if len(reads) == 1 else logic.emit(comb.AddOp(reads), "sum")
    if amount is not None:
        product = logic.emit(comb.ShrUOp(product, amount), "product")
    block.add_op(hw.OutputOp([product]))
    return _multiplier_module(spec.name, stored_bits, broadcast_bits, block)


def _row_group(
    logic: _Logic,
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
    logic: _Logic,
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


def _left_justify(logic: _Logic, value: SSAValue, lane: int) -> tuple[SSAValue, SSAValue]:
    """`value` shifted left to its top bit, and the shift amount in `lane` bits.

    A zero stays zero (its amount does not matter). One stage for each power of two below the
    width, largest first, so the stages' decisions are the binary digits of the amount.
    """
    bits = width(value)
    digits: list[SSAValue] = []
    for step in (1 << s for s in reversed(range((bits - 1).bit_length()))):
        top = logic.extract(value, bits - step, step, "top")
        low = logic.extract(value, 0, bits - step, "low")
        empty = logic.emit(comb.ICmpOp(top, logic.zero(step), "eq"), "empty")
        moved = logic.concat([low, logic.zero(step)], "moved")
        value = logic.emit(comb.MuxOp(empty, moved, value), "justified")
        digits.append(empty)
    padding = logic.zero(lane - len(digits))
    return value, logic.concat([padding, *digits], "amount")
