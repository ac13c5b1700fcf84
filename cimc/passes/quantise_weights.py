"""Integer weights, biases and requantisation of one layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Attribute, SSAValue

from cimc.diagnostics import pass_fail
from cimc.dialects.nn import (
    QuantType,
    WeightedOp,
    int_array,
    int_attr,
    quant_of,
    store_blob,
)
from cimc.passes.ranges import code_limits
from cimc.quant import encode_multiplier_vector, quantise
from cimc.weights import WeightStore

Vector = NDArray[np.float64]

INT32_MAX = (1 << 31) - 1
SLICE = 1 << 17
"""Weights that are quantised at once."""

BIAS_LIMIT = 1 << 30
"""Largest bias: half of what an accumulator holds, the other half is for the sum."""


def weight_properties(
    op: WeightedOp, x: SSAValue, y: QuantType, activation_bits: int, weights: WeightStore
) -> dict[str, Attribute | None]:
    """Integer properties of layer `op` on codes `x` to codes `y`; its precision is 8 by default.

    Raises:
        PassFailedException: a sum could leave the 32-bit accumulator.
    """
    bits = 8 if op.weight_bits is None else op.weight_bits.value.data
    quant = quant_of(x)
    assert quant is not None
    w = weights.get(op.weights.key.data)
    b = np.zeros(len(w)) if op.bias is None else weights.get(op.bias.key.data).astype(np.float64)
    if op.weight_scales is not None and op.weight_zero is not None:
        scales, zero = weights.get(op.weight_scales.key.data), op.weight_zero.value.data
        low, high, bias_limit = -128, 127, INT32_MAX
    else:
        high = (1 << (bits - 1)) - 1
        scales, zero = weight_scales(w.reshape(len(w), -1), b, quant.scale_value, high), 0
        low, bias_limit = -high, BIAS_LIMIT
    codes = codes_of(w, scales, zero, low, high)
    bias = quantise(b, quant.scale_value * scales, 0, -bias_limit, bias_limit).astype(np.int32)
    broadcast = max(abs(code - quant.zero) for code in code_limits(x))
    check_sums(op, magnitude_sums(codes, zero) * broadcast, bias)
    largest = max(abs(int(end) - zero) for end in (codes.min(), codes.max()))
    m, s = encode_multiplier_vector(quant.scale_value * scales / y.scale_value)
    properties: dict[str, Attribute | None] = {
        "weights": store_blob(weights, codes),
        "bias": store_blob(weights, bias),
        "weight_scales": store_blob(weights, scales),
        "weight_zero": int_attr(zero),
        "requant_m": store_blob(weights, m),
        "requant_s": store_blob(weights, s),
        "weight_bits": int_attr(bits),
        "activation_bits": int_attr(activation_bits),
    }
    usual = (bits - (zero == 0), activation_bits - (quant.signed and quant.zero == 0))
    needed = (largest.bit_length(), broadcast.bit_length())
    if op.magnitude_bits is None and (needed[0] > usual[0] or needed[1] > usual[1]):
        properties["magnitude_bits"] = int_array(map(max, usual, needed))
    return properties


def slices_of(w: NDArray[Any]) -> Iterator[slice]:
    """Runs of outputs of `w` [O, ...] that stay in a processor's cache."""
    each = max(1, SLICE * len(w) // max(w.size, 1))
    return (slice(at, at + each) for at in range(0, len(w), each))


def codes_of(
    w: NDArray[np.float32], scales: Vector, zero: int, low: int, high: int
) -> NDArray[np.int8]:
    """Codes of the weights `w` [O, ...] in steps of `scales` [O]."""
    codes = np.empty(w.shape, np.int8)
    column = scales.reshape(-1, *[1] * (w.ndim - 1))
    for part in slices_of(w):
        codes[part] = quantise(w[part].astype(np.float64), column[part], zero, low, high)
    return codes


def magnitude_sums(codes: NDArray[np.int8], zero: int) -> NDArray[np.int64]:
    """The sum of |code - zero| of each output of `codes` [O, ...]."""
    rows = codes.reshape(len(codes), -1)
    sums = [np.abs(rows[part].astype(np.int64) - zero).sum(axis=1) for part in slices_of(rows)]
    return np.concatenate(sums)


def weight_scales(w: NDArray[np.float32], b: Vector, x_scale: float, most: int) -> Vector:
    """Step [O] of the weights `w` [O, K]: the largest of each channel gets code `most`.

    A bias that would be large against tiny weights makes the step larger, so that its code fits;
    the weights then hardly matter. A channel without weights gets a step that suits its bias.
    """
    scales = np.maximum(w.max(axis=1), -w.min(axis=1)).astype(np.float64) / most
    scales = np.maximum(scales, np.abs(b) / (x_scale * BIAS_LIMIT))
    empty = ~w.any(axis=1)
    scales[empty] = np.abs(b[empty]) / (x_scale * (1 << 20))
    return np.where(scales > 0, scales, 1.0)


def check_sums(op: WeightedOp, sums: NDArray[np.int64], bias: NDArray[np.int32]) -> None:
    """No sum of an output, at most `sums` [O], leaves 32 bits with its bias."""
    worst = int((sums + np.abs(bias.astype(np.int64))).max())
    if worst > INT32_MAX:
        raise pass_fail(
            op, f"sums up to {worst} exceed the 32-bit accumulator; use fewer weight_bits"
        )
