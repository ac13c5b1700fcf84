"""`canonicalise-nn`: activations and padding go into the operations that can do them for free.

- relu and clip into the convolution, matrix product or addition before them; in front of a max
  pool or flatten, which changes nothing in the result; two of them into one.
- zero padding into the windows behind it; what is left becomes a 1x1 depthwise convolution by 1.
- pools of single cells vanish.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import BoolAttr, ModuleOp, StringAttr
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from cimc.diagnostics import fuse_locs, pass_fail
from cimc.dialects.nn import (
    ActivatedOp,
    AveragePoolOp,
    ClipOp,
    ConvOp,
    FlattenOp,
    GlobalAveragePoolOp,
    MaxPoolOp,
    NnOp,
    PadOp,
    ReluOp,
    float_attr,
    int_array,
    shape_of,
    store_blob,
)
from cimc.passes.context import cim_context
from cimc.passes.nn_layers import depthwise_properties
from cimc.weights import WeightStore

Interval = tuple[float, float]
LARGEST = float(np.finfo(np.float32).max)
NO_CLAMP: Interval = (-LARGEST, LARGEST)


def clamp_of(op: Operation | object) -> Interval | None:
    """The interval that relu, clip or an activation clamps to; None for anything else."""
    match op:
        case ReluOp():
            return (0.0, LARGEST)
        case ClipOp():
            return (op.clip_min.value.data, op.clip_max.value.data)
        case ActivatedOp(activation=StringAttr(data="relu")):
            return (0.0, LARGEST)
        case ActivatedOp() if op.clip_min is not None and op.clip_max is not None:
            return (op.clip_min.value.data, op.clip_max.value.data)
        case ActivatedOp():
            return NO_CLAMP
        case _:
            return None


def then(first: Interval, second: Interval) -> Interval:
    """Clamping to `first`, then to `second`."""
    low, high = (min(max(end, second[0]), second[1]) for end in first)
    return low, high


def activation(interval: Interval) -> dict[str, Attribute | None]:
    """Properties of an activation that clamps to `interval`."""
    if interval == (0.0, LARGEST):
        return {"activation": StringAttr("relu"), "clip_min": None, "clip_max": None}
    low, high = interval
    return {
        "activation": StringAttr("clip"),
        "clip_min": float_attr(low),
        "clip_max": float_attr(high),
    }


@dataclass
class FuseActivation(RewritePattern):
    """relu(conv(x)) -> conv(x) with an activation; the same for clip, gemm and add.

    A vector has no unit that could clamp it later, so its producer is fused even when others
    read it as well: it is then computed twice.
    """

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        """Rewrite a relu or clip."""
        if not isinstance(op, ReluOp | ClipOp):
            return
        wanted, before = clamp_of(op), op.x.owner
        assert wanted is not None
        alone = op.x.has_one_use()
        if isinstance(before, ActivatedOp) and (alone or len(shape_of(op.x)) == 2):
            interval = then(clamp_of(before) or NO_CLAMP, wanted)
            properties = before.properties | activation(interval)
            new: NnOp = type(before)(list(before.operands), op.y.type, properties)
        elif isinstance(before, ReluOp | ClipOp) and alone:
            interval = then(clamp_of(before) or NO_CLAMP, wanted)
            ends = {"clip_min": float_attr(interval[0]), "clip_max": float_attr(interval[1])}
            new = ClipOp([before.x], op.y.type, ends)
        else:
            return
        new.location = fuse_locs(before, op)
        rewriter.replace(op, new)


@dataclass
class ActivateBefore(RewritePattern):
    """relu(max_pool(x)) -> max_pool(relu(x)); the same for clip and flatten."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        """Swap a relu or clip with the operation before it."""
        if not isinstance(op, ReluOp | ClipOp):
            return
        before = op.x.owner
        if not isinstance(before, MaxPoolOp | FlattenOp) or not op.x.has_one_use():
            return
        clamped = type(op)([before.x], before.x.type, op.properties)
        clamped.location = op.location
        moved = type(before)([clamped.y], op.y.type, before.properties)
        moved.location = before.location
        rewriter.replace(op, [clamped, moved])


@dataclass
class FoldPad(RewritePattern):
    """conv(pad(x)) -> conv(x) with larger pads; the same for pools where zeros mean the same."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        """Rewrite a window behind a padding."""
        if not isinstance(op, ConvOp | AveragePoolOp | MaxPoolOp):
            return
        pad = op.x.owner
        if not isinstance(pad, PadOp) or pad.value.value.data != 0:
            return
        pads = [a + b for a, b in zip(op.pads.get_values(), pad.pads.get_values(), strict=True)]
        properties = op.properties | {"pads": int_array(pads)}
        if isinstance(op, AveragePoolOp):
            if any(op.pads.get_values()) and not op.count_include_pad.value.data:
                return
            properties["count_include_pad"] = BoolAttr.from_bool(True)
        if not isinstance(op, ConvOp):
            kernel = op.kernel.get_values()
            if any(pads[i] >= kernel[i % 2] for i in range(4)):
                return
        if isinstance(op, MaxPoolOp) and not is_positive(pad.x):
            return
        new = type(op)([pad.x], op.y.type, properties)
        new.location = fuse_locs(op, pad)  # a layer is called by its first node
        rewriter.replace(op, new)


def is_positive(value: SSAValue) -> bool:
    """No element of `value` can be below 0."""
    while isinstance(owner := value.owner, MaxPoolOp):
        value = owner.x
    interval = clamp_of(owner)
    return interval is not None and interval[0] >= 0


@dataclass
class PadByConv(RewritePattern):
    """A padding that nothing could take becomes a convolution that copies each channel."""

    weights: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: PadOp, rewriter: PatternRewriter) -> None:
        """Rewrite a padding."""
        if op.value.value.data != 0:
            raise pass_fail(op, f"pads with {op.value.value.data}; only zeros have a mapping")
        channels = shape_of(op.x)[1]
        properties = depthwise_properties(channels, op.pads.get_values())
        ones = np.ones((channels, 1, 1, 1), np.float32)
        properties["weights"] = store_blob(self.weights, ones)
        new = ConvOp([op.x], op.y.type, properties)
        new.location = op.location
        rewriter.replace(op, new)


@dataclass
class DropPool(RewritePattern):
    """A pool whose window is one cell is its operand."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        """Remove a pool that copies."""
        if not isinstance(op, MaxPoolOp | AveragePoolOp | GlobalAveragePoolOp):
            return
        same = op.x.type == op.y.type
        kernel = (1, 1) if isinstance(op, GlobalAveragePoolOp) else op.kernel.get_values()
        if same and math.prod(kernel) == 1:
            rewriter.replace(op, [], [op.x])


@dataclass(frozen=True)
class CanonicaliseNnPass(ModulePass):
    """Brings a float module into the form that `quantise` expects."""

    name = "canonicalise-nn"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Rewrite the module in place."""
        fold: list[RewritePattern] = [FuseActivation(), ActivateBefore(), FoldPad(), DropPool()]
        PatternRewriteWalker(GreedyRewritePatternApplier(fold, ctx=ctx)).rewrite_module(op)
        left: list[RewritePattern] = [PadByConv(cim_context(ctx).weights), FuseActivation()]
        PatternRewriteWalker(GreedyRewritePatternApplier(left, ctx=ctx)).rewrite_module(op)
