"""`assign-multiplier`: the multiplier of each layer, from the plan, else one for all.

A depthwise convolution for which the plan names none gets `exact`: it runs on the vector unit,
which has exact multipliers. With any other it runs on the array, several times slower.

`exact-front` keeps the first layers exact: few of the products, but every error there goes through
the whole network, and a first convolution has few products to average errors over.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.passes import ModulePass

from cimc.diagnostics import InvalidInput
from cimc.dialects.nn import int_array
from cimc.multipliers import get
from cimc.passes.bank_groups import build_groups, check_width
from cimc.passes.context import cim_context
from cimc.passes.depthwise import VECTOR_MULTIPLIER as EXACT
from cimc.passes.depthwise import suits_vector_unit
from cimc.passes.plan import named_layers
from cimc.targets.base import MAGNITUDE_BITS


@dataclass(frozen=True)
class AssignMultiplierPass(ModulePass):
    """Sets `multiplier` of every layer; without the option it is the target's default.

    Where multipliers are built into the lanes, the target gets a bank group for each one in use,
    and products are those of two magnitudes of 8 bits whatever the precision.

    `exact_front`: so many layers at the front, in order of the program, compute exact products; the
    plan has precedence.

    Raises:
        InvalidInput: `exact_front` is negative, a multiplier is unknown, too narrow for the lanes
            or has a non-zero product with zero, there are more than clusters to build them into, or
            the plan names a layer that does not exist.
    """

    name = "assign-multiplier"

    multiplier: str | None = None
    exact_front: int = 0

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Write the property in place."""
        if self.exact_front < 0:
            raise InvalidInput(f"{self.name}: exact_front must not be negative")
        context = cim_context(ctx)
        uniform = self.multiplier or context.target.default_multiplier
        layers = list(named_layers(op))
        context.plan.check(name for name, _ in layers)
        for number, (name, layer) in enumerate(layers):
            front = number < self.exact_front
            vector = suits_vector_unit(layer, context.target.geometry)
            default = EXACT if front or vector else uniform
            choice = context.plan.layer(name).multiplier or default
            multiplier = get(choice)
            multiplier.check_zero()
            check_width(multiplier, context.target)
            layer.multiplier = StringAttr(multiplier.name)
            if context.target.multipliers:
                layer.magnitude_bits = int_array((MAGNITUDE_BITS, MAGNITUDE_BITS))
        build_groups(context, (layer for _, layer in layers))
