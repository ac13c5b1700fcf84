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
    LayerOp,
    OutputOp,
    PoolOp,
    WindowOp,
)
from cimc.dialects.cim.weighted import ConvOp, DepthwiseOp
from cimc.dialects.cim.windows import act_type, ints, window_outputs
from cimc.dialects.nn import BlobAttr

__all__ = [
    "ActType",
    "AddOp",
    "BlobAttr",
    "Cim",
    "ConvOp",
    "DepthwiseOp",
    "InputOp",
    "LayerOp",
    "OutputOp",
    "PlaceAttr",
    "PoolOp",
    "StripAttr",
    "TilingAttr",
    "WindowOp",
    "act_type",
    "ints",
    "window_outputs",
]

Cim = Dialect(
    "cim",
    [InputOp, OutputOp, ConvOp, DepthwiseOp, PoolOp, AddOp],
    [ActType, TilingAttr, PlaceAttr, StripAttr],
)
