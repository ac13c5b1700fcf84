"""Gain and offset that bring a layer's approximate sums nearest to what they should be.

Sums are accumulator values without bias: `y` as the multiplier gives them, `t` as wanted. With
gain g and offset o of its output channel a sum becomes g y + o. Errors count in steps of the
layer's result, so each channel is weighted by the square of its requantisation factor.
"""

from __future__ import annotations

import math
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
        covariance, variance = self.yt - self.y * self.t, self.yy - self.y**2
        g = ratio(float(self.weight @ covariance), float(self.weight @ variance))
        return self.with_offsets(np.full(len(self.weight), g))

    def channel_gains(self) -> Correction:
        """A gain for each channel, and offsets that make the means right."""
        covariance, variance = self.yt - self.y * self.t, self.yy - self.y**2
        layer = ratio(float(self.weight @ covariance), float(self.weight @ variance))
        ridge = (
            SHRINKAGE
            * float(self.weight @ variance)
            / np.maximum(self.weight * len(variance), np.finfo(float).tiny)
        )
        total = np.maximum(variance + ridge, np.finfo(float).tiny)
        low, high = (limit * layer for limit in GAIN_LIMITS)
        return self.with_offsets(np.clip((covariance + ridge * layer) / total, low, high))

    def with_offsets(self, gain: Floats) -> Correction:
        """`gain`, and offsets that make the means right."""
        return Correction(gain, self.t - gain * self.y)

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


def ratio(covariance: float, variance: float) -> float:
    """Least-squares gain within its limits; 1 when nothing varies."""
    return float(np.clip(covariance / variance, *GAIN_LIMITS)) if variance > 0 else 1.0
