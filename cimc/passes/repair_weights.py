"""Weight codes whose approximate products are nearest to the exact products of the codes wanted.

One group of a layer at a time: activations [R, K] that its K inputs held, N output channels.
Errors are about the mean, because an offset follows, and behind a gain, which follows too.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.passes.repair_samples import Codes, Table

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

MEAN_WEIGHT = 0.1
"""Of the squared mean error when weights are rounded one by one; the offset takes most of it."""
MOST_GAIN = 2.0
"""Gains tried when weights are rounded end before it: an octave away, most multipliers have the
same relative errors again."""
ROUNDINGS, GAIN_COUNT = 6_000_000, (8, 48)
"""Gains tried for each output channel: so many weights rounded in all, within limits."""
DESCENT_GAIN = (0.5, 4.0)
PRIOR = 16
"""Windows of the activations of all inputs that are added to those of each input when weights are
rounded: an input that calibration never drove is not free."""
REACH = 12
"""Codes up and down that descent tries."""
INDEPENDENT = 0.15
"""Weight in descent of the error that independent activations would give: against overfitting.
To it comes the number of inputs for one window that is looked at."""
PASSES = 2


@dataclass(frozen=True)
class Products:
    """Signed products of weight codes -high .. high, and activation values found."""

    high: int
    values: Floats
    """Activations [U]."""
    table: Floats
    """[2 high + 1, U]"""

    @staticmethod
    def of(table: Table, high: int, values: Index) -> Products:
        """With activation `values` [U], zero point taken off."""
        codes = np.arange(-high, high + 1)
        magnitude = table[np.abs(codes)[:, None], np.abs(values)].astype(np.float64)
        signed = magnitude * np.sign(codes)[:, None] * np.sign(values)
        return Products(high, values.astype(np.float64), signed)


@dataclass(frozen=True)
class Group:
    """What one group of a layer multiplies."""

    products: Products
    index: Index
    """Which activation [R, K] of `products`."""
    wanted: Index
    """Weight codes [N, K] before repair."""

    @staticmethod
    def of(windows: Codes, wanted: Codes, zero: int, table: Table, high: int) -> Group:
        """From `windows` [R, K] with zero point `zero`, and weights [N, K] around 0."""
        found, index = np.unique(windows.astype(np.int64) - zero, return_inverse=True)
        shaped = index.reshape(windows.shape)
        return Group(Products.of(table, high, found), shaped, wanted.astype(np.int64))

    def counts(self) -> Floats:
        """How often each input has each activation [K, U]."""
        size = len(self.products.values)
        columns = [np.bincount(column, minlength=size) for column in self.index.T]
        return np.array(columns, np.float64)


def rounded(group: Group) -> Index:
    """For each weight the code with the least squared error, inputs taken as independent [N, K].

    Each channel has that of the gains tried that its error is least with.
    """
    products, wanted = group.products, group.wanted
    if not products.values.any():
        return wanted
    counts = group.counts()
    prior = PRIOR * counts.sum(axis=0) / counts.sum()
    share = (counts + prior) / (len(group.index) + PRIOR)
    mean = share @ products.table.T
    square = share @ (products.table**2).T - (1 - MEAN_WEIGHT) * mean**2
    a = share @ products.values
    cross = (share * products.values) @ products.table.T - (1 - MEAN_WEIGHT) * mean * a[:, None]
    tried = int(np.clip(ROUNDINGS // wanted.size, *GAIN_COUNT))
    gains = np.geomspace(1.0, MOST_GAIN, tried, endpoint=False)
    costs, found = np.zeros((tried, len(wanted))), np.empty((tried, *wanted.shape), int)
    for (i, g), k in product(enumerate(gains), range(wanted.shape[1])):
        each = g * g * square[k] - 2 * g * np.outer(wanted[:, k], cross[k])
        at = np.argmin(each, axis=1)
        found[i, :, k] = at - products.high
        costs[i] += each[np.arange(len(at)), at]
    return found[np.argmin(costs, axis=0), np.arange(len(wanted))]


def descended(group: Group, codes: Codes) -> Index:
    """`codes` [N, K], each in turn replaced by the one near it that brings the sums nearest."""
    search = Descent(group, codes)
    for _ in range(PASSES):
        search.start()
        for k in range(codes.shape[1]):
            search.input(k)
    return search.codes


class Descent:
    """Coordinate descent of all output channels of a group at once, one input after the other."""

    def __init__(self, group: Group, codes: Codes):
        """Start from `codes` [N, K]."""
        products, counts = group.products, group.counts()
        self.group, self.counts = group, counts
        self.independent = INDEPENDENT + codes.shape[1] / len(group.index)
        self.codes = codes.astype(np.int64)
        self.square = counts @ (products.table**2).T
        self.sum = counts @ products.table.T
        self.cross = (counts * products.values) @ products.table.T
        self.activation = counts @ products.values
        self.gain: Floats = np.ones(len(codes))
        self.table = products.table.astype(np.float32)
        self.rest: NDArray[np.float32] = np.zeros((len(group.index), len(codes)), np.float32)
        """What the corrected sums [R, N] lack, about the mean."""

    def start(self) -> None:
        """Sums, gains and what is lacking, afresh."""
        products, index = self.group.products, self.group.index
        sums, wanted = (np.zeros(self.rest.shape) for _ in range(2))
        for k in range(index.shape[1]):
            sums += products.table[self.codes[:, k] + products.high][:, index[:, k]].T
            wanted += np.outer(products.values[index[:, k]], self.group.wanted[:, k])
        sums -= sums.mean(axis=0)
        wanted -= wanted.mean(axis=0)
        energy = (sums * sums).sum(axis=0)
        fitted = (sums * wanted).sum(axis=0) / np.where(energy > 0, energy, 1)
        self.gain = np.where(energy > 0, np.clip(fitted, *DESCENT_GAIN), 1.0)
        self.rest = (wanted - self.gain * sums).astype(np.float32)

    def input(self, k: int) -> None:
        """The best code of input `k` in each channel."""
        products, index = self.group.products, self.group.index[:, k]
        g, old, high = self.gain, self.codes[:, k], products.high
        before = products.table[old + high]
        used = np.flatnonzero(self.counts[k])
        lacking = binned(index, self.rest)
        linear = -2 * g * (lacking + g * self.counts[k, used][:, None] * before[:, used].T)
        cost = self.table[:, used] @ linear.astype(np.float32) + self.costs(k, old)
        far = np.abs(np.arange(-high, high + 1)[:, None] - old) > REACH
        cost[far] = np.inf
        best = np.argmin(cost, axis=0)
        channels = np.arange(len(old))
        better = cost[best, channels] < cost[old + high, channels]
        moved = np.flatnonzero(better & (best != old + high))
        if len(moved):
            change = g[moved] * (products.table[best[moved]] - before[moved]).T
            mean = self.counts[k] @ change / len(index)
            self.rest[:, moved] -= (change - mean).astype(np.float32)[index]
            self.codes[moved, k] = best[moved] - high

    def costs(self, k: int, old: Index) -> Floats:
        """Squared error of each code [codes, N] for input `k`, but for its product with the rest.

        With it the error that it would have if inputs were independent, times `independent`.
        """
        g, count = self.gain, len(self.group.index)
        wanted = self.group.wanted[:, k]
        square, total = self.square[k][:, None] * g * g, self.sum[k][:, None] * g
        moved = total - total[old + self.group.products.high, np.arange(len(old))]
        bias = total - wanted * self.activation[k]
        alone = square - 2 * g * wanted * self.cross[k][:, None] - bias**2 / count
        return square - moved**2 / count + self.independent * alone


def binned(index: Index, values: NDArray[Any]) -> NDArray[Any]:
    """For each distinct `index` [R], ascending, the sum [N] of its rows of `values` [R, N]."""
    order = np.argsort(index, kind="stable")
    first = np.flatnonzero(np.diff(index[order], prepend=-1))
    return np.add.reduceat(values[order], first, axis=0)
