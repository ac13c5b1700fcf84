"""Integer weights, biases and requantisation of one layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Attribute

from cimc.diagnostics import pass_fail
from cimc.dialects.nn import QuantType, WeightedOp, int_attr, store_blob
from cimc.passes.ranges import code_range
from cimc.quant import encode_multiplier_vector, quantise
from cimc.weights import WeightStore

Vector = NDArray[np.float64]

BIAS_LIMIT = 1 << 30
"""Largest bias: half of what an accumulator holds, the other half is for the sum."""


def weight_properties(
    op: WeightedOp, x: QuantType, y: QuantType, activation_bits: int, weights: WeightStore
) -> dict[str, Attribute]:
    """Integer properties of layer `op` on codes `x` to codes `y`; its precision is 8 by default.

    Raises:
        PassFailedException: a sum could leave the 32-bit accumulator.
    """
    bits = 8 if op.weight_bits is None else op.weight_bits.value.data
    w = weights.get(op.weights.key.data).astype(np.float64)
    b = np.zeros(len(w)) if op.bias is None else weights.get(op.bias.key.data).astype(np.float64)
    most = (1 << (bits - 1)) - 1
    scales = weight_scales(w.reshape(len(w), -1), b, x.scale_value, most)
    column = scales.reshape(-1, *[1] * (w.ndim - 1))
    codes = quantise(w, column, 0, -most, most).astype(np.int8)
    bias = quantise(b, x.scale_value * scales, 0, -BIAS_LIMIT, BIAS_LIMIT).astype(np.int32)
    largest = max(abs(code - x.zero) for code in code_range(x, activation_bits))
    check_sums(op, codes, bias, largest)
    m, s = encode_multiplier_vector(x.scale_value * scales / y.scale_value)
    return {
        "weights": store_blob(weights, codes),
        "bias": store_blob(weights, bias),
        "weight_scales": store_blob(weights, scales),
        "weight_zero": int_attr(0),
        "requant_m": store_blob(weights, m),
        "requant_s": store_blob(weights, s),
        "weight_bits": int_attr(bits),
        "activation_bits": int_attr(activation_bits),
    }


def weight_scales(w: Vector, b: Vector, x_scale: float, most: int) -> Vector:
    """Step [O] of the weights `w` [O, K]: the largest of each channel gets code `most`.

    A bias that would be large against tiny weights makes the step larger, so that its code fits;
    the weights then hardly matter. A channel without weights gets a step that suits its bias.
    """
    scales = np.abs(w).max(axis=1) / most
    scales = np.maximum(scales, np.abs(b) / (x_scale * BIAS_LIMIT))
    empty = ~w.any(axis=1)
    scales[empty] = np.abs(b[empty]) / (x_scale * (1 << 20))
    return np.where(scales > 0, scales, 1.0)


def check_sums(
    op: WeightedOp, codes: NDArray[np.int8], bias: NDArray[np.int32], largest: int
) -> None:
    """No sum of products with activations up to `largest`, plus bias, leaves 32 bits."""
    sums = np.abs(codes.reshape(len(codes), -1).astype(np.int64)).sum(axis=1) * largest
    worst = int((sums + np.abs(bias.astype(np.int64))).max())
    if worst >= 1 << 31:
        raise pass_fail(
            op, f"sums up to {worst} exceed the 32-bit accumulator; use fewer weight_bits"
        )
