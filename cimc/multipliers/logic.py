"""Writes the bit-level definition of a multiplier: a short way to append `comb` and `hw` ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects import comb, hw
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, IntegerType, StringAttr
from xdsl.ir import Block, Operation, Region, SSAValue

from cimc.dialects.bit import width


class Logic:
    """Appends ops to a block and names their results. Values are unsigned; widths must match."""

    def __init__(self, block: Block) -> None:
        self._block = block

    def emit(self, op: Operation, name: str) -> SSAValue:
        """Append `op`; its only result, called `name` in text."""
        self._block.add_op(op)
        op.results[0].name_hint = name
        return op.results[0]

    def constant(self, value: int, bits: int) -> SSAValue:
        """`value` in `bits` bits."""
        return self.emit(hw.ConstantOp(value, bits), "constant")

    def zero(self, bits: int) -> SSAValue:
        """Zero in `bits` bits."""
        return self.emit(hw.ConstantOp(0, bits), "zero")

    def extract(self, value: SSAValue, low: int, bits: int, name: str) -> SSAValue:
        """Bits low .. low+bits-1."""
        if (low, bits) == (0, width(value)):
            return value
        return self.emit(comb.ExtractOp(value, IntegerAttr(low, 32), IntegerType(bits)), name)

    def bits(self, value: SSAValue, name: str) -> list[SSAValue]:
        """Single bits, the least significant first."""
        return [self.extract(value, i, 1, name) for i in range(width(value))]

    def concat(self, values: Sequence[SSAValue], name: str) -> SSAValue:
        """Values side by side, the most significant first."""
        if len(values) == 1:
            return values[0]
        total = IntegerType(sum(width(value) for value in values))
        return self.emit(comb.ConcatOp(values, total), name)

    def resize(self, value: SSAValue, bits: int, name: str) -> SSAValue:
        """`value` modulo 2^bits, with zeros above."""
        missing = bits - width(value)
        if missing > 0:
            return self.concat([self.zero(missing), value], name)
        return self.extract(value, 0, bits, name)

    def and_(self, *values: SSAValue, name: str = "and") -> SSAValue:
        """Bitwise and."""
        return values[0] if len(values) == 1 else self.emit(comb.AndOp(values), name)

    def or_(self, *values: SSAValue, name: str = "or") -> SSAValue:
        """Bitwise or."""
        return values[0] if len(values) == 1 else self.emit(comb.OrOp(values), name)

    def xor(self, *values: SSAValue, name: str = "xor") -> SSAValue:
        """Bitwise exclusive or."""
        return values[0] if len(values) == 1 else self.emit(comb.XorOp(values), name)

    def not_(self, value: SSAValue, name: str = "not") -> SSAValue:
        """Bitwise complement."""
        return self.xor(value, self.constant(-1, width(value)), name=name)

    def add(self, *values: SSAValue, name: str = "sum") -> SSAValue:
        """Sum modulo 2^width."""
        return values[0] if len(values) == 1 else self.emit(comb.AddOp(values), name)

    def sub(self, left: SSAValue, right: SSAValue, name: str = "difference") -> SSAValue:
        """Difference modulo 2^width."""
        return self.emit(comb.SubOp(left, right), name)

    def product(self, left: SSAValue, right: SSAValue, name: str = "product") -> SSAValue:
        """Exact product, as wide as both operands together."""
        total = width(left) + width(right)
        wide = [self.resize(value, total, "factor") for value in (left, right)]
        return self.emit(comb.MulOp(wide), name)

    def mux(self, condition: SSAValue, yes: SSAValue, no: SSAValue, name: str = "mux") -> SSAValue:
        """`yes` where the one-bit `condition` is 1, else `no`."""
        return self.emit(comb.MuxOp(condition, yes, no), name)

    def shl(self, value: SSAValue, amount: SSAValue, name: str = "shifted") -> SSAValue:
        """Left shift; `amount` may have fewer bits than `value`."""
        return self.emit(comb.ShlOp(value, self.resize(amount, width(value), "amount")), name)

    def shr(self, value: SSAValue, amount: SSAValue, name: str = "shifted") -> SSAValue:
        """Logical right shift; `amount` may have fewer bits than `value`."""
        return self.emit(comb.ShrUOp(value, self.resize(amount, width(value), "amount")), name)

    def less(self, left: SSAValue, right: SSAValue, name: str = "less") -> SSAValue:
        """Whether left < right, unsigned."""
        return self.emit(comb.ICmpOp(left, right, "ult"), name)

    def any(self, value: SSAValue, name: str = "any") -> SSAValue:
        """Whether any bit is set."""
        if width(value) == 1:
            return value
        return self.emit(comb.ICmpOp(value, self.zero(width(value)), "ne"), name)

    def where(self, condition: SSAValue, value: SSAValue, name: str = "product") -> SSAValue:
        """`value` where the one-bit `condition` is 1, else zero."""
        return self.and_(self.concat([condition] * width(value), "mask"), value, name=name)


ProductOf = Callable[[Logic, SSAValue, SSAValue], SSAValue]
"""Appends the logic of one product: (logic, M of m bits, N of n bits) -> product of m+n bits."""


@dataclass(frozen=True)
class Circuit:
    """A multiplier of digital logic: the `build` of a Multiplier."""

    name: str
    product: ProductOf

    def __call__(self, stored_bits: int, broadcast_bits: int) -> hw.HWModuleOp:
        """The module for M of `stored_bits` and N of `broadcast_bits`, both magnitudes."""
        block = operand_block(stored_bits, broadcast_bits)
        product = self.product(Logic(block), *block.args)
        block.add_op(hw.OutputOp([product]))
        _erase_unused(block)
        return multiplier_module(self.name, stored_bits, broadcast_bits, block)


def operand_block(stored_bits: int, broadcast_bits: int) -> Block:
    """An empty block with arguments M and N."""
    block = Block(arg_types=[IntegerType(stored_bits), IntegerType(broadcast_bits)])
    block.args[0].name_hint, block.args[1].name_hint = "stored_i", "broadcast_i"
    return block


def module_name(name: str, stored_bits: int, broadcast_bits: int) -> str:
    """Symbol of the module: a legal SystemVerilog identifier."""
    return f"cimc_mul_{name.replace('-', '_')}_{stored_bits}x{broadcast_bits}"


def multiplier_module(
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


def _erase_unused(block: Block) -> None:
    """Drop ops whose result nothing reads, so that they count nowhere as gates."""
    for op in reversed(list(block.ops)):
        if op.results and not any(True for result in op.results for _ in result.uses):
            op.detach()
            op.erase()
