"""A multiplier: one bit-level definition, and everything else derived from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import hw

from cimc.diagnostics import InvalidInput
from cimc.interp.bit import evaluate
from cimc.multipliers.base import ArrayConfig, ErrorStats, error_stats
from cimc.multipliers.extract import array_config

Build = Callable[[int, int], hw.HWModuleOp]
"""(stored_bits m, broadcast_bits n) -> module with inputs of m and n bits, one output of m+n."""

MIN_BITS, MAX_BITS = 1, 8


@dataclass(frozen=True)
class Multiplier:
    """Multiplies a stored magnitude M (the weight) by a broadcast one N (the activation).

    The two operands are not interchangeable: which one is stored changes the product.
    Every method takes their widths in bits, 1 to 8 each, and raises InvalidInput outside.
    """

    name: str
    description: str
    build: Build
    listed: bool = True
    """Shown in listings; the other accepted names are regular combinations of suffixes."""

    def module(self, stored_bits: int, broadcast_bits: int) -> hw.HWModuleOp:
        """A fresh copy of the definition: combinational `hw.module` of bit, comb and hw ops."""
        return _module(self, stored_bits, broadcast_bits).clone()

    def table(self, stored_bits: int, broadcast_bits: int) -> NDArray[np.uint32]:
        """All products [2^m, 2^n], indexed [M, N]; read-only, computed once."""
        return _table(self, stored_bits, broadcast_bits)

    def array_config(self, stored_bits: int, broadcast_bits: int) -> ArrayConfig:
        """How a wired-OR bank is set up to compute this.

        Raises:
            InvalidInput: the multiplier is not made of stored rows.
        """
        return _array_config(self, stored_bits, broadcast_bits)

    def error_stats(self, stored_bits: int, broadcast_bits: int) -> ErrorStats:
        """Error over all operand pairs."""
        return error_stats(self.table(stored_bits, broadcast_bits))

    def signed_products(
        self,
        stored: NDArray[Any],
        broadcast: NDArray[Any],
        stored_bits: int,
        broadcast_bits: int,
    ) -> NDArray[np.int32]:
        """Element-wise products of signed integers by sign and magnitude; shapes broadcast.

        Raises:
            IndexError: a magnitude does not fit its width.
        """
        m, n = np.abs(stored.astype(np.int64)), np.abs(broadcast.astype(np.int64))
        magnitude = self.table(stored_bits, broadcast_bits)[m, n].astype(np.int32)
        return np.where((stored < 0) ^ (broadcast < 0), -magnitude, magnitude)


@cache
def _module(multiplier: Multiplier, stored_bits: int, broadcast_bits: int) -> hw.HWModuleOp:
    for operand, bits in (("stored_bits", stored_bits), ("broadcast_bits", broadcast_bits)):
        if not MIN_BITS <= bits <= MAX_BITS:
            raise InvalidInput(
                f"multiplier '{multiplier.name}': {operand}={bits} is not in "
                f"[{MIN_BITS}, {MAX_BITS}]; choose a precision in that range"
            )
    module = multiplier.build(stored_bits, broadcast_bits)
    module.verify()
    return module


@cache
def _table(multiplier: Multiplier, stored_bits: int, broadcast_bits: int) -> NDArray[np.uint32]:
    stored = np.arange(1 << stored_bits)[:, None]
    broadcast = np.arange(1 << broadcast_bits)[None, :]
    (product,) = evaluate(_module(multiplier, stored_bits, broadcast_bits), stored, broadcast)
    table = product.astype(np.uint32)
    table.setflags(write=False)
    return table


@cache
def _array_config(multiplier: Multiplier, stored_bits: int, broadcast_bits: int) -> ArrayConfig:
    return array_config(_module(multiplier, stored_bits, broadcast_bits))
