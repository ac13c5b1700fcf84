"""Float32 semantics of the `nn` operations, on batches [N, ...]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.nn import (
    ActivatedOp,
    AddOp,
    AveragePoolOp,
    BatchNormOp,
    BlobAttr,
    ClipOp,
    ConvOp,
    GemmOp,
    MaxPoolOp,
    MulOp,
    PadOp,
    PoolOp,
    TwoInputOp,
    shape_of,
)
from cimc.interp.nn_windows import Window, cells, conv_window, largest, pool_window, slices, total
from cimc.weights import WeightStore

Floats = NDArray[np.float32]

PATCH_BYTES = 1 << 26
"""Largest block of convolution windows made at a time."""


def blob(weights: WeightStore, handle: BlobAttr) -> Floats:
    """Stored array as float32."""
    return weights.get(handle.key.data).astype(np.float32, copy=False)


def activate(op: ActivatedOp, y: Floats) -> Floats:
    """`y` clamped by the activation of `op`."""
    if op.activation is None:
        return y
    if op.activation.data == "relu":
        return np.maximum(y, np.float32(0))
    assert op.clip_min is not None
    assert op.clip_max is not None
    return clamp(y, op.clip_min.value.data, op.clip_max.value.data)


def clamp(y: Floats, low: float, high: float) -> Floats:
    """`y` within [low, high], in float32."""
    return np.clip(y, np.float32(low), np.float32(high))


def conv(op: ConvOp, x: Floats, weights: WeightStore) -> Floats:
    """Convolution of `x` [N, C, H, W], a few images at a time."""
    window = conv_window(op)
    w, groups = blob(weights, op.weights), op.group.value.data
    outputs, inputs = w.shape[0] // groups, w.shape[1]
    if inputs == 1:
        return activate(op, depthwise(op, x, w, weights))
    shape = shape_of(op.y)[1:]
    y = np.empty((len(x), *shape), np.float32)
    pixels = shape[1] * shape[2]
    for part in slices(len(x), 4 * w[0].size * pixels, PATCH_BYTES):
        for g in range(groups):
            patches = columns(x[part, g * inputs : (g + 1) * inputs], window)
            own = slice(g * outputs, (g + 1) * outputs)
            product = w[own].reshape(outputs, -1) @ patches
            y[part, own] = product.reshape(-1, outputs, *shape[1:])
    if op.bias is not None:
        y += blob(weights, op.bias)[:, None, None]
    return activate(op, y)


def columns(x: Floats, window: Window) -> Floats:
    """Windows of `x` [N, C, H, W] as [N, C * KH * KW, OH * OW]."""
    kernel, strides, pads, _ = window
    if kernel == strides == (1, 1) and not any(pads):
        return x.reshape(*x.shape[:2], -1)
    found = np.stack([*cells(x, window, 0)], axis=2)
    return found.reshape(len(x), -1, found.shape[3] * found.shape[4])


def depthwise(op: ConvOp, x: Floats, w: Floats, weights: WeightStore) -> Floats:
    """The same without activation where each of `w` [O, 1, KH, KW] reads one channel of `x`."""
    y = np.zeros((len(x), *shape_of(op.y)[1:]), np.float32)
    if op.bias is not None:
        y += blob(weights, op.bias)[:, None, None]
    each = y.shape[1] // x.shape[1]
    by_cell = w.reshape(len(w), -1).T[:, :, None, None]
    for part in slices(len(x), 1, 1):
        for cell, factor in zip(cells(x[part], conv_window(op), 0), by_cell, strict=True):
            y[part] += (cell if each == 1 else cell.repeat(each, axis=1)) * factor
    return y


def gemm(op: GemmOp, x: Floats, weights: WeightStore) -> Floats:
    """Matrix product of `x` [N, K]."""
    y = x @ blob(weights, op.weights).T
    if op.bias is not None:
        y += blob(weights, op.bias)
    return activate(op, y)


def two_inputs(op: TwoInputOp, a: Floats, b: Floats) -> Floats:
    """Sum, difference or product."""
    if isinstance(op, MulOp):
        return activate(op, a * b)
    assert isinstance(op, AddOp)
    return activate(op, a + b if op.negate_b is None else a - b)


def pool(op: PoolOp, x: Floats) -> Floats:
    """Maximum or mean of each window."""
    window = pool_window(op, x)
    kernel, pads = window[0], window[2]
    if isinstance(op, MaxPoolOp):
        return largest(x, window, -np.inf)
    if kernel == x.shape[2:] and not any(pads):
        return x.mean(axis=(2, 3), keepdims=True, dtype=np.float32)
    counts: Floats | np.float32 = np.float32(kernel[0] * kernel[1])
    if isinstance(op, AveragePoolOp) and not op.count_include_pad.value.data:
        inside = np.ones((1, 1, *x.shape[2:]), np.float32)
        counts = np.maximum(total(inside, window), np.float32(1))
    return (total(x, window) / counts).astype(np.float32)


def batch_norm(op: BatchNormOp, x: Floats, weights: WeightStore) -> Floats:
    """Normalisation of each channel (axis 1)."""
    scale, shift = scale_and_shift(op, weights)
    per_channel = (-1,) + (1,) * (x.ndim - 2)
    factor, offset = (v.astype(np.float32).reshape(per_channel) for v in (scale, shift))
    return x * factor + offset


def scale_and_shift(
    op: BatchNormOp, weights: WeightStore
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per channel a, b with batch_norm(x) = a x + b, in float64."""
    handles = (op.scale, op.bias, op.mean, op.variance)
    scale, bias, mean, variance = (weights.get(h.key.data).astype(np.float64) for h in handles)
    factor = scale / np.sqrt(variance + op.epsilon.value.data)
    return factor, bias - mean * factor


def clip(op: ClipOp, x: Floats) -> Floats:
    """`x` within the ends of `op`."""
    return clamp(x, op.clip_min.value.data, op.clip_max.value.data)


def pad(op: PadOp, x: Floats) -> Floats:
    """`x` with cells of one value around each map."""
    top, left, bottom, right = op.pads.get_values()
    around = ((0, 0), (0, 0), (top, bottom), (left, right))
    return np.pad(x, around, constant_values=np.float32(op.value.value.data))
