"""What surrounds the matrix product of a layer: windows of memories in, codes or sums out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.kernels import native
from cimc.kernels.operand import Bytes
from cimc.kernels.reference import Sums
from cimc.quant import requantise

Addresses = NDArray[np.int64]

_AT_ONCE = 1 << 23
"""Bytes of windows, or sums, that are worked on at a time."""


@dataclass(frozen=True)
class Windows:
    """Rows [items * pixels, offsets * run]: of each pixel `run` bytes from pixel + offset on."""

    memory: Bytes
    """[items, size]; addresses wrap where the size is a power of two, else all are inside."""
    pixels: Addresses
    offsets: Addresses
    run: int

    @property
    def depth(self) -> int:
        """Bytes of a row."""
        return len(self.offsets) * self.run

    def gather(self) -> Bytes:
        """The rows."""
        choice = native.chosen()
        rows = len(self.memory) * len(self.pixels)
        if choice == native.NUMPY:
            return self._gather_in_numpy().reshape(rows, self.depth)
        found = np.empty((rows, self.depth), np.uint8)
        native.native.gather(choice, self.compiled(), found, native.threads())
        return found

    def _gather_in_numpy(self) -> Bytes:
        size = self.memory.shape[1]
        wraps = size & (size - 1) == 0
        found = np.empty((len(self.memory), len(self.pixels), self.depth), np.uint8)
        for i, offset in enumerate(self.offsets):
            at = self.pixels[:, None] + offset + np.arange(self.run)
            own = slice(i * self.run, (i + 1) * self.run)
            found[:, :, own] = np.take(self.memory, at & (size - 1) if wraps else at, axis=1)
        return found

    def compiled(self) -> Any:
        """This as the compiled code takes it."""
        return native.native.Windows(self.memory, self.pixels, self.offsets, self.run)


@dataclass(frozen=True)
class Finish:
    """What becomes of the sums [items * pixels, columns].

    `partial` is added where `add` says so. The result goes to `partial` where `codes` is None,
    else its requantised codes to `codes`, as `cimc.quant.requantise` makes them.
    """

    partial: NDArray[np.int32] | None
    """[items, pixels, columns], or None without `add` and with `codes`."""
    add: bool
    codes: Bytes | None
    """[items * pixels, columns]"""
    bias: NDArray[np.int64]
    """int32 [columns]"""
    multiplier: NDArray[np.int64]
    """0 .. 2^24 - 1 [columns]"""
    shift: NDArray[np.int64]
    """0..63 [columns]"""
    zero: int
    low: int
    high: int

    def apply(self, sums: Sums) -> None:
        """Finish `sums` [items * pixels, columns]; they may be changed."""
        choice = native.chosen()
        if choice != native.NUMPY:
            packed = np.ascontiguousarray(sums)
            native.native.finish(choice, self.compiled(), packed, native.threads())
            return
        if self.partial is not None:
            shaped = sums.reshape(self.partial.shape)
            if self.add:
                shaped += self.partial
            if self.codes is None:
                self.partial[:] = shaped
                return
        assert self.codes is not None
        ends = self.zero, self.low, self.high
        found = requantise(sums, self.bias, self.multiplier, self.shift, *ends)
        self.codes[:] = (found & 0xFF).astype(np.uint8)

    def compiled(self) -> Any:
        """This as the compiled code takes it."""
        bias, multiplier = self.bias.astype(np.int32), self.multiplier.astype(np.int32)
        parameters = bias, multiplier, np.ascontiguousarray(self.shift)
        ends = self.zero, self.low, self.high
        return native.native.Finish(self.partial, self.add, self.codes, *parameters, *ends)


def in_parts(windows: Windows, finish: Finish) -> Iterator[tuple[Windows, Finish]]:
    """Some items at a time, so that rows and sums of a part are small."""
    columns, pixels = len(finish.bias), len(windows.pixels)
    items = max(1, _AT_ONCE // max(1, pixels * max(windows.depth, 4 * columns)))
    for first in range(0, len(windows.memory), items):
        part = slice(first, first + items)
        rows = slice(first * pixels, (first + items) * pixels)
        yield (
            replace(windows, memory=windows.memory[part]),
            replace(
                finish,
                partial=None if finish.partial is None else finish.partial[part],
                codes=None if finish.codes is None else finish.codes[rows],
            ),
        )


def scatter(
    memory: Bytes, targets: Addresses, results: Bytes, row: int = 1, tail: int | None = None
) -> None:
    """Write `results` [items, cells, width] to `targets` [cells] of `memory` [items, size].

    Addresses wrap; of results that meet the last one stays. Of the last of every `row` cells
    only `tail` bytes are written (default: all).
    """
    last = results.shape[2] if tail is None else tail
    if native.chosen() != native.NUMPY:
        native.native.scatter(memory, targets, results, row, last, native.threads())
        return
    kept = np.ones(results.shape[1:], np.bool_)
    kept[row - 1 :: row, last:] = False
    at = (targets[:, None] + np.arange(results.shape[2])) & (memory.shape[1] - 1)
    memory[:, at[kept]] = results[:, kept]
