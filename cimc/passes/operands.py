"""What a quantised layer multiplies: codes, and what they stand for; at any precision."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.cost.error_model import Floats, Index
from cimc.dialects.nn import WeightedOp, operand_bits, quant_of
from cimc.multipliers import get as get_multiplier
from cimc.passes.ranges import code_limits
from cimc.passes.repair_fit import Sums
from cimc.passes.repair_samples import Codes, Table, sums_of
from cimc.weights import WeightStore


@dataclass(frozen=True, eq=False)
class StoredWeights:
    """Weights of a layer."""

    codes: Codes
    """[O, K]."""
    steps: Floats
    """Real value of code 1 [O]."""
    zero: int
    bits: int
    """Width of the magnitudes that are multiplied."""

    @property
    def centred(self) -> Index:
        """Codes, zero point taken off [O, K]."""
        return self.codes.astype(np.int64) - self.zero

    @cached_property
    def distinct(self) -> tuple[Index, NDArray[np.uint8]]:
        """Distinct codes, zero point taken off [C], and which of them each is [O, K]."""
        used, at = np.unique(self.centred, return_inverse=True)
        return used, at.reshape(self.codes.shape).astype(np.uint8)


@dataclass(frozen=True)
class ReadCodes:
    """Activations of a layer."""

    step: float
    """Real value of code 1."""
    zero: int
    limits: tuple[int, int]
    """Smallest and largest code, padding included."""
    bits: int
    """Width of the magnitudes that are multiplied."""

    def centred(self, values: NDArray[Any], finest: ReadCodes) -> Index:
        """Codes for `values` of `finest`, rounded and clipped; zero points taken off both."""
        low, high = (end - self.zero for end in self.limits)
        read = np.clip(np.rint(values * (finest.step / self.step)), low, high)
        return read.astype(np.int64)

    def of(self, x: Codes, finest: ReadCodes) -> Codes:
        """Codes for `x`, codes of `finest`."""
        if self == finest:
            return x
        low, high = finest.limits
        read = self.centred(np.arange(low, high + 1) - finest.zero, finest) + self.zero
        kind = np.int8 if self.limits[0] < 0 else np.uint8
        return read.astype(kind)[x.astype(np.int64) - low]


@dataclass(frozen=True, eq=False)
class Operands:
    """What one layer multiplies."""

    weights: StoredWeights
    activations: ReadCodes

    @staticmethod
    def of(layer: WeightedOp, store: WeightStore) -> Operands:
        """Those of a quantised layer."""
        quant = quant_of(layer.x)
        assert quant is not None
        assert layer.weight_scales is not None
        assert layer.weight_zero is not None
        w, (stored, broadcast) = store.get(layer.weights.key.data), operand_bits(layer)
        steps = store.get(layer.weight_scales.key.data).astype(np.float64)
        zero = layer.weight_zero.value.data
        low, high = code_limits(layer.x)
        ends = min(low, quant.zero), max(high, quant.zero)
        return Operands(
            StoredWeights(w.reshape(len(w), -1), steps, zero, stored),
            ReadCodes(quant.scale_value, quant.zero, ends, broadcast),
        )

    @property
    def bits(self) -> tuple[int, int]:
        """Widths of the magnitudes (weight, activation)."""
        return self.weights.bits, self.activations.bits

    def factor(self, finest: Operands) -> Floats:
        """What a product of codes 1 and 1 stands for, in products of codes of `finest` [O]."""
        step, least = self.activations.step, finest.activations.step
        return self.weights.steps * step / (finest.weights.steps * least)

    def table(self, multiplier: str) -> Table:
        """Products of the magnitudes."""
        return get_multiplier(multiplier).table(*self.bits)

    def is_exact(self, multiplier: str) -> bool:
        """`multiplier` makes no error with these."""
        return np.array_equal(self.table(multiplier), self.table("exact"))

    def sums(self, windows: Codes, multiplier: str) -> Sums:
        """Sums [R, O] of `windows` [R, groups, K] of activations with `multiplier`."""
        zeros = self.activations.zero, self.weights.zero
        return sums_of(windows, self.weights.codes, zeros, self.table(multiplier))
