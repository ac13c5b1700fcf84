"""Tensors as the commands see them: an address, rows and strides in the activation buffer."""

from __future__ import annotations

from dataclasses import dataclass

from cimc.dialects.cim import ActType

ADDRESS_BITS = 20
_SPACE = 1 << ADDRESS_BITS


def wrap_address(address: int) -> int:
    """`address` modulo the 20-bit address space of the command fields."""
    return address % _SPACE


def wrap_stride(stride: int) -> int:
    """The signed 20-bit stride that is congruent to `stride`."""
    return (stride + _SPACE // 2) % _SPACE - _SPACE // 2


@dataclass(frozen=True)
class View:
    """A tensor, or a strip of its rows, in the activation buffer.

    `origin` is where the first halo byte of the whole tensor would lie; for a strip
    it may lie outside the buffer, because addresses wrap only the rows that exist are touched.
    """

    type: ActType
    origin: int

    def address(self, y: int, x: int, c: int = 0) -> int:
        """Byte address of channel `c` of pixel (y, x); halo pixels have negative coordinates."""
        return wrap_address(self.origin + self.type.offset(y, x) + c)


def row_bytes(kind: ActType, rows: range) -> tuple[int, int]:
    """Offset from the first halo byte, and length, of whole rows `rows`."""
    left = kind.margins[1]
    first = kind.offset(rows.start, -left)
    return first, kind.offset(rows.stop, -left) - first
