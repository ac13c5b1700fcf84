"""The `cim` dialect: layers on the accelerator, one op a layer.

Activations are 8-bit codes in height, width, channel order with a halo (`!cim.act`). Weights and
requantisation parameters are blobs in the weight store. Passes fill in, one after the other, how a
layer is tiled (`#cim.tiling`) and where its tensors lie (`#cim.place`), so a few
dozen ops describe loops that expand to many thousand commands.
"""

from __future__ import annotations

from xdsl.ir import Dialect

from cimc.dialects.cim.attrs import ActType, PlaceAttr, StripAttr, TilingAttr
from cimc.dialects.cim.ops import (
    AddOp,
    InputOp,
    OutputOp,
    PoolOp,
    WindowOp,
)
from cimc.dialects.cim.vector_ops import (
    ConcatOp,
    CopyOp,
    FlattenOp,
    LayerOp,
    MulOp,
    ResizeOp,
    ShuffleOp,
    SliceOp,
    TableOp,
    VectorLayerOp,
)
from cimc.dialects.cim.weighted import ConvOp, DepthwiseOp
from cimc.dialects.cim.windows import (
    act_type,
    ints,
    pool_factors,
    window_outputs,
    windows_inside,
)
from cimc.dialects.nn import BlobAttr

__all__ = [
    "ActType",
    "AddOp",
    "BlobAttr",
    "Cim",
    "ConcatOp",
    "ConvOp",
    "CopyOp",
    "DepthwiseOp",
    "FlattenOp",
    "InputOp",
    "LayerOp",
    "MulOp",
    "OutputOp",
    "PlaceAttr",
    "PoolOp",
    "ResizeOp",
    "ShuffleOp",
    "SliceOp",
    "StripAttr",
    "TableOp",
    "TilingAttr",
    "VectorLayerOp",
    "WindowOp",
    "act_type",
    "ints",
    "pool_factors",
    "window_outputs",
    "windows_inside",
]

Cim = Dialect(
    "cim",
    [
        InputOp,
        OutputOp,
        ConvOp,
        DepthwiseOp,
        PoolOp,
        AddOp,
        MulOp,
        TableOp,
        ConcatOp,
        SliceOp,
        ResizeOp,
        ShuffleOp,
        FlattenOp,
    ],
    [ActType, TilingAttr, PlaceAttr, StripAttr],
)
