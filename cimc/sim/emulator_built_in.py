"""Banks whose lanes have a multiplier built in: plain weights, and the products of each group."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cimc.kernels import TableProduct, table_product
from cimc.multipliers import get as get_multiplier
from cimc.sim.emulator_memory import require
from cimc.targets import BankGroup, Target
from cimc.targets.base import MAGNITUDE_BITS
from cimc.targets.isa import Command


def bank_group(target: Target, command: Command) -> BankGroup:
    """The bank group that `command` names.

    Raises:
        MachineFault: there is none of that number.
    """
    groups = target.groups
    number = command["group"]
    require(number < len(groups), f"group={number}, there are {len(groups)} bank groups")
    return groups[number]


@dataclass(frozen=True)
class GroupWeights:
    """Weights that a command multiplies by, and how."""

    magnitude: NDArray[np.uint8]
    """[steps * reduction_banks, outputs of the group]"""
    negative: NDArray[np.bool_]
    multiply: TableProduct


class PlainBanks:
    """Contents of all banks: a weight of every lane in each row."""

    def __init__(self, target: Target):
        """Rows of zeros."""
        g = target.geometry
        self._rows = g.bank_rows
        self._reduction_banks = g.reduction_banks
        shape = (g.bank_rows, g.banks, g.lanes)
        self._magnitude = np.zeros(shape, np.uint8)
        self._negative = np.zeros(shape, np.bool_)

    def store(
        self,
        row_base: int,
        group: BankGroup,
        magnitude: NDArray[np.uint8],
        negative: NDArray[np.bool_],
    ) -> None:
        """Write weights [steps, banks of `group`, lanes] to rows from `row_base` on.

        Raises:
            MachineFault: they do not fit in the banks.
        """
        place = self._window(row_base, len(magnitude)), self._banks(group)
        self._magnitude[place] = magnitude
        self._negative[place] = negative

    def weights(self, group: BankGroup, command: Command) -> GroupWeights:
        """What ARRAY `command` reads.

        Raises:
            MachineFault: its rows pass the end of the banks.
        """
        steps, g = command["steps"], group.geometry
        place = self._window(command["row_base"], steps), self._banks(group)
        # [step, cluster, position, lane] -> [step, position, cluster, lane]
        shape = (steps, g.clusters, g.reduction_banks, g.lanes)
        magnitude = self._magnitude[place].reshape(shape).transpose(0, 2, 1, 3)
        negative = self._negative[place].reshape(shape).transpose(0, 2, 1, 3)
        assert group.multiplier is not None
        masks = command["masks"].to_bytes(8, "little")[: command["reads"]]
        multiply = _multiply(group.multiplier, command["bits"], masks)
        flat = (-1, g.outputs)
        return GroupWeights(magnitude.reshape(flat), negative.reshape(flat), multiply)

    def physical_rows(
        self, row_base: int, count: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        """Magnitude columns and sign columns of `count` rows: each [count, banks, lanes]."""
        window = self._window(row_base, count)
        return self._magnitude[window].astype(np.uint32), self._negative[window]

    def _banks(self, group: BankGroup) -> slice:
        first = group.first * self._reduction_banks
        return slice(first, first + group.geometry.banks)

    def _window(self, row_base: int, steps: int) -> slice:
        end = row_base + steps
        require(end <= self._rows, f"rows {row_base}..{end - 1} pass the bank's {self._rows} rows")
        return slice(row_base, end)


@lru_cache(maxsize=64)
def _multiply(multiplier: str, bits: int, masks: bytes) -> TableProduct:
    """Products [weight magnitude, activation magnitude of `bits` bits], reads added up."""
    table = get_multiplier(multiplier).table(MAGNITUDE_BITS, MAGNITUDE_BITS)
    magnitudes = np.arange(1 << bits)
    reads = [table[:, magnitudes & mask] for mask in masks]
    return table_product(np.ascontiguousarray(np.sum(reads, axis=0, dtype=np.uint32)))
