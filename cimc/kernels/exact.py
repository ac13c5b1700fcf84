"""Exact integer matrix products by libraries: onnxruntime's int8 product, or float32 BLAS.

Either is exact here. onnxruntime adds products of bytes up in 32 bits, and is kept from the
kernels that saturate in between; sums that could pass 2^31 do not go there. BLAS gets slices of
the reduction so short that every partial sum is an integer of at most 2^24.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.kernels.native import threads
from cimc.kernels.operand import Bytes, Operand
from cimc.kernels.reference import Sums, exact_matmul

Values = NDArray[np.int64]

_SMALL = 1 << 16
"""Products below which onnxruntime's fixed costs are larger than what it saves."""
_SUMS = 1 << 31


def exact_product(x: Bytes, x_values: Values, weights: Operand, w_values: Values) -> Sums:
    """Sums [M, N] of x_values[x] @ w_values[w] for bytes `x` [M, K] and w [K, N] of `weights`.

    Modulo 2^32; values [256] are -255..255. What libraries need of the weights is kept.
    """
    w = weights.codes
    largest = int(np.abs(x_values).max()) * int(np.abs(w_values).max())
    depth = x.shape[1]
    if x.size * w.shape[1] >= _SMALL and largest * depth < _SUMS:
        left = _unsigned(x, x_values)
        right = weights.derived(w_values.tobytes(), lambda: _as_weights(w, w_values))
        if left is not None and right is not None:
            return _integer_product(left, right)
    table_x, table_w = (v.astype(np.float32) for v in (x_values, w_values))
    return exact_matmul(table_x[x], table_w[w], largest)


def _translated(codes: Bytes, table: Bytes) -> Bytes:
    """table[codes], C-contiguous."""
    data = np.ascontiguousarray(codes)
    if np.array_equal(table, np.arange(256)):
        return data
    return np.frombuffer(data.tobytes().translate(table.tobytes()), np.uint8).reshape(data.shape)


def _unsigned(codes: Bytes, values: Values) -> tuple[Bytes, int] | None:
    """uint8 matrix and zero point that stand for `values[codes]`; None for over 256 values."""
    low, high = min(0, int(values.min())), int(values.max())
    if high - low > 255:
        return None
    return _translated(codes, (values - low).astype(np.uint8)), -low


def _as_weights(codes: Bytes, values: Values) -> tuple[NDArray[Any], int] | None:
    """The same, int8 where possible: products of uint8 by int8 are the fastest."""
    if values.min() < -128 or values.max() > 127:
        return _unsigned(codes, values)
    return _translated(codes, values.astype(np.int8).view(np.uint8)).view(np.int8), 0


def _integer_product(x: tuple[Bytes, int], w: tuple[NDArray[Any], int]) -> Sums:
    signed = w[0].dtype == np.int8
    inputs = {
        "x": x[0],
        "w": w[0],
        "x_zero": np.array(x[1], np.uint8),
        "w_zero": np.array(w[1], w[0].dtype),
    }
    return np.asarray(_session(signed, threads()).run(None, inputs)[0])


@cache
def _session(signed: bool, count: int) -> Any:
    """A model of one product of uint8 by int8 or uint8 on `count` threads."""
    import onnxruntime
    from onnx import TensorProto
    from onnx.helper import (
        make_graph,
        make_model,
        make_node,
        make_opsetid,
        make_tensor_value_info,
    )

    kind = TensorProto.INT8 if signed else TensorProto.UINT8
    matrix: list[Any] = [None, None]
    inputs = [
        make_tensor_value_info("x", TensorProto.UINT8, matrix),
        make_tensor_value_info("w", kind, matrix),
        make_tensor_value_info("x_zero", TensorProto.UINT8, []),
        make_tensor_value_info("w_zero", kind, []),
    ]
    node = make_node("MatMulInteger", [value.name for value in inputs], ["y"])
    output = make_tensor_value_info("y", TensorProto.INT32, matrix)
    graph = make_graph([node], "product", inputs, [output])
    model = make_model(graph, opset_imports=[make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = count
    # Without VNNI the fast kernels of uint8 by int8 saturate sums of two products at 16 bits.
    options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
