"""An operand of a matrix product: bytes, and what each of the 256 byte values stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Derived = TypeVar("Derived")


@dataclass(frozen=True)
class Alphabet:
    """Sign and magnitude of every byte value."""

    magnitude: Bytes
    """[256]"""
    negative: NDArray[np.bool_]
    """[256]"""

    @cached_property
    def key(self) -> bytes:
        """Equal for equal alphabets."""
        return self.magnitude.tobytes() + self.negative.tobytes()

    @cached_property
    def values(self) -> NDArray[np.int64]:
        """Signed value of every byte [256]."""
        magnitude = self.magnitude.astype(np.int64)
        return np.where(self.negative, -magnitude, magnitude)


@lru_cache(maxsize=256)
def alphabet(first: int, wraps: bool = False) -> Alphabet:
    """Byte b stands for b + `first`; with `wraps` for int8(b) + `first`.

    Values outside -255..255, which no 8-bit code minus an 8-bit zero point has, become 0.
    """
    byte = np.arange(256, dtype=np.uint8)
    value = (byte.view(np.int8) if wraps else byte).astype(np.int64) + first
    value[np.abs(value) > 255] = 0
    return Alphabet(np.abs(value).astype(np.uint8), value < 0)


@dataclass(frozen=True)
class Operand:
    """A matrix of bytes and their meaning."""

    codes: Bytes
    """They must not change."""
    alphabet: Alphabet
    _derived: dict[bytes, Any] = field(default_factory=dict[bytes, Any], compare=False, repr=False)

    def derived(self, key: bytes, make: Callable[[], Derived]) -> Derived:
        """What `make` makes of the codes, kept under `key`."""
        if key not in self._derived:
            self._derived[key] = make()
        return self._derived[key]

    @staticmethod
    def of_codes(codes: NDArray[Any], zero: int) -> Operand:
        """Codes int8 or uint8 that stand for code - `zero`."""
        signed = codes.dtype == np.int8
        return Operand(codes.view(np.uint8), alphabet(-zero, signed))

    @staticmethod
    def of_values(values: NDArray[Any], first: int) -> Operand:
        """Integers `first` .. `first` + 255.

        Raises:
            ValueError: an integer is outside.
        """
        if values.size and not first <= values.min() <= values.max() <= first + 255:
            raise ValueError(f"values {values.min()}..{values.max()} do not start from {first}")
        return Operand((values - first).astype(np.uint8), alphabet(first))

    @staticmethod
    def of_magnitudes(magnitudes: Bytes, negative: NDArray[np.bool_]) -> Operand | None:
        """Signs and magnitudes; None where they span more than 256 values."""
        values = magnitudes.astype(np.int16)
        np.negative(values, out=values, where=negative)
        low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
        if high - low > 255:
            return None
        # Few alphabets: a plan is made for each.
        usual = (first for first in (-128, 0, -255) if first <= low and high <= first + 255)
        return Operand.of_values(values, next(usual, low))

    @property
    def magnitudes(self) -> Bytes:
        """Magnitude of every element."""
        return self.alphabet.magnitude[self.codes]

    @property
    def signs(self) -> NDArray[np.bool_] | None:
        """Whether each element is negative; None where no byte value is."""
        return self.alphabet.negative[self.codes] if self.alphabet.negative.any() else None

    @property
    def values(self) -> NDArray[np.float32]:
        """Signed value of every element."""
        return self.alphabet.values.astype(np.float32)[self.codes]

    @cached_property
    def largest(self) -> int:
        """Largest magnitude of any element; the matrix is not empty."""
        used = np.zeros(256, np.bool_)
        used[self.codes] = True
        return int(self.alphabet.magnitude[used].max())

    def fits(self, magnitudes: int) -> bool:
        """Whether all magnitudes are below `magnitudes`."""
        beyond = np.flatnonzero(self.alphabet.magnitude >= magnitudes)
        if len(beyond) > _FEW:
            return self.largest < magnitudes
        return not any(bool((self.codes == byte).any()) for byte in beyond)


_FEW = 8
"""Byte values that are faster searched one by one."""
