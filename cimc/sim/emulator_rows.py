"""Stored rows and wordlines: what the banks hold and what one read of them gives.

Nothing here knows a multiplier by name. Rows follow from the fields of LOAD_WEIGHTS, wordlines
from the fields of ARRAY, products from OR-ing the one under the other, as in the hardware.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cimc.sim.emulator_memory import require
from cimc.targets import Geometry

MAGNITUDES = 256


def group_rows(bits: int, pc_bits: int, first_row: int) -> int:
    """Physical rows of a row-group: plain rows, then pre-computed ones.

    Raises:
        MachineFault: the fields do not describe a row-group.
    """
    require(1 <= bits <= 8, f"bits={bits} is not in 1..8")
    require(1 <= pc_bits <= min(4, bits), f"pc_bits={pc_bits} is not in 1..{min(4, bits)}")
    require(first_row <= bits - pc_bits, f"first_row={first_row} leaves no plain row")
    return bits - pc_bits - first_row + (1 << pc_bits) - 1


@dataclass(frozen=True)
class RowConfig:
    """How the row generators make the rows of a row-group (fields of LOAD_WEIGHTS)."""

    bits: int
    pc_bits: int
    first_row: int
    cut: int
    dual: bool = False
    """Both halves of a lane hold such rows, of two weights."""

    @property
    def rows(self) -> int:
        """Rows of a row-group."""
        return group_rows(self.bits, self.pc_bits, self.first_row)

    def row(self, local: int, magnitude: NDArray[np.integer], columns: int) -> NDArray[np.uint32]:
        """Row `local` of weights of `magnitude`: its lowest `columns` columns, `cut` cleared."""
        plain = self.bits - self.pc_bits - self.first_row
        wide = magnitude.astype(np.uint32)
        if local < plain:
            value = wide << np.uint32(local + self.first_row)
        else:
            value = (wide * np.uint32(local - plain + 1)) << np.uint32(self.bits - self.pc_bits)
        kept = ((1 << columns) - 1) & ~((1 << self.cut) - 1)
        return value & np.uint32(kept)


@dataclass(frozen=True)
class DecodeConfig:
    """How a broadcast magnitude turns on wordlines (fields of ARRAY); one mask for each read."""

    bits: int
    pc_bits: int
    first_row: int
    left_justify: bool
    masks: tuple[int, ...]

    @property
    def rows(self) -> int:
        """Rows of a row-group."""
        return group_rows(self.bits, self.pc_bits, self.first_row)

    def shifts(self) -> NDArray[np.uint32]:
        """Left shift of every magnitude [2^bits] before the decode, undone after the read."""
        magnitudes = range(1 << self.bits)
        return np.array(
            [self.bits - m.bit_length() if self.left_justify else 0 for m in magnitudes], np.uint32
        )

    def wordlines(self) -> NDArray[np.bool_]:
        """Whether local row j is on in read r for magnitude N: [reads, 2^bits, rows]."""
        shifted = np.arange(1 << self.bits, dtype=np.uint32) << self.shifts()
        low = self.bits - self.pc_bits
        lines = np.zeros((len(self.masks), 1 << self.bits, self.rows), np.bool_)
        for read, mask in enumerate(self.masks):
            driven = shifted & np.uint32(mask)
            for i in range(self.first_row, low):
                lines[read, :, i - self.first_row] = driven >> np.uint32(i) & 1
            top = driven >> np.uint32(low)
            for t in range(1, 1 << self.pc_bits):
                lines[read, :, low - self.first_row + t - 1] = top == t
        return lines


Pattern = tuple[tuple[RowConfig, int], ...]
"""The generator of each physical row of a window: configuration and local row."""


@lru_cache(maxsize=64)
def product_table(pattern: Pattern, decode: DecodeConfig, columns: int) -> NDArray[np.uint32]:
    """Products [weight magnitude, broadcast magnitude]: [256, 2^bits], reads added up."""
    magnitudes = np.arange(MAGNITUDES)
    rows = np.stack([config.row(local, magnitudes, columns) for config, local in pattern])
    return np.ascontiguousarray(_read_all(rows, decode)[0].T)


def _read_all(
    rows: NDArray[np.uint32], decode: DecodeConfig, signs: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
    """Sums over the reads [2^bits, cells] of the OR of `rows` [rows, cells], plain and signed.

    The sign of a read is the OR of the sign columns of the rows that are on.
    """
    total = np.zeros((1 << decode.bits, rows.shape[1]), np.uint32)
    signed = np.zeros(total.shape, np.int32)
    for lines in decode.wordlines():
        bits, sign = np.zeros_like(total), np.zeros(total.shape, np.bool_)
        for j, on in enumerate(lines.T):
            bits[on] |= rows[j]
            if signs is not None:
                sign[on] |= signs[j]
        bits >>= decode.shifts()[:, None]
        total += bits
        signed += np.where(sign, -bits.astype(np.int32), bits.astype(np.int32))
    return total, signed


@dataclass(frozen=True)
class Operands:
    """Row-groups that all have one generator pattern: weights [weights a lane, steps, banks,
    lanes].
    """

    pattern: Pattern
    magnitude: NDArray[np.uint8]
    negative: NDArray[np.bool_]


class Banks:
    """Contents of all banks: per physical row the weights and the generator that made it.

    The weights have a leading axis: the first and the second of a lane.
    """

    def __init__(self, geometry: Geometry):
        self._columns = geometry.lane_columns
        self._rows = geometry.bank_rows
        self._reduction_banks = geometry.reduction_banks
        shape = (2, geometry.bank_rows, geometry.banks, geometry.lanes)
        self._magnitude = np.zeros(shape, np.uint8)
        self._negative = np.zeros(shape, np.bool_)
        self._numbers: dict[tuple[RowConfig, int], int] = {}
        self._generator = np.full(geometry.bank_rows, -1)
        self._group = np.full(geometry.bank_rows, -1)
        self._groups = 0

    def store(
        self,
        row_base: int,
        config: RowConfig,
        magnitude: NDArray[np.uint8],
        negative: NDArray[np.bool_],
    ) -> None:
        """Generate the row-groups of weights [1 or 2 a lane, steps, banks, lanes] from `row_base`.

        Raises:
            MachineFault: they do not fit in the banks.
        """
        (count, steps, *_), rows = magnitude.shape, config.rows
        window = self._window(row_base, steps, rows)
        self._magnitude[:count, window] = np.repeat(magnitude, rows, axis=1)
        self._negative[:count, window] = np.repeat(negative, rows, axis=1)
        ids = [self._generator_id(config, local) for local in range(rows)]
        self._generator[window] = np.tile(ids, steps)
        self._group[window] = self._groups + np.repeat(np.arange(steps), rows)
        self._groups += steps

    def operands(self, row_base: int, steps: int, rows: int, dual: bool) -> Operands | None:
        """Weights behind `steps` windows of `rows` rows; None where a window is not one group,
        windows differ in their generators, or lanes hold another number of weights than `dual`
        says (a read that does not match what was loaded).

        Raises:
            MachineFault: the windows pass the end of the banks.
        """
        window = self._window(row_base, steps, rows)
        groups = self._group[window].reshape(steps, rows)
        ids = self._generator[window].reshape(steps, rows)
        if (ids < 0).any() or (ids != ids[0]).any() or (groups != groups[:, :1]).any():
            return None
        generators = list(self._numbers)
        pattern = tuple(generators[i] for i in ids[0])
        if pattern[0][0].dual != dual:
            return None
        first, weights = slice(window.start, window.stop, rows), slice(2 if dual else 1)
        return Operands(pattern, self._magnitude[weights, first], self._negative[weights, first])

    def physical_rows(
        self, row_base: int, count: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        """Magnitude columns and sign columns of `count` rows: each [count, banks, lanes].

        Rows that were never written are zero.
        """
        window = self._window(row_base, 1, count)
        values = np.zeros(self._magnitude[0, window].shape, np.uint32)
        signs = np.zeros(values.shape, np.bool_)
        generators = list(self._numbers)
        for j, number in enumerate(self._generator[window]):
            if number >= 0:
                weights = self._magnitude[:, window.start + j]
                negative = self._negative[:, window.start + j]
                config, local = generators[number]
                values[j], signs[j] = self._cells(config, local, weights, negative)
        return values, signs

    def _cells(
        self,
        config: RowConfig,
        local: int,
        magnitude: NDArray[np.uint8],
        negative: NDArray[np.bool_],
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        """Magnitude columns and sign columns of row `local` of weights [2, banks, lanes]."""
        if not config.dual:
            return config.row(local, magnitude[0], self._columns), negative[0]
        half = self._columns // 2
        low, high = (config.row(local, m, half) for m in magnitude)
        sign = negative[0].astype(np.uint32) << np.uint32(half - 1)
        return low | sign | high << np.uint32(half), negative[1]

    def signed_products(
        self, row_base: int, rows: int, decode: DecodeConfig, weight: int | None
    ) -> NDArray[np.int32]:
        """Products of one window by magnitude, straight from its physical rows.

        Of whole lanes, or of `weight` 0 or 1 of the two that share a lane.

        Returns:
            [reduction banks, 2^bits, outputs] for a positive activation, reads added up.
        """
        values, signs = self.physical_rows(row_base, rows)
        half = self._columns // 2
        if weight == 0:
            signs = (values >> np.uint32(half - 1) & np.uint32(1)).astype(np.bool_)
            values &= np.uint32((1 << half - 1) - 1)
        elif weight == 1:
            values >>= np.uint32(half)
        lanes = values.shape[2]
        signed = _read_all(values.reshape(rows, -1), decode, signs.reshape(rows, -1))[1]
        cube = signed.reshape(1 << decode.bits, -1, self._reduction_banks, lanes)
        return cube.transpose(2, 0, 1, 3).reshape(self._reduction_banks, 1 << decode.bits, -1)

    def _generator_id(self, config: RowConfig, local: int) -> int:
        return self._numbers.setdefault((config, local), len(self._numbers))

    def _window(self, row_base: int, steps: int, rows: int) -> slice:
        end = row_base + steps * rows
        require(end <= self._rows, f"rows {row_base}..{end - 1} pass the bank's {self._rows} rows")
        return slice(row_base, end)
