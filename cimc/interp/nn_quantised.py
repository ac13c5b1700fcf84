"""Integer semantics of the quantised `nn` operations: codes int8 or uint8, batches [N, ...].

The formulas are those of docs/numerics.md; every product goes through the table of the layer's
multiplier.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import SSAValue

from cimc.dialects.nn import (
    AddOp,
    AveragePoolOp,
    BlobAttr,
    ConvOp,
    DequantizeOp,
    GemmOp,
    MaxPoolOp,
    MulOp,
    PoolOp,
    QuantizeOp,
    QuantType,
    WeightedOp,
    operand_bits,
    quant_of,
    shape_of,
)
from cimc.interp.nn_windows import conv_window, largest, pool_window, slices, total
from cimc.kernels import Operand, im2col, table_product
from cimc.multipliers import get as get_multiplier
from cimc.quant import dequantise, quantise, requantise, round_half_even_shift
from cimc.weights import WeightStore

Codes = NDArray[Any]

PATCH_BYTES = 1 << 24
EXACT = "exact"


def quant(value: SSAValue[Any]) -> QuantType:
    """Quantisation of a tensor that is known to be quantised."""
    found = quant_of(value)
    assert found is not None
    return found


def integer(attribute: Any) -> int:
    """Value of an integer field that the verifier has found to be there."""
    return int(attribute.value.data)


def stored(y: NDArray[np.int64], kind: QuantType) -> Codes:
    """Codes in the storage type of a tensor."""
    return y.astype(np.int8 if kind.signed else np.uint8)


def conv(op: ConvOp, x: Codes, weights: WeightStore) -> Codes:
    """Convolution of codes `x` [N, C, H, W], a few images at a time."""
    kernel, strides, pads, dilations = conv_window(op)
    w, groups = weights.get(op.weights.key.data), integer(op.group)
    outputs, inputs = w.shape[0] // groups, w.shape[1]
    zero, shape = quant(op.x).zero, shape_of(op.y)[1:]
    y = np.empty((len(x), *shape), np.int8 if quant(op.y).signed else np.uint8)
    each = inputs * kernel[0] * kernel[1] * shape[1] * shape[2]
    for part in slices(len(x), each, PATCH_BYTES):
        sums = np.empty((part.stop - part.start, *shape[1:], shape[0]), np.int32)
        for g in range(groups):
            own = slice(g * outputs, (g + 1) * outputs)
            channels = x[part, g * inputs : (g + 1) * inputs]
            patches = im2col(channels, kernel, strides, pads, dilations, fill=zero)
            flat = patches.reshape(-1, patches.shape[-1])
            found = accumulate(op, flat, w[own].reshape(outputs, -1))
            sums[..., own] = found.reshape(*patches.shape[:3], outputs)
        y[part] = requantised(op, sums, weights).transpose(0, 3, 1, 2)
    return y


def gemm(op: GemmOp, x: Codes, weights: WeightStore) -> Codes:
    """Matrix product of codes `x` [N, K]."""
    return requantised(op, accumulate(op, x, weights.get(op.weights.key.data)), weights)


def accumulate(op: WeightedOp, x: Codes, w: Codes) -> NDArray[np.int32]:
    """Sums [M, O] of approximate products of `x` [M, K] and `w` [O, K]."""
    name = EXACT if op.multiplier is None else op.multiplier.data
    table = get_multiplier(name).table(*operand_bits(op))
    left = Operand.of_codes(x, quant(op.x).zero)
    return table_product(table)(left, Operand.of_codes(w.T, integer(op.weight_zero)))


def requantised(op: WeightedOp, sums: NDArray[np.int32], weights: WeightStore) -> Codes:
    """Codes of sums [..., O]: bias added, scaled per output, clamped."""
    bias = 0 if op.bias is None else vector(weights, op.bias)
    m, s = vector(weights, op.requant_m), vector(weights, op.requant_s)
    kind = quant(op.y)
    y = requantise(sums, bias, m, s, kind.zero, integer(op.low), integer(op.high))
    return stored(y, kind)


def vector(weights: WeightStore, handle: BlobAttr | None) -> NDArray[np.int64]:
    """A stored vector as int64."""
    assert handle is not None
    return weights.get(handle.key.data).astype(np.int64)


def add(op: AddOp, a: Codes, b: Codes) -> Codes:
    """Sum of two tensors of different scales."""
    left = (a.astype(np.int64) - quant(op.a).zero) * integer(op.m0)
    return scaled(op, left + (b.astype(np.int64) - quant(op.b).zero) * integer(op.m1))


def pool(op: PoolOp, x: Codes) -> Codes:
    """Maximum or scaled sum of each window."""
    window, kind = pool_window(op, x), quant(op.x)
    if isinstance(op, MaxPoolOp):
        found = largest(x, window, kind.limits[0]).astype(np.int64) - kind.zero
    else:
        found = total(x.astype(np.int64) - kind.zero, window)
    if isinstance(op, AveragePoolOp) and op.inside is not None:
        return means(op, found)
    return scaled(op, found * integer(op.m0))


def means(op: AveragePoolOp, sums: NDArray[np.int64]) -> Codes:
    """Codes of windows that do not count padding, each with the factor of its divisor."""
    assert op.inside is not None
    assert op.divisors is not None
    assert op.factors is not None
    assert op.shifts is not None
    rows, columns = op.inside
    counts = np.maximum(np.outer(rows, columns), 1)
    value = np.empty_like(sums)
    fields = (op.divisors.get_values(), op.factors.get_values(), op.shifts.get_values())
    for divisor, factor, shift in zip(*fields, strict=True):
        where = counts == divisor
        value[..., where] = round_half_even_shift(sums[..., where] * factor, shift)
    kind = quant(op.y)
    return stored(np.clip(value + kind.zero, integer(op.low), integer(op.high)), kind)


def scaled(op: AddOp | MulOp | PoolOp, value: NDArray[np.int64]) -> Codes:
    """clamp(rhe(value / 2^shift) + y.zero, low, high)."""
    kind = quant(op.y)
    y = round_half_even_shift(value, integer(op.shift)) + kind.zero
    return stored(np.clip(y, integer(op.low), integer(op.high)), kind)


def to_codes(op: QuantizeOp, x: NDArray[np.float32]) -> Codes:
    """Codes of real `x`."""
    kind = quant(op.y)
    y = quantise(x, kind.scale_value, kind.zero, integer(op.low), integer(op.high))
    return stored(y, kind)


def to_floats(op: DequantizeOp, x: Codes) -> NDArray[np.float32]:
    """Real numbers that codes `x` stand for."""
    kind = quant(op.x)
    return dequantise(x, kind.scale_value, kind.zero).astype(np.float32)
