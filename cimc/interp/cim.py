"""Executes the `cim` level on numpy arrays: the reference for emulator and RTL.

Maps are codes [N, H, W, C] (int64). A tiled convolution runs its tiles and blocks as the tiling
says, so the meaning of a tiling is checked by running it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise, product

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from cimc.dialects.cim import (
    AddOp,
    ConvOp,
    DepthwiseOp,
    InputOp,
    OutputOp,
    PoolOp,
    VectorLayerOp,
    WindowOp,
    act_type,
    ints,
    pool_factors,
    window_outputs,
    windows_inside,
)
from cimc.interp.cim_vector import vector_layer
from cimc.kernels import Operand, table_product
from cimc.multipliers import get as get_multiplier
from cimc.quant import requantise, round_half_even_shift
from cimc.weights import WeightStore

Codes = NDArray[np.int64]


@dataclass
class CimRun:
    """Results of one execution: the codes of every tensor, by the op that made it."""

    tensors: dict[Operation, Codes] = field(default_factory=dict[Operation, Codes])
    outputs: dict[str, Codes] = field(default_factory=dict[str, Codes])


def run(module: ModuleOp, store: WeightStore, inputs: Mapping[str, Codes]) -> CimRun:
    """Execute the cim ops of `module` on `inputs` (codes [N, H, W, C] by ONNX name)."""
    found = CimRun()
    values: dict[SSAValue, Codes] = {}
    for op in module.walk():
        match op:
            case InputOp():
                values[op.y] = inputs[op.input_name.data].astype(np.int64)
            case OutputOp():
                found.outputs[op.output_name.data] = values[op.x]
                continue
            case ConvOp():
                values[op.y] = conv(op, values[op.x], store)
            case DepthwiseOp():
                values[op.y] = depthwise(op, values[op.x], store)
            case PoolOp():
                values[op.y] = pool(op, values[op.x])
            case AddOp():
                values[op.y] = add(op, values[op.a], values[op.b])
            case VectorLayerOp():
                values[op.y] = vector_layer(op, [values[v] for v in op.operands], store)
            case _:
                continue
        found.tensors[op] = values[op.results[0]]
    return found


def _padded(op: WindowOp, x: Codes, value: int) -> Codes:
    top, left, bottom, right = ints(op.pads)
    pads = ((0, 0), (top, bottom), (left, right), (0, 0))
    return np.pad(x, pads, constant_values=value)


def _window_cells(op: WindowOp, x: Codes) -> list[Codes]:
    """For each kernel cell, row by row, the padded map sampled there: [N, OH, OW, C] views."""
    (kh, kw), (sh, sw), (dh, dw) = ints(op.kernel), ints(op.strides), ints(op.dilations)
    oh, ow = window_outputs(op)
    return [
        x[:, ky * dh : ky * dh + oh * sh : sh, kx * dw : kx * dw + ow * sw : sw][:, :oh, :ow]
        for ky, kx in product(range(kh), range(kw))
    ]


def conv(op: ConvOp, x: Codes, store: WeightStore) -> Codes:
    """The codes of `op`: [N, OH, OW, K]."""
    kind, groups = act_type(op.x), op.group.value.data
    cells = _window_cells(op, _padded(op, x, kind.zero_point.data) - kind.zero_point.data)
    stored, weight_zero = store.get(op.weights.key.data), op.weight_zero.value.data
    weights = stored.astype(np.int64) - weight_zero
    lowest = (
        (-128 if kind.signed else 0) - kind.zero_point.data,
        int(np.iinfo(stored.dtype).min) - weight_zero,
    )
    outputs = weights.shape[0] // groups
    per_group = x.shape[3] // groups
    parts = [
        _group_accumulators(
            op,
            np.concatenate([c[..., g * per_group : (g + 1) * per_group] for c in cells], axis=3),
            weights[g * outputs : (g + 1) * outputs].reshape(outputs, -1),
            lowest,
        )
        for g in range(groups)
    ]
    return _requantised(op, np.concatenate(parts, axis=3), store)


def depthwise(op: DepthwiseOp, x: Codes, store: WeightStore) -> Codes:
    """The codes of `op`: [N, OH, OW, C]."""
    zero = act_type(op.x).zero_point.data
    weights = store.get(op.weights.key.data).astype(np.int64) - op.weight_zero.value.data
    taps = weights.reshape(len(weights), -1).T
    cells = _window_cells(op, _padded(op, x, zero) - zero)
    acc = np.zeros(cells[0].shape, np.int64)
    for cell, tap in zip(cells, taps, strict=True):
        acc += cell * tap
    return _requantised(op, acc, store)


def _requantised(op: ConvOp | DepthwiseOp, acc: Codes, store: WeightStore) -> Codes:
    """Codes of the sums `acc` [N, OH, OW, C]."""
    bias, m, s = (store.get(b.key.data) for b in (op.bias, op.requant_m, op.requant_s))
    low, high = op.low.value.data, op.high.value.data
    zero = act_type(op.y).zero_point.data
    return requantise(acc, bias, m, s, zero, low, high).astype(np.int64)


def _group_accumulators(
    op: ConvOp, patches: Codes, weights: Codes, lowest: tuple[int, int]
) -> Codes:
    """Sums [N, OH, OW, outputs] of `patches` [N, OH, OW, taps] and `weights` [outputs, taps].

    Both without their zero points, from the `lowest` value that either can have.
    """
    n, oh, ow, taps = patches.shape
    block_h, block_w = op.tiling.block_hw if op.tiling else (oh, ow)
    cuts = _tap_cuts(op, taps)
    table = get_multiplier(op.multiplier.data).table(
        op.stored_bits.value.data, op.broadcast_bits.value.data
    )
    multiply = table_product(table)
    acc = np.zeros((n, oh, ow, len(weights)), np.int64)
    for y, x in product(range(0, oh, block_h), range(0, ow, block_w)):
        block = patches[:, y : y + block_h, x : x + block_w]
        flat = block.reshape(-1, taps)
        total = np.zeros((len(flat), len(weights)), np.int64)
        for a, b in pairwise(cuts):
            total += multiply(
                Operand.of_values(flat[:, a:b], lowest[0]),
                Operand.of_values(weights[:, a:b].T, lowest[1]),
            )
        acc[:, y : y + block_h, x : x + block_w] = total.reshape(*block.shape[:3], -1)
    return acc


def _tap_cuts(op: ConvOp, taps: int) -> list[int]:
    """Where tiles cut the reduction, in taps: proportional to their steps."""
    if op.tiling is None:
        return [0, taps]
    steps = op.tiling.tile_steps
    return [at * taps // sum(steps) for at in (0, *accumulate(steps))]


def pool(op: PoolOp, x: Codes) -> Codes:
    """The codes of a pool: [N, OH, OW, C]."""
    zero = act_type(op.x).zero_point.data
    cells = _window_cells(op, _padded(op, x, op.halo_value.value.data) - zero)
    reduced = cells[0].copy()
    for cell in cells[1:]:
        reduced = np.maximum(reduced, cell) if op.kind.data == "max" else reduced + cell
    if (inside := windows_inside(op)) is not None:
        return _means(op, reduced, inside)
    return _scaled(op, reduced * op.m0.value.data)


def _means(op: PoolOp, sums: Codes, inside: tuple[list[int], list[int]]) -> Codes:
    """Codes of `sums` [N, OH, OW, C] of windows that do not count padding."""
    counts = np.maximum(np.outer(*inside), 1)
    value = np.empty_like(sums)
    for divisor, (factor, shift) in pool_factors(op).items():
        where = counts == divisor
        value[:, where] = round_half_even_shift(sums[:, where] * factor, shift)
    zero = act_type(op.y).zero_point.data
    return np.clip(value + zero, op.low.value.data, op.high.value.data)


def add(op: AddOp, a: Codes, b: Codes) -> Codes:
    """The codes of a sum: [N, H, W, C]."""
    left = (a - act_type(op.a).zero_point.data) * op.m0.value.data
    return _scaled(op, left + (b - act_type(op.b).zero_point.data) * op.m1.value.data)


def _scaled(op: PoolOp | AddOp, value: Codes) -> Codes:
    shifted = round_half_even_shift(value, op.shift.value.data)
    zero = act_type(op.y).zero_point.data
    return np.clip(shifted + zero, op.low.value.data, op.high.value.data)
