"""Repair of one layer: what is tried, and what is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.nn import BlobAttr, WeightedOp, operand_bits, quant_of
from cimc.multipliers import get as get_multiplier
from cimc.passes.plan import layer_name
from cimc.passes.quantise_weights import BIAS_LIMIT, INT32_MAX
from cimc.passes.ranges import code_limits
from cimc.passes.repair_fit import (
    Correction,
    Floats,
    HalvedCorrection,
    HalvedMoments,
    Moments,
    Sums,
)
from cimc.passes.repair_samples import Codes, Places, Table, sums_of
from cimc.passes.repair_weights import Group, descended, rounded
from cimc.weights import WeightStore

HELD_SHARE = 4
"""Results of a layer that decide: one for this many that are fitted to."""
MANY_ROWS, FEW_ROWS = 8192, 4096
"""Windows that rounding and descent look at."""


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
class Judged:
    """A repair, and the moments of its sums on the samples that decide."""

    codes: Codes
    scales: Floats
    """Of the sums that the correction is for, over those of the codes [O]."""
    correction: Correction
    moments: Moments
    crossed: float
    """Error of each half of the images with the correction that was fitted to the other one."""

    @property
    def error(self) -> float:
        """Mean squared error."""
        return self.moments.error(self.correction)

    @property
    def snr_db(self) -> float | None:
        """Signal to error; None without either."""
        return self.moments.snr_db(self.correction)

    @property
    def repair(self) -> Repair:
        """Codes, and the correction of their own sums."""
        found = self.correction
        return Repair(self.codes, Correction(found.gain * self.scales, found.offset))


@dataclass(frozen=True)
class Samples:
    """Windows [R, groups, K] in the repaired network and the sums [R, O] that are wanted."""

    windows: Codes
    local: Sums
    """Exact sums of `windows`."""
    wanted: Sums
    """Exact sums in the exact network."""
    middle: int
    """The first window of the second half of the images."""


@dataclass(frozen=True)
class Candidate:
    """Weight codes, and the moments of their sums, scaled to those before repair."""

    codes: Codes
    scales: Floats
    local: HalvedMoments
    """On the samples to fit to, against exact sums of the same operands."""
    wanted: HalvedMoments
    """The same against the sums that are wanted."""
    held: Moments
    """On the samples that decide, against the sums that are wanted."""

    def __call__(self, correction: HalvedCorrection) -> Judged:
        """With a correction of the sums."""
        crossed = self.wanted.crossed_error(correction)
        return Judged(self.codes, self.scales, correction.whole, self.held, crossed)


UPSTREAM = "upstream"
CORRECTIONS: dict[str, Callable[[Candidate], HalvedCorrection]] = {
    "gain": lambda tried: tried.local.fitted(Moments.layer_gain),
    "offset": lambda tried: tried.local.agreed(own_gains=False),
    "channel-gain": lambda tried: tried.local.agreed(own_gains=True),
    UPSTREAM: lambda tried: tried.wanted.fitted(Moments.channel_gains),
}
"""Steps that leave the codes as they are."""


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
            each = np.flatnonzero(images)
            places = Places.sample(layer, each, count, rng)
            middle = int(np.searchsorted(places.image, each[len(each) // 2]))
            windows = places.windows(layer, given)
            local = sums_of(windows, codes, zeros, exact)
            target = places.windows(layer, wanted)
            same = np.array_equal(windows, target)
            far = local if same else sums_of(target, codes, zeros, exact)
            return Samples(windows, local, far, middle)

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

    def best(self, steps: Sequence[str]) -> Repair:
        """The best repair with `steps`, some of `cimc.passes.repair_steps.STEPS` in that order."""
        tried = self.candidate(self.codes)
        kept = tried(HalvedCorrection.none(len(self.codes)))
        for step in steps:
            if step in CORRECTIONS:
                kept = self.better(step, kept, tried(CORRECTIONS[step](tried)))
            elif self.zeros[1] == 0:
                kept = self.better_codes(step, kept, self.other_codes(step, kept), steps)
        return kept.repair

    def other_codes(self, step: str, kept: Judged) -> Codes:
        """What `step` makes of the weights."""
        if step == "rounding":
            return self.each_group(rounded)
        return self.each_group(descended, self.by_group(kept.repair.codes))

    def better_codes(self, step: str, kept: Judged, codes: Codes, steps: Sequence[str]) -> Judged:
        """`kept`, or `codes` with the best correction: the last local one of `steps`, or upstream.

        Codes for a multiplier are behind a gain of their own, so there is one in any case.
        """
        if not self.fits(codes):
            return kept
        tried = self.candidate(codes)
        local = [name for name in steps if name in CORRECTIONS and name != UPSTREAM] or ["gain"]
        names = [local[-1], *(name for name in steps if name == UPSTREAM)]
        found = [tried(CORRECTIONS[name](tried)) for name in names]
        return self.better(step, kept, min(found, key=lambda each: each.crossed))

    def better(self, step: str, kept: Judged, found: Judged) -> Judged:
        """`found` where neither held images nor either half of the others contradict, or `kept`.

        Notes the step.
        """
        better = found.error < kept.error and found.crossed < kept.crossed
        snr = (rounded_db(kept.snr_db), rounded_db(found.snr_db))
        self.steps.append(Step(layer_name(self.layer), step, *snr, better))
        return found if better else kept

    def candidate(self, codes: Codes) -> Candidate:
        """`codes` with any correction."""
        scales = scales_of(codes, self.codes)
        y, held = (
            sums_of(each.windows, codes, self.zeros, self.table) * scales
            for each in (self.fit, self.held)
        )
        local, wanted = (
            HalvedMoments.of(y, t, self.factors, self.fit.middle)
            for t in (self.fit.local, self.fit.wanted)
        )
        judge = Moments.of(held, self.held.wanted, self.factors)
        return Candidate(codes, scales, local, wanted, judge)

    def by_group(self, codes: Codes) -> list[Codes]:
        """`codes` [O, K] of each group."""
        return np.split(codes, self.fit.windows.shape[1])

    def each_group(self, change: Callable[..., Codes], *args: list[Codes]) -> Codes:
        """Weight codes [O, K] that `change` gives for the groups, with what `args` hold of each."""
        assert self.layer.weight_bits is not None
        high = (1 << (self.layer.weight_bits.value.data - 1)) - 1
        most = FEW_ROWS if args else MANY_ROWS
        windows = self.fit.windows[:: -(-len(self.fit.windows) // most)]
        parts: list[Codes] = []
        for g, own in enumerate(zip(self.by_group(self.codes), *args, strict=True)):
            group = Group.of(windows[:, g], own[0], self.zeros[0], self.table, high)
            parts.append(change(group, *own[1:]))
        return np.concatenate(parts).astype(np.int8)

    def fits(self, codes: Codes) -> bool:
        """No sum of products with `codes` leaves the accumulator, whatever the bias."""
        broadcast = max(abs(end - self.zeros[0]) for end in code_limits(self.layer.x))
        sums = np.abs(codes.astype(np.int64)).sum(axis=1) * broadcast
        return int(sums.max()) <= INT32_MAX - BIAS_LIMIT


def scales_of(codes: Codes, wanted: Codes) -> Floats:
    """What each channel [O] of `codes` [O, K] is multiplied by to be nearest to `wanted`.

    1 where they are equal; others have no zero point.
    """
    a, b = codes.astype(np.float64), wanted.astype(np.float64)
    energy, common = (a * a).sum(axis=1), (a * b).sum(axis=1)
    usable = common > 0
    return np.where(usable, common / np.where(usable, energy, 1), 1.0)


def rounded_db(snr: float | None) -> float | None:
    """For the report."""
    return None if snr is None else round(snr, 2)
