"""Integer semantics of the quantised `nn` operations: codes int8 or uint8, batches [N, ...].

The formulas are those of docs/numerics.md; every product goes through the table of the layer's
multiplier.
"""

from __future__ import annotations

from dataclasses import replace
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
from cimc.interp.nn_windows import conv_window, largest, pool_window, total
from cimc.kernels import Finish, Operand, Windows, table_product
from cimc.multipliers import get as get_multiplier
from cimc.quant import dequantise, quantise, requantise, round_half_even_shift
from cimc.weights import WeightStore

Codes = NDArray[Any]

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
    """Convolution of codes `x` [N, C, H, W]."""
    w, groups = weights.get(op.weights.key.data), integer(op.group)
    outputs, shape = w.shape[0] // groups, shape_of(op.y)[1:]
    windows = _windows(op, x, w.shape[1])
    plane = windows.memory.shape[1] // groups
    letters = Operand.of_codes(x, quant(op.x).zero).alphabet
    product, zero = table_product(_table(op)), integer(op.weight_zero)
    found: list[Codes] = []
    for g in range(groups):
        own = slice(g * outputs, (g + 1) * outputs)
        codes = np.empty((len(x) * len(windows.pixels), outputs), np.uint8)
        columns = np.ascontiguousarray(w[own].reshape(outputs, -1).T)
        channels = replace(windows, pixels=windows.pixels + g * plane)
        product.layer(
            channels, letters, Operand.of_codes(columns, zero), _finish(op, codes, own, weights)
        )
        found.append(codes)
    whole = found[0] if groups == 1 else np.concatenate(found, axis=1)
    y = whole.reshape(len(x), *shape[1:], shape[0]).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(y).view(np.int8 if quant(op.y).signed else np.uint8)


def _windows(op: ConvOp, x: Codes, inputs: int) -> Windows:
    """Windows of the first `inputs` channels of `x`, bytes in the order of ONNX weights."""
    kernel, strides, (top, left, bottom, right), dilations = conv_window(op)
    margins = ((0, 0), (0, 0), (top, bottom), (left, right))
    padded = np.pad(x, margins, constant_values=quant(op.x).zero)
    height, width = padded.shape[2:]
    rows, columns = (np.arange(n) * s for n, s in zip(shape_of(op.y)[2:], strides, strict=True))
    down = np.arange(inputs)[:, None] * height + np.arange(kernel[0]) * dilations[0]
    offsets, run = down.reshape(-1) * width, kernel[1]
    if dilations[1] != 1:
        offsets, run = np.add.outer(offsets, np.arange(run) * dilations[1]).reshape(-1), 1
    memory = padded.reshape(len(x), -1).view(np.uint8)
    return Windows(memory, np.add.outer(rows * width, columns).reshape(-1), offsets, run)


def _finish(op: WeightedOp, codes: Codes, own: slice, weights: WeightStore) -> Finish:
    """Requantisation of outputs `own` into `codes`."""
    m, s = (vector(weights, handle)[own] for handle in (op.requant_m, op.requant_s))
    bias = np.zeros_like(m) if op.bias is None else vector(weights, op.bias)[own]
    ends = quant(op.y).zero, integer(op.low), integer(op.high)
    return Finish(None, False, codes, bias, m, s, *ends)


def gemm(op: GemmOp, x: Codes, weights: WeightStore) -> Codes:
    """Matrix product of codes `x` [N, K]."""
    return requantised(op, accumulate(op, x, weights.get(op.weights.key.data)), weights)


def accumulate(op: WeightedOp, x: Codes, w: Codes) -> NDArray[np.int32]:
    """Sums [M, O] of approximate products of `x` [M, K] and `w` [O, K]."""
    left = Operand.of_codes(x, quant(op.x).zero)
    return table_product(_table(op))(left, Operand.of_codes(w.T, integer(op.weight_zero)))


def _table(op: WeightedOp) -> NDArray[np.uint32]:
    """Products of the layer's multiplier."""
    name = EXACT if op.multiplier is None else op.multiplier.data
    return get_multiplier(name).table(*operand_bits(op))


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
