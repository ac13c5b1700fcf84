"""Multipliers that users bring: a table of products (.npy), or a circuit in Verilog (.v, .sv)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import hw
from xdsl.dialects.builtin import BytesAttr, DenseIntOrFPElementsAttr, IntegerType, TensorType, i32

from cimc.diagnostics import InvalidInput
from cimc.dialects.bit import CircuitAttr, LookupOp
from cimc.multipliers.circuit import read_circuit, simulate_circuit
from cimc.multipliers.logic import Logic, multiplier_module, operand_block
from cimc.multipliers.multiplier import Multiplier

MAX_BITS = 8
"""Widest operands of a file: 2^16 products."""

_TABLE_SUFFIX, _CIRCUIT_SUFFIXES = ".npy", (".v", ".sv")


def is_file_name(name: str) -> bool:
    """Whether `name` means a file."""
    return name.endswith((_TABLE_SUFFIX, *_CIRCUIT_SUFFIXES))


def from_file(name: str) -> Multiplier:
    """The multiplier in file `name`, which is read, and a circuit simulated, once a content.

    Raises:
        InvalidInput: it cannot be read, or holds no multiplier of magnitudes.
        ToolMissing: a circuit needs a simulator, and none is installed.
    """
    try:
        content = Path(name).read_bytes()
    except OSError as e:
        raise InvalidInput(f"multiplier '{name}': cannot read the file: {e.strerror}") from e
    return _from_content(name, content)


@cache
def _from_content(name: str, content: bytes) -> Multiplier:
    if name.endswith(_TABLE_SUFFIX):
        table, circuit, text = _read_table(name), None, "a table of products"
    else:
        circuit, bits = read_circuit(name, content)
        table, text = simulate_circuit(name, circuit, bits), f"circuit {circuit.module.data}"
    bits = len(table).bit_length() - 1
    stem = re.sub(r"\W", "_", Path(name).stem)
    symbol = f"{stem}_{sha256(content).hexdigest()[:8]}"
    return Multiplier(name, text, _Lookup(name, symbol, bits, table.tobytes(), circuit), True, bits)


def _read_table(name: str) -> NDArray[np.uint32]:
    try:
        table = np.load(name, allow_pickle=False)
    except (OSError, ValueError) as e:
        raise InvalidInput(f"multiplier '{name}': not a .npy file of numbers: {e}") from e
    sides = [1 << bits for bits in range(1, MAX_BITS + 1)]
    if table.ndim != 2 or table.shape[0] != table.shape[1] or table.shape[0] not in sides:
        raise InvalidInput(
            f"multiplier '{name}': shape {table.shape} is not [2^n, 2^n] with n = 1 .. {MAX_BITS}; "
            f"give the products of all magnitudes, indexed [weight, activation]"
        )
    if table.dtype.kind not in "iu" or int(table.min()) < 0 or int(table.max()) >= table.size:
        raise InvalidInput(
            f"multiplier '{name}': entries must be integers from 0 to {table.size - 1}, got "
            f"{table.dtype} from {table.min()} to {table.max()}"
        )
    return table.astype("<u4")


@dataclass(frozen=True)
class _Lookup:
    """The `build` of a Multiplier that is a table of 2^bits x 2^bits uint32."""

    name: str
    symbol: str
    bits: int
    table: bytes = field(repr=False)
    circuit: CircuitAttr | None = field(repr=False)

    def __call__(self, stored_bits: int, broadcast_bits: int) -> hw.HWModuleOp:
        """The module; operands narrower than the table's get zeros above.

        Raises:
            InvalidInput: a product of such operands does not fit their widths together.
        """
        side, total = 1 << self.bits, stored_bits + broadcast_bits
        used = np.frombuffer(self.table, "<u4").reshape(side, side)
        largest = int(used[: 1 << stored_bits, : 1 << broadcast_bits].max())
        if largest >> total:
            raise InvalidInput(
                f"multiplier '{self.name}': a product of {stored_bits} x {broadcast_bits} bits is "
                f"{largest}, which needs more than {total} bits; use wider operands"
            )
        block = operand_block(stored_bits, broadcast_bits)
        logic = Logic(block)
        m, n = (logic.resize(value, self.bits, "operand") for value in block.args)
        table = DenseIntOrFPElementsAttr(TensorType(i32, [side, side]), BytesAttr(self.table))
        result = IntegerType(2 * self.bits)
        product = logic.emit(LookupOp(m, n, result, table, self.circuit), "product")
        block.add_op(hw.OutputOp([logic.extract(product, 0, total, "product")]))
        return multiplier_module(self.symbol, stored_bits, broadcast_bits, block)
