"""Gain and offset that bring a layer's approximate sums nearest to what they should be.

Sums are accumulator values without bias: `y` as the multiplier gives them, `t` as wanted. With
gain g and offset o of its output channel a sum becomes g y + o. Errors count in steps of the
layer's result, so each channel is weighted by the square of its requantisation factor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Sums = NDArray[np.int32]

GAIN_LIMITS = (0.5, 2.0)
"""Of a layer's gain, and of a channel's relative to it."""
SHRINKAGE = 0.02
"""Of a layer's mean variance: what pulls the gain of a channel without signal to the layer's."""


@dataclass(frozen=True)
class Correction:
    """Gain and offset of each output channel, both [O]."""

    gain: Floats
    offset: Floats

    @staticmethod
    def none(outputs: int) -> Correction:
        """Changes nothing."""
        return Correction(np.ones(outputs), np.zeros(outputs))


@dataclass(frozen=True)
class Moments:
    """Second moments of sums `y` and wanted sums `t` [M, O], by channel; `weight` [O] of each."""

    weight: Floats
    y: Floats
    t: Floats
    yy: Floats
    yt: Floats
    tt: Floats

    @staticmethod
    def of(y: Sums | Floats, t: Sums, factors: Floats) -> Moments:
        """Means over the M outputs; `factors` [O] turn a sum into steps of the result."""
        a, b = y.astype(np.float64), t.astype(np.float64)
        means = [v.mean(axis=0) for v in (a, b, a * a, a * b, b * b)]
        return Moments(factors**2, *means)

    def layer_gain(self) -> Correction:
        """One gain, no offset."""
        g = ratio(float(self.weight @ self.yt), float(self.weight @ self.yy))
        outputs = len(self.weight)
        return Correction(np.full(outputs, g), np.zeros(outputs))

    def channel_offsets(self) -> Correction:
        """One gain, by the deviations from the means, and offsets that make the means right."""
        return self.channels(0.0, 1.0)

    def channel_gains(self) -> Correction:
        """A gain for each channel, and offsets that make the means right."""
        return self.channels(1.0, 1.0)

    def channels(self, gains: float, offsets: float) -> Correction:
        """The layer's gain and, of what each channel would add to it, the part `gains`.

        Of the offsets that then make the means right the part `offsets`.
        """
        layer, own = self.layer_factor(), self.own_factors()
        gain = layer + gains * own
        return Correction(gain, offsets * (self.t - gain * self.y))

    def layer_factor(self) -> float:
        """One gain, by the deviations from the means."""
        covariance, variance = self.yt - self.y * self.t, self.yy - self.y**2
        return ratio(float(self.weight @ covariance), float(self.weight @ variance))

    def own_factors(self) -> Floats:
        """The gain of each channel [O] less the layer's; little where there is little signal."""
        covariance, variance = self.yt - self.y * self.t, self.yy - self.y**2
        layer = self.layer_factor()
        ridge = (
            SHRINKAGE
            * float(self.weight @ variance)
            / np.maximum(self.weight * len(variance), np.finfo(float).tiny)
        )
        total = np.maximum(variance + ridge, np.finfo(float).tiny)
        low, high = (limit * layer for limit in GAIN_LIMITS)
        return np.clip((covariance + ridge * layer) / total, low, high) - layer

    def error(self, correction: Correction) -> float:
        """Mean squared error of corrected sums."""
        g, o = correction.gain, correction.offset
        each = self.tt - 2 * g * self.yt - 2 * o * self.t + g * g * self.yy
        each = each + 2 * g * o * self.y + o * o
        return max(float(self.weight @ each), 0.0) / len(self.weight)

    def signal(self) -> float:
        """Mean variance of the wanted sums."""
        return float(self.weight @ (self.tt - self.t**2)) / len(self.weight)

    def snr_db(self, correction: Correction) -> float | None:
        """10 log10 (signal / error) of corrected sums; None without an error or a signal."""
        error, signal = self.error(correction), self.signal()
        return 10 * math.log10(signal / error) if error > 0 and signal > 0 else None


@dataclass(frozen=True)
class HalvedCorrection:
    """What is fitted to all images, and what the first and the second half of them would give."""

    whole: Correction
    halves: tuple[Correction, Correction]

    @staticmethod
    def none(outputs: int) -> HalvedCorrection:
        """Changes nothing."""
        same = Correction.none(outputs)
        return HalvedCorrection(same, (same, same))


@dataclass(frozen=True)
class HalvedMoments:
    """Moments over all images, and over the first and the second half of them.

    Neighbours in calibration data are often of one kind (crops of a photograph, frames of a film),
    halves are not: what both say also holds for further images.
    """

    whole: Moments
    halves: tuple[Moments, Moments]

    @staticmethod
    def of(y: Sums | Floats, t: Sums, factors: Floats, middle: int) -> HalvedMoments:
        """As `Moments.of`; the second half of the images begins at row `middle`."""
        first, second = (Moments.of(y[part], t[part], factors) for part in cut(middle))
        return HalvedMoments(Moments.of(y, t, factors), (first, second))

    def fitted(self, fit: Callable[[Moments], Correction]) -> HalvedCorrection:
        """What `fit` gives."""
        first, second = self.halves
        return HalvedCorrection(fit(self.whole), (fit(first), fit(second)))

    def agreed(self, own_gains: bool) -> HalvedCorrection:
        """One gain, or one for each channel, and offsets, as far as the halves agree on them."""
        gains, weight, (first, second) = 0.0, self.whole.weight, self.halves
        if own_gains:
            variance = np.maximum(self.whole.yy - self.whole.y**2, 0)
            gains = agreement(first.own_factors(), second.own_factors(), weight * variance)
        full = [half.channels(gains, 1.0).offset for half in self.halves]
        offsets = agreement(full[0], full[1], weight)
        halves = first.channels(gains, offsets), second.channels(gains, offsets)
        return HalvedCorrection(self.whole.channels(doubled(gains), doubled(offsets)), halves)

    def crossed_error(self, correction: HalvedCorrection) -> float:
        """Mean squared error of each half with what was fitted to the other one, summed."""
        first, second = self.halves
        return first.error(correction.halves[1]) + second.error(correction.halves[0])


def cut(middle: int) -> tuple[slice, slice]:
    """What is before `middle`, and the rest."""
    return slice(None, middle), slice(middle, None)


def agreement(first: Floats, second: Floats, weight: Floats) -> float:
    """Which part of either is best for the other one, 0..1: 1 where they are equal."""
    energy = float(weight @ (first**2 + second**2)) / 2
    return float(np.clip(weight @ (first * second) / energy, 0.0, 1.0)) if energy > 0 else 0.0


def doubled(part: float) -> float:
    """The part that is best for the mean of two whose `agreement` is `part` (Spearman-Brown)."""
    return 2 * part / (1 + part)


def ratio(covariance: float, variance: float) -> float:
    """Least-squares gain within its limits; 1 when nothing varies."""
    return float(np.clip(covariance / variance, *GAIN_LIMITS)) if variance > 0 else 1.0
