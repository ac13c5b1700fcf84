"""Requantisation parameters of lanes or channels, as the units keep them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cimc.sim.emulator_memory import Bytes


@dataclass(frozen=True)
class Parameters:
    """One parameter set: bias (int32), M (24 bits) and S of every lane, each [outputs]."""

    bias: NDArray[np.int64]
    multiplier: NDArray[np.int64]
    shift: NDArray[np.int64]

    @staticmethod
    def decode(data: Bytes) -> Parameters:
        """Split the 8-byte words of a tile [outputs * 8]."""
        word = data.view("<u8")
        return Parameters(
            (word & np.uint64(0xFFFFFFFF)).astype(np.uint32).astype(np.int32).astype(np.int64),
            (word >> np.uint64(32) & np.uint64(0xFFFFFF)).astype(np.int64),
            (word >> np.uint64(56) & np.uint64(0x3F)).astype(np.int64),
        )

    def of(self, lanes: slice) -> Parameters:
        """Those of some lanes."""
        return Parameters(self.bias[lanes], self.multiplier[lanes], self.shift[lanes])

    def overwritten(self, first: int, data: Bytes) -> Parameters:
        """These with the lanes from `first` on replaced by those of a tile [lanes * 8]."""
        part = Parameters.decode(data)

        def merged(old: NDArray[np.int64], new: NDArray[np.int64]) -> NDArray[np.int64]:
            return np.concatenate([old[:first], new, old[first + len(new) :]])

        return Parameters(
            merged(self.bias, part.bias),
            merged(self.multiplier, part.multiplier),
            merged(self.shift, part.shift),
        )
