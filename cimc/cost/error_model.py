"""Error of a layer with an approximate multiplier or fewer bits, in closed form from its inputs.

No product is run. Inputs are taken as independent of each other, but for those that always hold the
same. The error is that of the sums behind one gain for the layer and an offset for each output,
as `repair` fits them to the exact sums of the same codes: what is left of a multiplier's mean error
is then its spread, while that of the codes stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
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
class Products:
    """What a layer multiplies instead of wanted weights and activations, and what it gets."""

    used: Index
    """Distinct weights, zero point taken off [C]."""
    at: NDArray[np.integer[Any]]
    """Which of them each weight is [O, K]."""
    read: Index
    """Activation, zero point taken off, instead of each of the `Inputs.values` [U]."""
    factor: Floats
    """What a product of codes 1 and 1 stands for, in products of wanted ones [O]."""
    table: NDArray[np.uint32]
    """Products of magnitudes (weight, activation)."""

    @cached_property
    def given(self) -> Floats:
        """Products of the distinct weights with each of the activations [C, U]."""
        magnitude = self.table[np.abs(self.used)[:, None], np.abs(self.read)]
        return magnitude.astype(np.float64) * np.sign(self.used)[:, None] * np.sign(self.read)


@dataclass(frozen=True)
class SumStatistics:
    """Of the sums of each output channel [O] with the same inputs, in wanted products.

    y is approximate, q exact with the same codes, t what is wanted.
    """

    mean_error: Floats
    """Mean of y - q, before any correction."""
    shift: Floats
    """Mean of q - t, which no correction sees."""
    y: Floats
    """Variance of y."""
    t: Floats
    """Variance of t."""
    yq: Floats
    """Covariance."""
    yt: Floats
    """Covariance."""

    def gain(self, weight: Floats) -> float:
        """The factor of y that is best for the channels together, `weight` [O] of each."""
        variance = float(weight @ self.y)
        return float(weight @ self.yq) / variance if variance > 0 else 1.0

    def error(self, weight: Floats) -> float:
        """Mean over channels of the mean square of corrected y less t, `weight` [O] of each."""
        g = self.gain(weight)
        each = g * g * self.y - 2 * g * self.yt + self.t + self.shift**2
        return max(float(weight @ each), 0.0) / len(weight)

    def snr_db(self, weight: Floats, signal: float) -> float | None:
        """10 log10 (signal / error) for the mean variance `signal` of t; None without an error."""
        error = self.error(weight)
        return 10 * math.log10(signal / error) if error > 0 and signal > 0 else None

    @staticmethod
    def joined(parts: Sequence[SumStatistics]) -> SumStatistics:
        """Channels of several groups, one after the other."""
        names = [field.name for field in fields(SumStatistics)]
        return SumStatistics(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


def predict(inputs: Inputs, wanted: Index, products: Products) -> SumStatistics:
    """Statistics of the sums of `inputs` with weights `wanted` [O, K], zero point taken off."""
    single = np.array([len(ks) == 1 for ks in inputs.members])
    found = _independent(inputs, single, wanted, products)
    codes = products.used[products.at]
    for ks, share in zip(inputs.members, inputs.share, strict=True):
        if len(ks) > 1:
            y = products.given[products.at[:, ks]].sum(axis=1)
            q = np.outer(codes[:, ks].sum(axis=1), products.read)
            t = np.outer(wanted[:, ks].sum(axis=1), inputs.values)
            scale = products.factor[:, None]
            found += _moments(y * scale, q * scale, t, share)
    return SumStatistics(*found)


def _independent(
    inputs: Inputs, single: NDArray[np.bool_], wanted: Index, products: Products
) -> Floats:
    """Fields of `SumStatistics` for inputs that stand alone [6, O]."""
    share, a, read = inputs.share[single], inputs.values, products.read
    alone = np.array([ks[0] for ks in inputs.members], np.int64)[single]
    given, at = products.given, products.at[:, alone]
    mean_y, mean_a, mean_r = share @ given.T, share @ a, share @ read
    var_y = share @ (given**2).T - mean_y**2
    var_a = share @ a**2 - mean_a**2
    with_a, with_r = (
        (share * v) @ given.T - mean[:, None] * mean_y for v, mean in ((a, mean_a), (read, mean_r))
    )
    rows, f = np.arange(len(share)), products.factor
    w, code = wanted[:, alone].astype(np.float64), products.used[at].astype(np.float64)
    return np.stack(
        [
            f * (mean_y[rows, at].sum(axis=1) - code @ mean_r),
            f * (code @ mean_r) - w @ mean_a,
            f**2 * var_y[rows, at].sum(axis=1),
            w**2 @ var_a,
            f**2 * (code * with_r[rows, at]).sum(axis=1),
            f * (w * with_a[rows, at]).sum(axis=1),
        ]
    )


def _moments(y: Floats, q: Floats, t: Floats, share: Floats) -> Floats:
    """Fields of `SumStatistics` for sums [O, U] of which `share` [U] occurs [6, O]."""
    mean_y, mean_q, mean_t = y @ share, q @ share, t @ share
    return np.stack(
        [
            mean_y - mean_q,
            mean_q - mean_t,
            y**2 @ share - mean_y**2,
            t**2 @ share - mean_t**2,
            (y * q) @ share - mean_y * mean_q,
            (y * t) @ share - mean_y * mean_t,
        ]
    )
