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

from cimc.cost.error_model import Inputs, SumStatistics, predict
from cimc.dialects.nn import BlobAttr, WeightedOp, operand_bits, quant_of, shape_of
from cimc.multipliers import get as get_multiplier
from cimc.passes.plan import layer_name
from cimc.passes.repair_fit import Floats, Moments, Sums
from cimc.passes.repair_samples import Codes, Places, Table, sums_of
from cimc.passes.repair_streams import Streams
from cimc.weights import WeightStore

ROWS = 4096
"""Results of a layer whose windows give the histograms."""


@dataclass(frozen=True)
class SampledLayer:
    """A quantised layer and sampled windows [R, groups, K] of its input in the exact network."""

    layer: WeightedOp
    codes: Codes
    """Weights [O, K]."""
    zeros: tuple[int, int]
    """Zero points of activations and weights."""
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
        return [Inputs.of(self.windows[:, g], self.zeros[0]) for g in groups]

    @cached_property
    def exact(self) -> Sums:
        """Exact sums [R, O] of the windows."""
        return sums_of(self.windows, self.codes, self.zeros, self.table("exact"))

    @cached_property
    def signal(self) -> float:
        """Mean variance of the exact sums, in steps of the result."""
        return Moments.of(self.exact, self.exact, np.sqrt(self.weight)).signal()

    def table(self, multiplier: str) -> Table:
        """Products of the magnitudes that the layer multiplies."""
        return get_multiplier(multiplier).table(*operand_bits(self.layer))

    def predict(self, multiplier: str) -> SumStatistics:
        """Statistics of the sums with `multiplier`."""
        table = self.table(multiplier)
        groups = np.split(self.codes.astype(np.int64) - self.zeros[1], len(self.inputs))
        found = [predict(own, codes, table) for own, codes in zip(self.inputs, groups, strict=True)]
        return SumStatistics.joined(found)

    def predicted_snr_db(self, multiplier: str) -> float | None:
        """Of the sums with `multiplier` behind gain and offsets; None without an error."""
        if np.array_equal(self.table(multiplier), self.table("exact")):
            return None
        return self.predict(multiplier).snr_db(self.weight, self.signal)

    def measure(self, multiplier: str) -> Moments:
        """Moments of the sums with `multiplier`, as the machine computes them."""
        y = sums_of(self.windows, self.codes, self.zeros, self.table(multiplier))
        return Moments.of(y, self.exact, np.sqrt(self.weight))

    def measured_snr_db(self, multiplier: str) -> float | None:
        """What `predicted_snr_db` predicts, from products that are run."""
        moments = self.measure(multiplier)
        return moments.snr_db(moments.channel_offsets())


def sampled_layers(
    module: ModuleOp, weights: WeightStore, images: Mapping[str, NDArray[Any]], rows: int = ROWS
) -> Iterator[SampledLayer]:
    """Layers of `module`, an exact twin, with windows from `images` [N, ...] by name, in order."""
    streams = Streams(module, weights, images)
    rng = np.random.default_rng(0)
    for layer in streams.layers():
        if layer.requant_m is None or layer.weight_zero is None:
            continue
        quant, x = quant_of(layer.x), streams.operands(layer)[1]
        assert quant is not None
        m, s = (
            weights.get(blob.key.data).astype(np.float64)
            for blob in (layer.requant_m, layer.requant_s)
            if isinstance(blob, BlobAttr)
        )
        w = weights.get(layer.weights.key.data)
        places = Places.sample(layer, np.arange(len(x)), rows, rng)
        zeros = quant.zero, layer.weight_zero.value.data
        codes = w.reshape(len(w), -1)
        yield SampledLayer(layer, codes, zeros, (m / 2**s) ** 2, places.windows(layer, x))


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
