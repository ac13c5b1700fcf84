"""Repair of one layer: what is tried, and what is kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.nn import BlobAttr, WeightedOp, operand_bits, quant_of
from cimc.multipliers import get as get_multiplier
from cimc.passes.plan import layer_name
from cimc.passes.repair_fit import Correction, Floats, Moments, Sums
from cimc.passes.repair_samples import Codes, Places, Table, sums_of
from cimc.weights import WeightStore

HELD_SHARE = 4
"""Results of a layer that decide: one for this many that are fitted to."""


@dataclass(frozen=True)
class Step:
    """One step on one layer; SNR of the layer's sums, on the images that decide, in dB."""

    node: str
    step: str
    snr_before_db: float | None
    snr_db: float | None
    kept: bool


@dataclass(frozen=True)
class Repair:
    """Weight codes [O, K] (flattened) and the correction of their sums."""

    codes: Codes
    correction: Correction


@dataclass(frozen=True)
class Samples:
    """Windows [R, groups, K] in the repaired network and the sums [R, O] that are wanted."""

    windows: Codes
    local: Sums
    """Exact sums of `windows`."""
    wanted: Sums
    """Exact sums in the exact network."""


@dataclass
class LayerRepair:
    """What is known of a layer; `best` finds what to change and fills `steps`."""

    layer: WeightedOp
    codes: Codes
    """Weights [O, K] before repair."""
    zeros: tuple[int, int]
    """Zero points of activations and weights."""
    table: Table
    factors: Floats
    """Steps of the result for one of a sum [O]."""
    fit: Samples
    held: Samples
    steps: list[Step] = field(default_factory=list[Step])

    @staticmethod
    def sample(
        layer: WeightedOp,
        weights: WeightStore,
        wanted: NDArray[Any],
        given: NDArray[Any],
        held: NDArray[np.bool_],
        most: int,
        rng: np.random.Generator,
    ) -> LayerRepair:
        """From operands of the layer `wanted` and `given` [N, ...]; images `held` [N] decide."""
        w = weights.get(layer.weights.key.data)
        quant = quant_of(layer.x)
        assert quant is not None
        assert layer.weight_zero is not None
        assert layer.multiplier is not None
        zeros = quant.zero, layer.weight_zero.value.data
        bits = operand_bits(layer)
        codes, exact = w.reshape(len(w), -1), get_multiplier("exact").table(*bits)

        def samples(images: NDArray[np.bool_], count: int) -> Samples:
            places = Places.sample(layer, np.flatnonzero(images), count, rng)
            windows = places.windows(layer, given)
            local = sums_of(windows, codes, zeros, exact)
            target = places.windows(layer, wanted)
            same = np.array_equal(windows, target)
            return Samples(windows, local, local if same else sums_of(target, codes, zeros, exact))

        m, s = (
            weights.get(blob.key.data).astype(np.float64)
            for blob in (layer.requant_m, layer.requant_s)
            if isinstance(blob, BlobAttr)
        )
        return LayerRepair(
            layer,
            codes,
            zeros,
            get_multiplier(layer.multiplier.data).table(*bits),
            m / 2**s,
            samples(~held, most),
            samples(held, most // HELD_SHARE),
        )

    def best(self, level: int) -> Repair:
        """The best repair with the steps of levels 1 .. `level`."""
        kept = Repair(self.codes, Correction.none(len(self.codes)))
        if level >= 1:
            kept = self.corrected(kept, level)
        return kept

    def corrected(self, kept: Repair, level: int) -> Repair:
        """`kept`, or its codes with the best correction that `level` allows."""
        local, wanted = self.moments(kept.codes)
        tried: list[tuple[str, Callable[[], Correction]]] = [("gain", local.layer_gain)]
        if level >= 2:
            tried += [("offset", local.channel_offsets), ("channel-gain", wanted.channel_gains)]
        judge = self.judge(kept.codes)
        for name, found in tried:
            candidate = Repair(kept.codes, found())
            if self.note(name, judge, kept, judge, candidate):
                kept = candidate
        return kept

    def moments(self, codes: Codes) -> tuple[Moments, Moments]:
        """On the samples to fit to: against exact sums of the same operands, and those wanted."""
        y = sums_of(self.fit.windows, codes, self.zeros, self.table)
        local = Moments.of(y, self.fit.local, self.factors)
        return local, Moments.of(y, self.fit.wanted, self.factors)

    def judge(self, codes: Codes) -> Moments:
        """On the samples that decide, against the sums wanted."""
        y = sums_of(self.held.windows, codes, self.zeros, self.table)
        return Moments.of(y, self.held.wanted, self.factors)

    def note(
        self, name: str, before: Moments, kept: Repair, after: Moments, candidate: Repair
    ) -> bool:
        """Note step `name` from `kept`, judged by `before`, to `candidate`; True if better."""
        better = after.error(candidate.correction) < before.error(kept.correction)
        snr = [m.snr_db(r.correction) for m, r in ((before, kept), (after, candidate))]
        rounded = [None if v is None or math.isinf(v) else round(v, 2) for v in snr]
        self.steps.append(Step(layer_name(self.layer), name, rounded[0], rounded[1], better))
        return better
