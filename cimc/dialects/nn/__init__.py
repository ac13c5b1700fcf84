"""`nn`: tensor operations of a CNN as in ONNX (NCHW), float or quantised by their types.

The function compiled is ``func.func @main``, batch 1. Constants are `#nn.blob` handles. An
operation on `!nn.quant` tensors carries integers only (codes, multipliers, shifts, clamps), so that
executing it needs no float; the formulas are those of docs/numerics.md.
"""

from __future__ import annotations

from xdsl.ir import Dialect

from cimc.dialects.nn.attrs import (
    BlobAttr,
    QuantType,
    float_array,
    float_attr,
    int_array,
    int_attr,
    quant_of,
    shape_of,
    store_blob,
    tensor_of,
)
from cimc.dialects.nn.base import ActivatedOp, NnOp, OneInputOp
from cimc.dialects.nn.convert import DequantizeOp, QuantizeOp
from cimc.dialects.nn.elementwise import (
    AddOp,
    BatchNormOp,
    ClipOp,
    MulOp,
    PadOp,
    ReluOp,
    TwoInputOp,
)
from cimc.dialects.nn.host import HostOp
from cimc.dialects.nn.layout import (
    ConcatOp,
    FlattenOp,
    MoveOp,
    ResizeOp,
    ShuffleOp,
    SliceOp,
    UnflattenOp,
)
from cimc.dialects.nn.pool import (
    AveragePoolOp,
    GlobalAveragePoolOp,
    MaxPoolOp,
    PoolOp,
    WindowPoolOp,
    divisors_of,
)
from cimc.dialects.nn.shapes import window_shape
from cimc.dialects.nn.unary import FUNCTIONS, UnaryOp
from cimc.dialects.nn.weighted import ConvOp, GemmOp, WeightedOp, operand_bits

__all__ = [
    "FUNCTIONS",
    "ActivatedOp",
    "AddOp",
    "AveragePoolOp",
    "BatchNormOp",
    "BlobAttr",
    "ClipOp",
    "ConcatOp",
    "ConvOp",
    "DequantizeOp",
    "FlattenOp",
    "GemmOp",
    "GlobalAveragePoolOp",
    "HostOp",
    "MaxPoolOp",
    "MoveOp",
    "MulOp",
    "Nn",
    "NnOp",
    "OneInputOp",
    "PadOp",
    "PoolOp",
    "QuantType",
    "QuantizeOp",
    "ReluOp",
    "ResizeOp",
    "ShuffleOp",
    "SliceOp",
    "TwoInputOp",
    "UnaryOp",
    "UnflattenOp",
    "WeightedOp",
    "WindowPoolOp",
    "divisors_of",
    "float_array",
    "float_attr",
    "int_array",
    "int_attr",
    "operand_bits",
    "quant_of",
    "shape_of",
    "store_blob",
    "tensor_of",
    "window_shape",
]

Nn = Dialect(
    "nn",
    [
        ConvOp,
        GemmOp,
        AddOp,
        MulOp,
        UnaryOp,
        ConcatOp,
        SliceOp,
        ResizeOp,
        ShuffleOp,
        UnflattenOp,
        HostOp,
        MaxPoolOp,
        AveragePoolOp,
        GlobalAveragePoolOp,
        BatchNormOp,
        ReluOp,
        ClipOp,
        PadOp,
        FlattenOp,
        QuantizeOp,
        DequantizeOp,
    ],
    [QuantType, BlobAttr],
)
