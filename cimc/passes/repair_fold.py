"""Puts a repair into the integers of a layer."""

from __future__ import annotations

import numpy as np

from cimc.dialects.nn import BlobAttr, WeightedOp, store_blob
from cimc.passes.quantise_weights import BIAS_LIMIT
from cimc.passes.repair_fit import Floats
from cimc.passes.repair_layer import Repair
from cimc.quant import encode_multiplier_vector
from cimc.weights import WeightStore


def fold(layer: WeightedOp, repair: Repair, weights: WeightStore) -> None:
    """Set weights, bias, weight scales and requantisation of `layer`.

    With gain g and offset o, (g acc + o + bias) m / 2^s = (acc + (o + bias) / g) (g m / 2^s). The
    bias is rounded once more, halves to even.
    """

    def stored(blob: BlobAttr | None) -> Floats:
        assert blob is not None
        return weights.get(blob.key.data).astype(np.float64)

    gain, offset = repair.correction.gain, repair.correction.offset
    shape = weights.get(layer.weights.key.data).shape
    layer.weights = store_blob(weights, repair.codes.reshape(shape))
    if (gain == 1).all() and not offset.any():
        return
    bias = (offset + stored(layer.bias)) / gain
    m, s = encode_multiplier_vector(gain * stored(layer.requant_m) / 2 ** stored(layer.requant_s))
    limited = np.clip(np.rint(bias), -BIAS_LIMIT, BIAS_LIMIT).astype(np.int32)
    layer.bias = store_blob(weights, limited)
    layer.requant_m, layer.requant_s = store_blob(weights, m), store_blob(weights, s)
    layer.weight_scales = store_blob(weights, gain * stored(layer.weight_scales))
