"""Layers of the exact network with samples of what they read: predicted and measured errors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from cimc.cost.error_model import Inputs, Products, SumStatistics, predict
from cimc.dialects.nn import BlobAttr, WeightedOp, shape_of
from cimc.passes.operands import Operands
from cimc.passes.plan import layer_name
from cimc.passes.repair_fit import Correction, Floats, Moments, Sums
from cimc.passes.repair_samples import Codes, Places
from cimc.passes.repair_streams import Streams
from cimc.weights import WeightStore

ROWS = 4096
"""Results of a layer whose windows give the histograms."""


@dataclass(frozen=True)
class SampledLayer:
    """A quantised layer and sampled windows [R, groups, K] of its input in the exact network.

    Where `given` are the operands of the same layer at another precision, errors are those of its
    sums against the exact ones here: of the multiplier, behind a correction, and of the codes.
    """

    layer: WeightedOp
    own: Operands
    weight: Floats
    """Square of the steps of the result for one of a sum [O]."""
    windows: Codes

    @property
    def name(self) -> str:
        """ONNX node."""
        return layer_name(self.layer)

    @cached_property
    def inputs(self) -> list[Inputs]:
        """What the inputs hold, by group."""
        groups = range(self.windows.shape[1])
        return [Inputs.of(self.windows[:, g], self.own.activations.zero) for g in groups]

    @cached_property
    def exact(self) -> Sums:
        """Exact sums [R, O] of the windows."""
        return self.own.sums(self.windows, "exact")

    @cached_property
    def signal(self) -> float:
        """Mean variance of the exact sums, in steps of the result."""
        return Moments.of(self.exact, self.exact, np.sqrt(self.weight)).signal()

    def predict(self, multiplier: str, given: Operands | None = None) -> SumStatistics:
        """Statistics of the sums with `multiplier`."""
        at = given or self.own
        factor, (used, index) = at.factor(self.own), at.weights.distinct
        wanted, found = self.own.weights.centred, list[SumStatistics]()
        outputs = np.split(np.arange(len(index)), len(self.inputs))
        for inputs, rows in zip(self.inputs, outputs, strict=True):
            read = at.activations.centred(inputs.values, self.own.activations)
            products = Products(used, index[rows], read, factor[rows], at.table(multiplier))
            found.append(predict(inputs, wanted[rows], products))
        return SumStatistics.joined(found)

    def predicted_snr_db(self, multiplier: str, given: Operands | None = None) -> float | None:
        """Of the sums with `multiplier` behind gain and offsets; None without an error."""
        if given is None and self.own.is_exact(multiplier):
            return None
        return self.predict(multiplier, given).snr_db(self.weight, self.signal)

    def correction(self, multiplier: str, given: Operands | None = None) -> Correction:
        """Gain and offsets that bring sums with `multiplier` to the exact ones of their codes."""
        at = given or self.own
        x = at.activations.of(self.windows, self.own.activations)
        y, q = (at.sums(x, name) for name in (multiplier, "exact"))
        return Moments.of(y, q, np.sqrt(self.weight) * at.factor(self.own)).channel_offsets()

    def measured_snr_db(self, multiplier: str, given: Operands | None = None) -> float | None:
        """What `predicted_snr_db` predicts, from products that are run."""
        at = given or self.own
        correction, factor = self.correction(multiplier, given), at.factor(self.own)
        x = at.activations.of(self.windows, self.own.activations)
        y = at.sums(x, multiplier) * factor
        moments = Moments.of(y, self.exact, np.sqrt(self.weight))
        return moments.snr_db(Correction(correction.gain, correction.offset * factor))


def sampled_layers(
    module: ModuleOp, weights: WeightStore, images: Mapping[str, NDArray[Any]], rows: int = ROWS
) -> Iterator[SampledLayer]:
    """Layers of `module`, an exact twin, with windows from `images` [N, ...] by name, in order."""
    streams = Streams(module, weights, images)
    rng = np.random.default_rng(0)
    for layer in streams.layers():
        if layer.requant_m is None:
            continue
        x = streams.operands(layer)[1]
        m, s = (
            weights.get(blob.key.data).astype(np.float64)
            for blob in (layer.requant_m, layer.requant_s)
            if isinstance(blob, BlobAttr)
        )
        places = Places.sample(layer, np.arange(len(x)), rows, rng)
        own = Operands.of(layer, weights)
        yield SampledLayer(layer, own, (m / 2**s) ** 2, places.windows(layer, x))


def affordable(module: ModuleOp, products: float, limits: tuple[int, int]) -> int:
    """Images, within `limits`, of which one run of `module` takes that many products."""
    each = sum(layer_macs(op) for op in module.walk() if isinstance(op, WeightedOp))
    low, high = limits
    return min(max(int(products / max(each, 1)), low), high)


def layer_macs(op: WeightedOp) -> int:
    """Multiply-accumulates of one image."""
    return math.prod(shape_of(op.y)) * math.prod(op.weights.shape[1:])


def every_other(images: Mapping[str, NDArray[Any]], most: int) -> Sequence[dict[str, NDArray[Any]]]:
    """Two halves of the first `most` of `images` by name; a single image is in both."""
    count = min(most, *(len(array) for array in images.values()))
    odd = 1 if count > 1 else 0
    return [{name: a[at:count:2] for name, a in images.items()} for at in (0, odd)]
