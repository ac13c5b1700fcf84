"""Writes a float network in the quantised forms of ONNX, with random grids."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from network_builder import Builder, Tensor
from numpy.typing import NDArray
from onnx import NodeProto
from onnx.helper import make_node

WEIGHT_INPUT = {"Conv": 1, "Gemm": 1, "MatMul": 1}


def insert_grids(b: Builder, share: float) -> None:
    """Put QuantizeLinear and DequantizeLinear behind a `share` of the tensors and before weights.

    Scales fit the values up to a factor, zero points anything from the fitting one to random.
    """
    nodes: list[NodeProto] = []
    renamed: dict[str, str] = {}
    known = {t.name: t for t in (*b.inputs, *b.pool)}
    grids = {x.name: grid(b, x, nodes) for x in b.inputs if b.rng.random() < share}
    renamed |= grids
    for node in b.nodes:
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [renamed.get(name, name) for name in node.input]
        if node.op_type in WEIGHT_INPUT and b.rng.random() < share:
            stored_weights(b, copy, nodes)
        nodes.append(copy)
        for name in node.output:
            if name in known and b.rng.random() < share:
                renamed[name] = grid(b, known[name], nodes)
    b.nodes[:] = nodes
    b.renamed = renamed


def grid(b: Builder, x: Tensor, nodes: list[NodeProto]) -> str:
    """Append the conversion of `x` to codes and back; the name of its result."""
    dtype: Any = b.rng.choice([np.uint8, np.int8])
    limits = np.iinfo(dtype)
    low, high = min(0.0, float(x.values.min())), max(0.0, float(x.values.max()))
    scale = max((high - low) / 255, 1e-3) * b.rng.choice([1.0, 0.8, 1.3])
    fitting = int(np.clip(round(limits.min - low / scale), limits.min, limits.max))
    zero = int(b.rng.choice([fitting, fitting, limits.min, limits.max // 2 + 1]))
    zero = zero if b.rng.random() < 0.9 else int(b.rng.integers(limits.min, limits.max + 1))
    return pair(b, x.name, b.constant(scale), b.constant(zero, dtype), nodes)


def pair(b: Builder, x: str, scale: str, zero: str, nodes: list[NodeProto]) -> str:
    """Append QuantizeLinear and DequantizeLinear of `x`; the name of the result."""
    nodes.append(make_node("QuantizeLinear", [x, scale, zero], [f"{x}_q"], f"{x}_Q"))
    nodes.append(make_node("DequantizeLinear", [f"{x}_q", scale, zero], [f"{x}_d"], f"{x}_D"))
    return f"{x}_d"


def stored_weights(b: Builder, node: NodeProto, nodes: list[NodeProto]) -> None:
    """Replace the weights of `node` by codes, with one scale or one an output."""
    name = node.input[WEIGHT_INPUT[node.op_type]]
    w = b.constants[name]
    turned = any(a.name == "transB" and a.i for a in node.attribute)
    axis = 0 if node.op_type == "Conv" or turned else 1
    per_channel = b.opset >= 13 and b.rng.random() < 0.5
    dtype: Any = b.rng.choice([np.int8, np.uint8]) if not per_channel else np.int8
    zero = 0 if dtype is np.int8 else int(b.rng.integers(100, 156))
    others = tuple(i for i in range(w.ndim) if i != axis)
    largest = np.abs(w).max(axis=others) if per_channel else np.abs(w).max()
    scale = np.maximum(largest, 1e-3) / (127 if dtype is np.int8 else 99)
    shape = [-1 if i == axis else 1 for i in range(w.ndim)] if per_channel else [1] * w.ndim
    codes = np.rint(w / scale.reshape(shape)) + zero
    limits = np.iinfo(dtype)
    given = [
        b.constant(np.clip(codes, limits.min, limits.max), dtype),
        b.constant(scale),
        b.constant(np.full(np.shape(scale), zero), dtype),
    ]
    where = {"axis": axis} if per_channel else {}
    result = f"{node.name}_w"
    nodes.append(make_node("DequantizeLinear", given, [result], f"{node.name}_W", **where))
    node.input[WEIGHT_INPUT[node.op_type]] = result


def by_onnxruntime(model: Any, images: NDArray[np.float32], form: str, types: str) -> Any:
    """`model` of one input as onnxruntime quantises it."""
    quantise = quantiser()
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            # Its zero points of uint8 weights would differ between channels.
            return quantise(model, images, form, types=types, per_channel=types != "u8u8")
    finally:
        logging.disable(logging.NOTSET)


def quantiser() -> Callable[..., Any]:
    """`models/quantise_ort.py`, which lies outside of the packages."""
    folder = str(Path(__file__).parents[2] / "models")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    from quantise_ort import quantise

    return quantise
