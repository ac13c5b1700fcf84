"""Reference semantics of `bit`, `comb` and `hw.module` on arrays of unsigned integers.

A value of width w is an array of uint64 that holds numbers below 2^w (w <= 64); arrays broadcast,
so one run evaluates a module on a whole grid of operands. Logic is two-state and unsigned.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import comb, hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.interpreter import (
    Interpreter,
    InterpreterFunctions,
    PythonValues,
    ReturnedValues,
    impl,
    impl_terminator,
    register_impls,
)
from xdsl.ir import Operation, SSAValue
from xdsl.utils.exceptions import InterpretationError

from cimc.dialects import bit
from cimc.dialects.bit import width

Words = NDArray[np.uint64]
_BinaryFunction = Callable[[Words, Words], Words]


def _constant(value: int) -> np.uint64:
    return np.uint64(value)


def _wrap(value: Words, bits: int) -> Words:
    """`value` modulo 2^bits."""
    return value & _constant((1 << bits) - 1)


def _shifted_out(amount: Words, bits: int) -> NDArray[np.bool_]:
    return amount >= _constant(bits)


_PREDICATES: dict[str, Callable[[Words, Words], NDArray[np.bool_]]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "ult": np.less,
    "ule": np.less_equal,
    "ugt": np.greater,
    "uge": np.greater_equal,
}


@register_impls
class BitFunctions(InterpreterFunctions):
    """The ops of the array, and tables."""

    @impl(bit.RowOp)
    def run_row(self, interpreter: Interpreter, op: bit.RowOp, args: PythonValues) -> PythonValues:
        """``((multiple * M) << shift)`` without its low `cut` bits."""
        row = args[0] * _constant(op.multiple.value.data) << _constant(op.shift.value.data)
        cut = _constant(op.cut.value.data)
        return (row >> cut << cut,)

    @impl(bit.DecodeOp)
    def run_decode(
        self, interpreter: Interpreter, op: bit.DecodeOp, args: PythonValues
    ) -> PythonValues:
        """One bit a row, plain rows first."""
        bits, pc_bits = width(op.broadcast), op.pc_bits.value.data
        first = op.first_row.value.data
        n = args[0] & _constant(op.mask.value.data)
        plain = bits - pc_bits
        lines = _wrap(n, plain) >> _constant(first)
        top = n >> _constant(plain)
        for t in range(1, 1 << pc_bits):
            on = (top == _constant(t)).astype(np.uint64)
            lines = lines | on << _constant(plain - first + t - 1)
        return (lines,)

    @impl(bit.ReadOp)
    def run_read(
        self, interpreter: Interpreter, op: bit.ReadOp, args: PythonValues
    ) -> PythonValues:
        """OR of the rows that are on."""
        lines: Words = args[0]
        read: Words = np.zeros((), np.uint64)
        for r, row in enumerate(args[1:]):
            on = (lines >> _constant(r)) & _constant(1)
            read = read | on * row
        return (read,)

    @impl(bit.LookupOp)
    def run_lookup(
        self, interpreter: Interpreter, op: bit.LookupOp, args: PythonValues
    ) -> PythonValues:
        """The entry of the table."""
        return (op.products()[args[0], args[1]],)


@register_impls
class CombFunctions(InterpreterFunctions):
    """The unsigned two-state part of upstream `comb`."""

    def _variadic(
        self, op: comb.VariadicCombOperation, args: PythonValues, function: _BinaryFunction
    ) -> PythonValues:
        return (_wrap(reduce(function, args), width(op.result)),)

    @impl(comb.AddOp)
    def run_add(self, interpreter: Interpreter, op: comb.AddOp, args: PythonValues) -> PythonValues:
        """Sum modulo 2^w."""
        return self._variadic(op, args, np.add)

    @impl(comb.MulOp)
    def run_mul(self, interpreter: Interpreter, op: comb.MulOp, args: PythonValues) -> PythonValues:
        """Product modulo 2^w."""
        return self._variadic(op, args, np.multiply)

    @impl(comb.AndOp)
    def run_and(self, interpreter: Interpreter, op: comb.AndOp, args: PythonValues) -> PythonValues:
        """Bitwise and."""
        return self._variadic(op, args, np.bitwise_and)

    @impl(comb.OrOp)
    def run_or(self, interpreter: Interpreter, op: comb.OrOp, args: PythonValues) -> PythonValues:
        """Bitwise or."""
        return self._variadic(op, args, np.bitwise_or)

    @impl(comb.XorOp)
    def run_xor(self, interpreter: Interpreter, op: comb.XorOp, args: PythonValues) -> PythonValues:
        """Bitwise exclusive or."""
        return self._variadic(op, args, np.bitwise_xor)

    @impl(comb.SubOp)
    def run_sub(self, interpreter: Interpreter, op: comb.SubOp, args: PythonValues) -> PythonValues:
        """Difference modulo 2^w."""
        return (_wrap(args[0] - args[1], width(op.result)),)

    @impl(comb.ShlOp)
    def run_shl(self, interpreter: Interpreter, op: comb.ShlOp, args: PythonValues) -> PythonValues:
        """Left shift; 0 when the amount is w or more."""
        bits = width(op.result)
        out = _shifted_out(args[1], bits)
        amount = np.where(out, _constant(0), args[1])
        return (np.where(out, _constant(0), _wrap(args[0] << amount, bits)),)

    @impl(comb.ShrUOp)
    def run_shru(
        self, interpreter: Interpreter, op: comb.ShrUOp, args: PythonValues
    ) -> PythonValues:
        """Logical right shift; 0 when the amount is w or more."""
        out = _shifted_out(args[1], width(op.result))
        amount = np.where(out, _constant(0), args[1])
        return (np.where(out, _constant(0), args[0] >> amount),)

    @impl(comb.ICmpOp)
    def run_icmp(
        self, interpreter: Interpreter, op: comb.ICmpOp, args: PythonValues
    ) -> PythonValues:
        """Unsigned comparison.

        Raises:
            InterpretationError: the predicate is a signed one.
        """
        name = comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data]
        if name not in _PREDICATES:
            raise InterpretationError(f"comb.icmp: predicate {name} is not supported")
        return (_PREDICATES[name](args[0], args[1]).astype(np.uint64),)

    @impl(comb.ExtractOp)
    def run_extract(
        self, interpreter: Interpreter, op: comb.ExtractOp, args: PythonValues
    ) -> PythonValues:
        """Bits lowBit .. lowBit+w-1."""
        return (_wrap(args[0] >> _constant(op.low_bit.value.data), width(op.result)),)

    @impl(comb.ConcatOp)
    def run_concat(
        self, interpreter: Interpreter, op: comb.ConcatOp, args: PythonValues
    ) -> PythonValues:
        """The first operand is the most significant."""
        result: Words = np.zeros((), np.uint64)
        for value, operand in zip(args, op.inputs, strict=True):
            result = result << _constant(width(operand)) | value
        return (result,)

    @impl(comb.MuxOp)
    def run_mux(self, interpreter: Interpreter, op: comb.MuxOp, args: PythonValues) -> PythonValues:
        """The second operand where the first is 1, else the third."""
        return (np.where(args[0] != _constant(0), args[1], args[2]),)


@register_impls
class HwFunctions(InterpreterFunctions):
    """Constants and the terminator of `hw.module`."""

    @impl(hw.ConstantOp)
    def run_constant(
        self, interpreter: Interpreter, op: hw.ConstantOp, args: PythonValues
    ) -> PythonValues:
        """The bit pattern of the constant."""
        pattern = op.value.value.data & ((1 << width(op.result)) - 1)
        return (np.asarray(pattern, np.uint64),)

    @impl_terminator(hw.OutputOp)
    def run_output(
        self, interpreter: Interpreter, op: hw.OutputOp, args: PythonValues
    ) -> tuple[ReturnedValues, PythonValues]:
        """Hand the values of the output ports to the caller."""
        return ReturnedValues(args), ()


class _Trace(Interpreter.Listener):
    """Remembers what every op returned."""

    def __init__(self) -> None:
        self.values: dict[SSAValue, Words] = {}

    def did_interpret_op(self, op: Operation, results: PythonValues) -> None:
        self.values.update(zip(op.results, results, strict=True))


def evaluate(module: hw.HWModuleOp, *inputs: NDArray[Any]) -> tuple[Words, ...]:
    """Values of the output ports, in port order, for `inputs` in port order (taken modulo 2^w).

    Raises:
        InterpretationError: an op, a predicate or a width (over 64 bits) is not supported.
    """
    return _run(module, _port_values(module, inputs), ())


def evaluate_all(module: hw.HWModuleOp, *inputs: NDArray[Any]) -> dict[SSAValue, Words]:
    """Value of every SSA value of `module`, inputs included; otherwise as `evaluate`."""
    trace = _Trace()
    ports = _port_values(module, inputs)
    _run(module, ports, (trace,))
    return {**dict(zip(module.body.block.args, ports, strict=True)), **trace.values}


def _port_values(module: hw.HWModuleOp, inputs: tuple[NDArray[Any], ...]) -> tuple[Words, ...]:
    ports = module.body.block.args
    if len(inputs) != len(ports):
        raise InterpretationError(
            f"{module.sym_name.data} has {len(ports)} inputs, got {len(inputs)} arrays"
        )
    pairs = zip(inputs, ports, strict=True)
    return tuple(_wrap(np.asarray(values, np.uint64), width(port)) for values, port in pairs)


def _run(
    module: hw.HWModuleOp, inputs: tuple[Words, ...], listeners: tuple[_Trace, ...]
) -> tuple[Words, ...]:
    for op in module.body.block.ops:
        for result in op.results:
            if width(result) > 64:
                raise InterpretationError(f"{op.name}: {width(result)} bits exceed 64")
    interpreter = Interpreter(ModuleOp([]), listeners=listeners)
    for functions in (BitFunctions(), CombFunctions(), HwFunctions()):
        interpreter.register_implementations(functions)
    return interpreter.run_ssacfg_region(module.body, inputs, module.sym_name.data)
