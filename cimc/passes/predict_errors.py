"""Layer errors of many multipliers at once, from one run of the exact network on images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from cimc.cost.error_model import Inputs, SumStatistics, predict
from cimc.dialects.nn import BlobAttr, WeightedOp, operand_bits, quant_of
from cimc.multipliers import get as get_multiplier
from cimc.passes.plan import layer_name
from cimc.passes.repair_fit import Floats, Moments
from cimc.passes.repair_samples import Codes, Places, sums_of
from cimc.passes.repair_streams import Streams, exact_twin
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

    def inputs(self) -> list[Inputs]:
        """What the inputs hold, by group."""
        groups = range(self.windows.shape[1])
        return [Inputs.of(self.windows[:, g], self.zeros[0]) for g in groups]

    def predict(self, inputs: Sequence[Inputs], multiplier: str) -> SumStatistics:
        """Statistics of the sums with `multiplier`."""
        table = get_multiplier(multiplier).table(*operand_bits(self.layer))
        groups = np.split(self.codes.astype(np.int64) - self.zeros[1], len(inputs))
        found = [predict(own, codes, table) for own, codes in zip(inputs, groups, strict=True)]
        return SumStatistics.joined(found)

    def measure(self, multiplier: str) -> Moments:
        """Moments of the sums with `multiplier`, as the machine computes them."""
        tables = [
            get_multiplier(name).table(*operand_bits(self.layer)) for name in (multiplier, "exact")
        ]
        y, t = (sums_of(self.windows, self.codes, self.zeros, table) for table in tables)
        return Moments.of(y, t, np.sqrt(self.weight))


def sampled_layers(
    module: ModuleOp, weights: WeightStore, images: Mapping[str, NDArray[Any]], rows: int = ROWS
) -> Iterator[SampledLayer]:
    """Layers of quantised `module` with windows from `images` [N, ...] by name, in order."""
    streams = Streams(exact_twin(module), weights, images)
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
