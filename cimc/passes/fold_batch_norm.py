"""`fold-batch-norm`: no batch normalisation is left.

One behind a convolution or matrix product that nothing else reads goes into its weights:
w'[o] = a[o] w[o], b'[o] = a[o] b[o] + c[o]. Any other becomes a 1x1 depthwise convolution (of a
vector: a diagonal matrix product) with weights a and bias c.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from cimc.diagnostics import fuse_locs
from cimc.dialects.nn import (
    BatchNormOp,
    ConvOp,
    GemmOp,
    WeightedOp,
    shape_of,
    store_blob,
)
from cimc.interp.nn_float import scale_and_shift
from cimc.passes.context import cim_context
from cimc.passes.nn_layers import depthwise_properties
from cimc.weights import WeightStore

Vector = NDArray[np.float64]


@dataclass
class FoldBatchNorm(RewritePattern):
    """batch_norm(conv(x)) -> conv'(x); batch_norm(x) -> depthwise conv(x)."""

    weights: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: BatchNormOp, rewriter: PatternRewriter) -> None:
        """Rewrite one normalisation."""
        factor, offset = scale_and_shift(op, self.weights)
        layer = op.x.owner
        if isinstance(layer, WeightedOp) and layer.activation is None and op.x.has_one_use():
            new = self.folded(layer, op, factor, offset)
            new.location = fuse_locs(layer, op)
        else:
            new = self.separate(op, factor, offset)
            new.location = op.location
        rewriter.replace(op, new)

    def folded(
        self, layer: WeightedOp, op: BatchNormOp, factor: Vector, offset: Vector
    ) -> WeightedOp:
        """`layer` with the normalisation in its weights and bias."""
        w = self.weights.get(layer.weights.key.data).astype(np.float64)
        b = 0.0 if layer.bias is None else self.weights.get(layer.bias.key.data)
        scaled = w * factor.reshape(-1, *[1] * (w.ndim - 1))
        changed = self.parameters(scaled, b * factor + offset) | self.steps(layer, factor)
        return type(layer)([layer.x], op.y.type, layer.properties | changed)

    def steps(self, layer: WeightedOp, factor: Vector) -> dict[str, Attribute | None]:
        """Steps of weights that came as codes; none where a factor is not above 0."""
        if layer.weight_scales is None:
            return {}
        if (factor <= 0).any():
            return {"weight_scales": None, "weight_zero": None, "weight_bits": None}
        scales = self.weights.get(layer.weight_scales.key.data) * factor
        return {"weight_scales": store_blob(self.weights, scales)}

    def separate(self, op: BatchNormOp, factor: Vector, offset: Vector) -> WeightedOp:
        """A layer of its own."""
        if len(shape_of(op.x)) == 2:
            return GemmOp([op.x], op.y.type, self.parameters(np.diag(factor), offset))
        weights = factor.reshape(-1, 1, 1, 1)
        properties = depthwise_properties(len(factor)) | self.parameters(weights, offset)
        return ConvOp([op.x], op.y.type, properties)

    def parameters(self, weights: Vector, bias: Vector) -> dict[str, Attribute | None]:
        """Stored float32 weights and bias."""
        return {
            "weights": store_blob(self.weights, weights.astype(np.float32)),
            "bias": store_blob(self.weights, bias.astype(np.float32)),
        }


@dataclass(frozen=True)
class FoldBatchNormPass(ModulePass):
    """Replaces every `nn.batch_norm`."""

    name = "fold-batch-norm"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Rewrite the module in place; new weights go to the context's store."""
        pattern = FoldBatchNorm(cim_context(ctx).weights)
        PatternRewriteWalker(GreedyRewritePatternApplier([pattern], ctx=ctx)).rewrite_module(op)
