"""`assign-multiplier`: the multiplier of each layer, from the plan, else one for all."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.passes import ModulePass

from cimc.multipliers import get
from cimc.passes.context import cim_context
from cimc.passes.plan import named_layers


@dataclass(frozen=True)
class AssignMultiplierPass(ModulePass):
    """Sets `multiplier` of every layer; without the option it is the target's default.

    Raises:
        InvalidInput: an unknown multiplier, or the plan names a layer that does not exist.
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
            choice = context.plan.layer(name).multiplier or uniform
            layer.multiplier = StringAttr(get(choice).name)
