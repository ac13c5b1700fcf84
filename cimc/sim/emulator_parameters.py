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

    def overwritten(self, data: Bytes) -> Parameters:
        """These with the first lanes replaced by those of a tile [lanes * 8]."""
        new = Parameters.decode(data)
        count = len(new.bias)
        bias = np.concatenate([new.bias, self.bias[count:]])
        multiplier = np.concatenate([new.multiplier, self.multiplier[count:]])
        return Parameters(bias, multiplier, np.concatenate([new.shift, self.shift[count:]]))
