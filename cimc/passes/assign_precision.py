"""`assign-precision`: bits of weights and activations, per layer from the plan, else uniform."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cimc.diagnostics import InvalidInput
from cimc.dialects.nn import int_attr, quant_of
from cimc.passes.context import cim_context
from cimc.passes.plan import BITS, named_layers


@dataclass(frozen=True)
class AssignPrecisionPass(ModulePass):
    """Sets `weight_bits` and `activation_bits` (of the layer's input) of every layer.

    Layers and weights that arrived quantised keep their precision.

    Raises:
        InvalidInput: bits out of 2..8, or the plan names a layer that does not exist.
    """

    name = "assign-precision"

    weight_bits: int = 8
    activation_bits: int = 8

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Write the properties in place."""
        for name in ("weight_bits", "activation_bits"):
            bits = getattr(self, name)
            if bits not in BITS:
                raise InvalidInput(f"{self.name}: {name} must be from 2 to 8, got {bits}")
        plan, layers = cim_context(ctx).plan, list(named_layers(op))
        plan.check(name for name, _ in layers)
        for name, layer in layers:
            choice = plan.layer(name)
            if quant_of(layer.y) is not None:
                continue
            if layer.weight_scales is None:
                layer.weight_bits = int_attr(choice.weight_bits or self.weight_bits)
            layer.activation_bits = int_attr(choice.activation_bits or self.activation_bits)
