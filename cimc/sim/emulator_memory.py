"""Memories of the emulated machine, with a leading batch axis where the items may differ."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from mmap import mmap

import numpy as np
from numpy.typing import NDArray

from cimc.diagnostics import VerifyFailed

Bytes = NDArray[np.uint8]

PAGE_BYTES = 1 << 12
_LEAST_RUN = 16
"""Mean bytes of a run of addresses from which slices are quicker than single bytes."""


class MachineFault(VerifyFailed):
    """A command asks for what docs/machine.md leaves undefined: a wrong program or image."""


def require(condition: bool, text: str) -> None:
    """Raise `MachineFault` with `text` unless `condition`."""
    if not condition:
        raise MachineFault(text)


class Dram:
    """Main memory of `batch` machines that start from one image, and at least `least` bytes long.

    Only pages that were written differ between the items; the others are shared.
    """

    def __init__(self, image: bytes | Bytes, least: int, batch: int):
        given = np.frombuffer(image, np.uint8)
        self._shared = given
        if batch == 1 or len(given) < least or given.flags.writeable:  # one writes into it
            self._shared = np.zeros(max(len(given), least), np.uint8)
            self._shared[: len(given)] = given
        self._batch = batch
        self._alone = batch == 1
        self._pages: dict[int, Bytes] = {}
        self._written = set[int]()

    def part(self, items: slice) -> Dram:
        """The memories of some items. What they write to has to be claimed before."""
        part = copy(self)
        part._batch = len(range(self._batch)[items])
        part._pages = {page: own[items] for page, own in self._pages.items()}
        return part

    @property
    def size(self) -> int:
        """Bytes of one machine's memory."""
        return len(self._shared)

    def read(self, address: int, size: int) -> Bytes:
        """[batch, size], not to be written to."""
        self.check(address, size)
        shared = self._shared[address : address + size]
        found = np.broadcast_to(shared, (self._batch, size))
        touched = [p for p in _pages(address, size) if p in self._pages]
        if touched:
            found = found.copy()
        for page in touched:
            inside, outside = _overlap(page, address, size)
            found[:, outside] = self._pages[page][:, inside]
        return found

    def read_common(self, address: int, size: int) -> Bytes:
        """[size] bytes that are the same in every item: program, weights, look-up tables."""
        if self._pages.keys().isdisjoint(_pages(address, size)):
            self.check(address, size)
            return self._shared[address : address + size]
        found = self.read(address, size)
        same = found.strides[0] == 0 or not (found != found[:1]).any()
        require(same, f"items of the batch differ in DRAM bytes {address}..{address + size - 1}")
        return found[0]

    def write(self, address: int, data: Bytes) -> None:
        """Write `data` [size] to every item or [batch, size] to each its own."""
        size = data.shape[-1]
        self.claim(address, size)
        if self._alone:
            self._shared[address : address + size] = data.reshape(size)
            return
        rows = np.broadcast_to(data, (self._batch, size))
        for page in _pages(address, size):
            inside, outside = _overlap(page, address, size)
            self._pages[page][:, inside] = rows[:, outside]

    def claim(self, address: int, size: int) -> None:
        """Make the pages of these bytes ones that may differ between items.

        Raises:
            MachineFault: they are outside the memory.
        """
        self.check(address, size)
        for page in _pages(address, size):
            self._written.add(page)
            if not self._alone and page not in self._pages:
                start = page * PAGE_BYTES
                shared = self._shared[start : start + PAGE_BYTES]
                self._pages[page] = np.tile(shared, (self._batch, 1))

    def unwritten(self, address: int, size: int) -> bool:
        """Whether no byte of these pages was ever written: they are those of the image."""
        return self._written.isdisjoint(_pages(address, size))

    def holds(self, address: int, data: Bytes) -> bool:
        """Whether every item has `data` [size] from `address` on."""
        return bool((self.read(address, len(data)) == data).all())

    def check(self, address: int, size: int) -> None:
        """Raise `MachineFault` where the bytes are outside the memory."""
        inside = 0 <= address and address + size <= self.size
        require(
            inside, f"DRAM bytes {address}..{address + size - 1} are outside its {self.size} bytes"
        )


def _pages(address: int, size: int) -> range:
    return range(address // PAGE_BYTES, -(-(address + size) // PAGE_BYTES))


def _overlap(page: int, address: int, size: int) -> tuple[slice, slice]:
    """The part of `page` in [address, address + size): as a slice of the page, and of the range."""
    start = max(address, page * PAGE_BYTES)
    stop = min(address + size, (page + 1) * PAGE_BYTES)
    origin = page * PAGE_BYTES
    return slice(start - origin, stop - origin), slice(start - address, stop - address)


def untouched_bytes(size: int) -> Bytes:
    """`size` zero bytes that take memory page by page as they are written.

    np.zeros asks the kernel for huge pages, of which a large batch then fills one an item.
    """
    return np.frombuffer(mmap(-1, size), np.uint8)


class ActivationBuffer:
    """`data` [batch, size] bytes; `size` is a power of two and addresses wrap."""

    def __init__(self, data: Bytes):
        self.data = data
        self._mask = data.shape[1] - 1

    def wrap(self, addresses: NDArray[np.int64]) -> NDArray[np.int64]:
        """`addresses` modulo the size of the buffer."""
        return addresses & self._mask

    def gather(self, addresses: NDArray[np.int64], items: slice = slice(None)) -> Bytes:
        """Bytes [items, *addresses.shape] at `addresses` (any integers)."""
        return np.take(self.data[items], self.wrap(addresses), axis=1)

    def scatter(
        self, addresses: NDArray[np.int64], data: Bytes, items: slice = slice(None)
    ) -> None:
        """Write `data` [items, n] at `addresses` [n]; of equal addresses the last one counts."""
        at = self.wrap(addresses)
        ends = [*(np.flatnonzero(np.diff(at) != 1) + 1), len(at)]
        if len(ends) * _LEAST_RUN > len(at):
            self.data[items, at] = data
            return
        start = 0
        for end in ends:
            self.data[items, at[start] : at[start] + end - start] = data[:, start:end]
            start = end

    def read(self, address: int, size: int) -> Bytes:
        """[batch, size] from `address` on."""
        parts = [self.data[:, at : at + length] for at, length in self._runs(address, size)]
        return np.concatenate(parts, axis=1)

    def write(self, address: int, data: Bytes) -> None:
        """Write `data` [batch or 1, size] from `address` on; more than the buffer wraps too."""
        done = 0
        for at, length in self._runs(address, data.shape[-1]):
            self.data[:, at : at + length] = data[..., done : done + length]
            done += length

    def _runs(self, address: int, size: int) -> Iterator[tuple[int, int]]:
        """(start, length) of the runs without wrap that make up `size` bytes from `address`."""
        done = 0
        while done < size:
            at = (address + done) & self._mask
            length = min(size - done, self._mask + 1 - at)
            yield at, length
            done += length
