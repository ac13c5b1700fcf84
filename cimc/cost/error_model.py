"""Error of a layer with an approximate multiplier, in closed form from what its inputs hold.

No product is run. Inputs are taken as independent of each other, but for those that always hold the
same. The error is that of the sums behind one gain for the layer and an offset for each output,
as `repair` fits them: what is left of a multiplier's mean error is then its spread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Inputs:
    """What the K inputs of a group of output channels hold."""

    values: Floats
    """Distinct activations, zero point taken off [U]."""
    share: Floats
    """How often each distinct input has each of them [D, U]; rows add up to 1."""
    members: tuple[Index, ...]
    """For each of the D distinct inputs, which of the K it stands for."""

    @staticmethod
    def of(windows: NDArray[Any], zero: int) -> Inputs:
        """From sampled codes [R, K]; inputs that are equal in every sample are one."""
        found, index = np.unique(windows.astype(np.int64) - zero, return_inverse=True)
        columns = np.ascontiguousarray(index.reshape(windows.shape).T.astype(np.uint16))
        first: dict[bytes, list[int]] = {}
        for k, column in enumerate(columns):
            first.setdefault(column.tobytes(), []).append(k)
        counts = [np.bincount(columns[ks[0]], minlength=len(found)) for ks in first.values()]
        share = np.array(counts, np.float64) / len(windows)
        members = tuple(np.array(ks, np.int64) for ks in first.values())
        return Inputs(found.astype(np.float64), share, members)


@dataclass(frozen=True)
class SumStatistics:
    """Of the sums of each output channel [O], approximate y and exact t of the same inputs."""

    mean_error: Floats
    """Mean of y - t, before any correction."""
    y: Floats
    """Variance of y."""
    t: Floats
    """Variance of t."""
    yt: Floats
    """Covariance."""

    def gain(self, weight: Floats) -> float:
        """The factor of y that is best for the channels together, `weight` [O] of each."""
        variance = float(weight @ self.y)
        return float(weight @ self.yt) / variance if variance > 0 else 1.0

    def error(self, weight: Floats) -> float:
        """Mean over channels of the variance of gain * y - t, `weight` [O] of each."""
        g = self.gain(weight)
        return max(float(weight @ (g * g * self.y - 2 * g * self.yt + self.t)), 0.0) / len(weight)

    def snr_db(self, weight: Floats, signal: float) -> float | None:
        """10 log10 (signal / error) for the mean variance `signal` of t; None without an error."""
        error = self.error(weight)
        return 10 * math.log10(signal / error) if error > 0 and signal > 0 else None

    @staticmethod
    def joined(parts: Sequence[SumStatistics]) -> SumStatistics:
        """Channels of several groups, one after the other."""
        fields = ("mean_error", "y", "t", "yt")
        return SumStatistics(*(np.concatenate([getattr(p, f) for p in parts]) for f in fields))


def predict(inputs: Inputs, codes: Index, table: NDArray[np.uint32]) -> SumStatistics:
    """Statistics of the sums of `inputs` with weights `codes` [O, K], zero point taken off.

    `table` holds the products of magnitudes (weight, activation).
    """
    used, at = np.unique(codes, return_inverse=True)
    at = at.reshape(codes.shape)
    magnitude = table[np.abs(used)[:, None], np.abs(inputs.values).astype(np.int64)]
    products = magnitude.astype(np.float64) * np.sign(used)[:, None] * np.sign(inputs.values)
    single = np.array([len(ks) == 1 for ks in inputs.members])
    alone = np.array([ks[0] for ks in inputs.members], np.int64)[single]
    found = _independent(inputs, single, used, products, at[:, alone])
    for ks, share in zip(inputs.members, inputs.share, strict=True):
        if len(ks) > 1:
            y = products[at[:, ks]].sum(axis=1)
            t = np.outer(codes[:, ks].sum(axis=1), inputs.values)
            found = [a + b for a, b in zip(found, _moments(y, t, share), strict=True)]
    return SumStatistics(*found)


def _independent(
    inputs: Inputs, single: NDArray[np.bool_], used: Index, products: Floats, at: Index
) -> list[Floats]:
    """Fields of `SumStatistics` for inputs that stand alone; `at` [O, D] indexes `used`."""
    share, a = inputs.share[single], inputs.values
    mean_y, mean_a = share @ products.T, share @ a
    var_y = share @ (products**2).T - mean_y**2
    var_a = share @ a**2 - mean_a**2
    cov = (share * a) @ products.T - mean_a[:, None] * mean_y
    rows, w = np.arange(len(share)), used[at].astype(np.float64)
    return [
        mean_y[rows, at].sum(axis=1) - w @ mean_a,
        var_y[rows, at].sum(axis=1),
        w**2 @ var_a,
        (w * cov[rows, at]).sum(axis=1),
    ]


def _moments(y: Floats, t: Floats, share: Floats) -> list[Floats]:
    """Fields of `SumStatistics` for sums y and t [O, U] of which `share` [U] occurs."""
    mean_y, mean_t = y @ share, t @ share
    return [
        mean_y - mean_t,
        y**2 @ share - mean_y**2,
        t**2 @ share - mean_t**2,
        (y * t) @ share - mean_y * mean_t,
    ]
