"""How much of a layer's error reaches the outputs: measured, one layer after the other.

The float network runs once; then what follows a layer runs again, with the error of that layer, and
no other, added to its result. As nothing is rounded on the way, what errors of several layers do to
the outputs adds up while they are small: as vectors, since errors of successive layers may pull the
same way; as powers where they do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import SSAValue

from cimc.dialects.nn import quant_of, shape_of
from cimc.interp.nn import bind_inputs, main_function
from cimc.passes.operands import Operands
from cimc.passes.ranges import code_limits
from cimc.passes.repair_fit import Floats
from cimc.passes.repair_samples import Codes, Places
from cimc.passes.repair_streams import Array, Values, in_batches
from cimc.passes.sampled_layers import SampledLayer
from cimc.weights import WeightStore


class WholeRun:
    """Every value of @main on some images."""

    def __init__(self, module: ModuleOp, weights: WeightStore, images: Mapping[str, Array]):
        """Run `module` on `images` [N, ...] by name."""
        self.weights = weights
        self.function = main_function(module)
        self.values: Values = bind_inputs(self.function, images)
        for op in self.function.body.block.ops:
            if not isinstance(op, ReturnOp):
                results = in_batches(op, [self.values[v] for v in op.operands], weights)
                self.values |= dict(zip(op.results, results, strict=True))

    def outputs(self, changed: Mapping[SSAValue[Any], Array] | None = None) -> Floats:
        """All outputs of each image [N, ...] in a row, when the values in `changed` are others."""
        found = dict(changed or {})
        for op in self.function.body.block.ops:
            args = [found.get(v, self.values.get(v)) for v in op.operands]
            arrays = [a for a in args if a is not None]
            if isinstance(op, ReturnOp):
                flat = [a.reshape(len(a), -1).astype(np.float64) for a in arrays]
                return np.concatenate(flat, axis=1)
            if any(v in found for v in op.operands):
                results = in_batches(op, arrays, self.weights)
                found |= dict(zip(op.results, results, strict=True))
        raise AssertionError("@main ends with a return")

    @cached_property
    def clean(self) -> Floats:
        """Outputs when nothing is changed."""
        return self.outputs()

    def difference(self, value: SSAValue[Any], error: Floats) -> Floats:
        """What changes in the outputs [N, ...] when real `error` is added to `value`."""
        before, quant = self.values[value], quant_of(value)
        if quant is None:
            after = (before + error).astype(np.float32)
        else:
            moved = np.rint(before + error / quant.scale_value)
            after = np.clip(moved, *code_limits(value)).astype(before.dtype)
        return self.outputs({value: after}) - self.clean


def noise_to_signal(clean: Floats, difference: Floats) -> float:
    """Energy of `difference` over that of `clean`."""
    energy = float(np.square(clean).sum())
    return float(np.square(difference).sum()) / energy if energy > 0 else 0.0


def layer_error(
    sampled: SampledLayer,
    x: Codes,
    multiplier: str,
    weights: WeightStore,
    given: Operands | None = None,
) -> Floats:
    """What `multiplier`, behind gain and offsets, adds to the real result of a layer reading `x`.

    `x` [N, ...] are the codes of its operand; the clamp of the layer counts, its rounding does not.
    With `given`, operands of another precision, the error of their codes is in it.
    """
    layer, quant = sampled.layer, quant_of(sampled.layer.y)
    assert quant is not None
    own, at = sampled.own, given or sampled.own
    fitted, factor = sampled.correction(multiplier, given), at.factor(own)
    bias = 0.0 if layer.bias is None else weights.get(layer.bias.key.data).astype(np.float64)
    steps = np.sqrt(sampled.weight)
    low, high = (end - quant.zero for end in code_limits(layer.y))
    shape = shape_of(layer.y)[1:]
    parts: list[Floats] = []
    for image in range(len(x)):
        windows = Places.all(layer, image).windows(layer, x)
        read = at.activations.of(windows, own.activations)
        exact, y = own.sums(windows, "exact"), at.sums(read, multiplier)
        corrected = (y * fitted.gain + fitted.offset) * factor
        moved = np.clip((corrected + bias) * steps, low, high)
        error = moved - np.clip((exact + bias) * steps, low, high)
        parts.append(error.T.reshape(shape))
    return np.stack(parts) * quant.scale_value
