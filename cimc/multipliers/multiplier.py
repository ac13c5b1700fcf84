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
from cimc.multipliers.base import ArrayConfig, ErrorStats, error_stats, pair_error_stats
from cimc.multipliers.extract import array_config
from cimc.multipliers.gates import gate_count

Build = Callable[[int, int], hw.HWModuleOp]
"""(stored_bits m, broadcast_bits n) -> module with inputs of m and n bits, one output of m+n."""

WIRED_OR_BITS, DIGITAL_BITS = 8, 16
"""Widest operands that a bank, and that digital logic, is defined for."""

WIRED_OR, DIGITAL = "daism", "dcim"
"""Kinds of array: rows that are ORed, or a digital multiplier a lane."""

TABLE_BITS = 22
"""Largest m+n of a table; 2^22 products."""

_SAMPLES = 1_000_000
_SLAB = 1 << 14
"""Products evaluated together: the values of a module then stay in the processor's caches."""


@dataclass(frozen=True)
class Multiplier:
    """Multiplies a stored magnitude M (the weight) by a broadcast one N (the activation).

    The two operands are not interchangeable: which one is stored may change the product.
    Every method takes their widths in bits, 1 to `max_bits` each, and raises InvalidInput outside.
    """

    name: str
    description: str
    build: Build
    listed: bool = True
    """Shown in listings; the other accepted names are regular combinations of suffixes."""
    max_bits: int = DIGITAL_BITS
    arrays: tuple[str, ...] = (DIGITAL,)
    """Kinds of array (`Target.array`) that can compute it."""

    def module(self, stored_bits: int, broadcast_bits: int) -> hw.HWModuleOp:
        """A fresh copy of the definition: combinational `hw.module` of bit, comb and hw ops."""
        return _module(self, stored_bits, broadcast_bits).clone()

    def products(
        self,
        stored: NDArray[Any],
        broadcast: NDArray[Any],
        stored_bits: int,
        broadcast_bits: int,
    ) -> NDArray[np.uint32]:
        """Products of magnitudes, taken modulo 2^width; both arrays have the same shape [K]."""
        module = _module(self, stored_bits, broadcast_bits)
        products = np.empty(len(stored), np.uint32)
        for at in range(0, len(stored), _SLAB):
            slab = slice(at, at + _SLAB)
            products[slab] = evaluate(module, stored[slab], broadcast[slab])[0]
        return products

    def table(self, stored_bits: int, broadcast_bits: int) -> NDArray[np.uint32]:
        """All products [2^m, 2^n], indexed [M, N]; read-only, computed once.

        Raises:
            InvalidInput: also when m+n exceeds `TABLE_BITS`.
        """
        return _table(self, stored_bits, broadcast_bits)

    def array_config(self, stored_bits: int, broadcast_bits: int) -> ArrayConfig:
        """How a wired-OR bank is set up to compute this.

        Raises:
            InvalidInput: the multiplier is not made of stored rows.
        """
        return _array_config(self, stored_bits, broadcast_bits)

    def gates(self, stored_bits: int, broadcast_bits: int) -> int | None:
        """Two-input gates by the generic count of `gates.py`; None where it is not all logic."""
        return _gate_count(self, stored_bits, broadcast_bits)

    def error_stats(self, stored_bits: int, broadcast_bits: int) -> ErrorStats:
        """Error over all operand pairs; over 10^6 seeded random ones when there is no table."""
        if stored_bits + broadcast_bits <= TABLE_BITS:
            return error_stats(self.table(stored_bits, broadcast_bits))
        random = np.random.default_rng(0)
        stored = random.integers(0, 1 << stored_bits, _SAMPLES)
        broadcast = random.integers(0, 1 << broadcast_bits, _SAMPLES)
        products = self.products(stored, broadcast, stored_bits, broadcast_bits)
        largest = ((1 << stored_bits) - 1) * ((1 << broadcast_bits) - 1)
        return pair_error_stats(stored * broadcast, products, largest)

    def check_zero(self) -> None:
        """Check that zero times anything is zero.

        Activations behind a ReLU, padding and pruned weights are zeros: a product of them that is
        not would add to every sum.

        Raises:
            InvalidInput: naming an operand whose product with zero is not zero.
        """
        bits = min(self.max_bits, 8)
        table = self.table(bits, bits)
        for products, form in ((table[0], "0 x {}"), (table[:, 0], "{} x 0")):
            if products.any():
                n = int(np.flatnonzero(products)[0])
                raise InvalidInput(
                    f"multiplier '{self.name}' cannot run a network: {form.format(n)} = "
                    f"{products[n]}, so every zero would add to its sum; choose another one"
                )

    def keeps_zero(self) -> bool:
        """Whether `check_zero` has nothing against it."""
        try:
            self.check_zero()
        except InvalidInput:
            return False
        return True

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
        if not 1 <= bits <= multiplier.max_bits:
            raise InvalidInput(
                f"multiplier '{multiplier.name}': {operand}={bits} is not in "
                f"[1, {multiplier.max_bits}]; choose a precision in that range"
            )
    module = multiplier.build(stored_bits, broadcast_bits)
    module.verify()
    return module


@cache
def _table(multiplier: Multiplier, stored_bits: int, broadcast_bits: int) -> NDArray[np.uint32]:
    _module(multiplier, stored_bits, broadcast_bits)  # checks the widths first
    if stored_bits + broadcast_bits > TABLE_BITS:
        raise InvalidInput(
            f"multiplier '{multiplier.name}': a table of {stored_bits} x {broadcast_bits} bits is "
            f"too large; widths may add up to {TABLE_BITS}"
        )
    pairs = np.arange(1 << stored_bits + broadcast_bits)
    stored, broadcast = pairs >> broadcast_bits, pairs & ((1 << broadcast_bits) - 1)
    flat = multiplier.products(stored, broadcast, stored_bits, broadcast_bits)
    table = flat.reshape(1 << stored_bits, 1 << broadcast_bits)
    table.setflags(write=False)
    return table


@cache
def _array_config(multiplier: Multiplier, stored_bits: int, broadcast_bits: int) -> ArrayConfig:
    return array_config(_module(multiplier, stored_bits, broadcast_bits))


@cache
def _gate_count(multiplier: Multiplier, stored_bits: int, broadcast_bits: int) -> int | None:
    return gate_count(_module(multiplier, stored_bits, broadcast_bits))
