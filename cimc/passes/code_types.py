"""Bits and types of the codes of tensors: what calibration saw, and what their readers want."""

from __future__ import annotations

from typing import Any

from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, IntegerAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Operation, SSAValue

from cimc.diagnostics import pass_fail
from cimc.dialects.nn import BlobAttr, QuantType, WeightedOp
from cimc.passes.calibrate import seen_by
from cimc.passes.canonicalise_nn import NO_CLAMP, clamp_of
from cimc.passes.quantised_forms import KEEPS, are_scores
from cimc.passes.ranges import IMAGES, activation_type, score_type
from cimc.weights import WeightStore


class CodeTypes:
    """Of the tensors of one float function, behind `calibrate` and `assign-precision`."""

    def __init__(self, function: FuncOp, weights: WeightStore, clip: bool):
        """`clip`: scales may cut off what is rare (see `QuantisePass`)."""
        self.function, self.weights, self.clip = function, weights, clip
        images = function.attributes.get(IMAGES)
        self.images = images.value.data if isinstance(images, IntegerAttr) else 0
        self.bits: dict[SSAValue[Any], int] = {}
        self.find_bits()

    def find_bits(self) -> None:
        """Note the bits of every tensor: the most that one of its readers wants.

        A layer that wants fewer reads a copy of fewer bits.
        """
        for op in reversed(list(self.function.body.block.ops)):
            for operand in op.operands:
                wanted = 8
                if isinstance(op, WeightedOp) and op.activation_bits is not None:
                    wanted = op.activation_bits.value.data
                elif isinstance(op, KEEPS):
                    wanted = self.bits.get(op.y, 8)
                self.bits[operand] = max(wanted, self.bits.get(operand, 0))

    def seen_in(self, value: SSAValue[Any]) -> tuple[Attribute | None, Attribute | None]:
        """Range and histogram of `value`, as far as they are known."""
        if isinstance(value.owner, Operation):
            return seen_by(value.owner, value)
        kept = [self.function.attributes.get(name) for name in ("arg_ranges", "arg_histograms")]
        i = self.function.body.block.args.index(value)
        ranges, histograms = (
            each.data[i] if isinstance(each, ArrayAttr) else None for each in kept
        )
        return ranges, histograms

    def of(
        self,
        value: SSAValue[Any],
        seen: Attribute | None,
        histogram: Attribute | None,
        bits: int | None = None,
    ) -> QuantType:
        """Type of the codes of `value`, of `bits` or its own bits, from what calibration saw."""
        if not isinstance(seen, DenseArrayBase):
            if not isinstance(value.owner, Operation):
                raise pass_fail(self.function, "arg_ranges is missing; run calibrate first")
            raise pass_fail(value.owner, "range is missing; run calibrate first")
        low, high = (float(v) for v in seen.get_values())
        if isinstance(value.owner, WeightedOp) and are_scores(value):
            return score_type(low, high, clamp_of(value.owner) or NO_CLAMP, self.images)
        counts = None
        if self.clip and isinstance(histogram, BlobAttr):
            counts = self.weights.get(histogram.key.data)
        return activation_type(low, high, bits or self.bits.get(value, 8), counts)
