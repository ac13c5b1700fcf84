"""`assign-multiplier`: the multiplier of each layer, from the plan, else one for all.

A depthwise convolution for which the plan names none gets `exact`: it runs on the vector unit,
which has exact multipliers. With any other it runs on the array, several times slower.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.passes import ModulePass

from cimc.multipliers import get
from cimc.passes.context import cim_context
from cimc.passes.depthwise import VECTOR_MULTIPLIER, suits_vector_unit
from cimc.passes.plan import named_layers


@dataclass(frozen=True)
class AssignMultiplierPass(ModulePass):
    """Sets `multiplier` of every layer; without the option it is the target's default.

    Raises:
        InvalidInput: a multiplier is unknown or has a non-zero product with zero, or the plan names
            a layer that does not exist.
    """

    name = "assign-multiplier"

    multiplier: str | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Write the property in place."""
        context = cim_context(ctx)
        uniform = self.multiplier or context.target.default_multiplier
        layers = list(named_layers(op))
        context.plan.check(name for name, _ in layers)
        for name, layer in layers:
            vector = suits_vector_unit(layer, context.target.geometry)
            default = VECTOR_MULTIPLIER if vector else uniform
            choice = context.plan.layer(name).multiplier or default
            multiplier = get(choice)
            multiplier.check_zero()
            layer.multiplier = StringAttr(multiplier.name)
