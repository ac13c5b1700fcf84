"""One network quantised on the side with the bits that its layers may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from xdsl.dialects.builtin import IntegerAttr, ModuleOp
from xdsl.ir import SSAValue

from cimc.dialects.nn import DequantizeOp, WeightedOp, quant_of
from cimc.passes.assign_multiplier import AssignMultiplierPass
from cimc.passes.assign_precision import AssignPrecisionPass
from cimc.passes.context import CimContext
from cimc.passes.depthwise import suits_vector_unit
from cimc.passes.operands import Operands
from cimc.passes.plan import LayerPlan, Plan, named_layers
from cimc.passes.plan_search import Bits
from cimc.passes.quantise import QuantisePass
from cimc.passes.quantised_forms import KEEPS

WHOLE = 8
"""Bits of what nothing is said about."""


class Precisions:
    """What bits the layers of float `real` may have, and what they become with them."""

    def __init__(self, ctx: CimContext, real: ModuleOp, choices: Sequence[int] = ()):
        """`choices` are the bits of what the plan of `ctx` leaves open, `WHOLE` without any.

        Layers that suit the vector unit, weights and tensors that arrived quantised have no
        choice. What is quantised goes to the store of `ctx`.
        """
        self.ctx, self.real = ctx, real
        self.choices = tuple(sorted(set(choices), reverse=True))
        layers = dict(named_layers(real))
        self.open = {name: self.allowed(name, layer) for name, layer in layers.items()}
        self.finest: dict[str, Bits] = {
            name: (weights[0], activations[0]) for name, (weights, activations) in self.open.items()
        }
        self.tied = self.readers_of_one(layers)
        self.modules: dict[tuple[Bits, ...], ModuleOp] = {}
        self.found: dict[Bits, dict[str, Operands]] = {}

    def allowed(self, name: str, layer: WeightedOp) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Bits of weights and of activations that a layer may have, most first."""
        fixed = self.ctx.plan.layer(name)
        arrived = quant_of(layer.y) is not None
        still = arrived or suits_vector_unit(layer, self.ctx.target.geometry)
        return (
            self.bits_of(fixed.weight_bits, layer.weight_bits, still or is_quantised(layer)),
            self.bits_of(
                fixed.activation_bits,
                layer.activation_bits,
                still or isinstance(source(layer.x).owner, DequantizeOp),
            ),
        )

    def bits_of(
        self, planned: int | None, given: IntegerAttr[Any] | None, still: bool
    ) -> tuple[int, ...]:
        """What the plan says, what is `given` if it has to stay, else the choices."""
        if planned is not None and given is None:
            return (planned,)
        if still or not self.choices:
            return (WHOLE if given is None else given.value.data,)
        return self.choices

    def readers_of_one(self, layers: Mapping[str, WeightedOp]) -> list[list[str]]:
        """Layers with a choice of activation bits that read the same tensor."""
        groups: dict[SSAValue[Any], list[str]] = {}
        for name, layer in layers.items():
            if len(self.open[name][1]) > 1:
                groups.setdefault(source(layer.x), []).append(name)
        return [group for group in groups.values() if len(group) > 1]

    def module(self, bits: Mapping[str, Bits]) -> ModuleOp:
        """The network in integers, with exact products and `bits` of each layer by node."""
        key = tuple(bits[name] for name in self.open)
        if key not in self.modules:
            layers = (LayerPlan(name, None, *bits[name]) for name in self.open)
            own = self.ctx.scratch()
            own.weights, own.plan = self.ctx.weights, Plan(tuple(layers), self.ctx.plan.source)
            module = self.real.clone()
            AssignPrecisionPass().apply(own, module)
            AssignMultiplierPass("exact").apply(own, module)
            QuantisePass().apply(own, module)
            self.modules[key] = module
        return self.modules[key]

    def operands(self, node: str, bits: Bits) -> Operands:
        """What a layer multiplies with these bits."""
        known = self.found.setdefault(bits, {})
        if node not in known:
            weights, read = (self.alike(each)[node] for each in bits)
            known[node] = replace(weights, activations=read.activations)
        return known[node]

    def alike(self, most: int) -> dict[str, Operands]:
        """Of all layers when each has `most` bits of weights and activations, if it may."""
        known = self.found.setdefault((most, most), {})
        if len(known) < len(self.open):
            bits = {
                name: tuple(most if most in each else each[0] for each in both)
                for name, both in self.open.items()
            }
            module = self.module({name: (w, a) for name, (w, a) in bits.items()})
            layers = named_layers(module)
            known |= {name: Operands.of(layer, self.ctx.weights) for name, layer in layers}
        return known


def source(value: SSAValue[Any]) -> SSAValue[Any]:
    """What decides about the codes of `value`."""
    while isinstance(value.owner, KEEPS):
        value = value.owner.x
    return value


def is_quantised(layer: WeightedOp) -> bool:
    """Its weights arrived in integers."""
    return layer.weight_scales is not None
