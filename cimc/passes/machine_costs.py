"""What a plan costs on the machine: compiled for it, and counted by the ordinary estimate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import ModuleOp, StringAttr

from cimc.diagnostics import node_names
from cimc.dialects.cim import LayerOp
from cimc.dialects.nn import operand_bits
from cimc.multipliers import get as get_multiplier
from cimc.passes.context import CimContext
from cimc.passes.depthwise import VECTOR_MULTIPLIER, suits_vector_unit
from cimc.passes.pipeline import PASSES, PIPELINE
from cimc.passes.plan import named_layers
from cimc.passes.plan_search import Choices, LayerCosts
from cimc.passes.sampled_layers import layer_macs
from cimc.passes.segments import cut

FIRST, LAST = "nn-to-cim", "cim-estimate-cycles"
LOGIC = "exact-array"
"""Its gates count for a multiplier whose definition is not all logic, as that of `exact`."""
Configuration = tuple[int, ...]
Counted = list[tuple[str, int]]
"""Node and cycles of each layer, in order of the program."""


class MachineCosts:
    """Cycles, then rows of the array that hold weights, or gates where multipliers are built in."""

    def __init__(self, ctx: CimContext, exact: ModuleOp, choices: Mapping[str, tuple[str, ...]]):
        """For the quantised network `exact`; `choices` of each layer by node. Neither changes."""
        self.ctx, self.exact, self.choices = ctx, exact, choices
        self.layers = dict(named_layers(exact))
        self.known: dict[tuple[Configuration, ...], Counted] = {}

    def total(self, plan: Choices) -> tuple[float, ...]:
        """Cycles; rows of all weights, or gates of one multiplier for each layer."""
        cycles = sum(count for _, count in self.counted(plan))
        return float(cycles), float(sum(self.size(*choice) for choice in plan.items()))

    def around(self, plan: Choices) -> LayerCosts:
        """Cycles of a layer and of what follows, to the end of the next one; rows or gates."""
        return NearbyCosts(self, dict(plan))

    def configuration(self, node: str, multiplier: str) -> Configuration:
        """What cycles depend on: unit, rows and reads."""
        layer = self.layers[node]
        if multiplier == VECTOR_MULTIPLIER and suits_vector_unit(layer, self.ctx.target.geometry):
            return (0,)
        if self.ctx.target.multipliers:
            return (1,)
        config = get_multiplier(multiplier).array_config(*operand_bits(layer))
        return 1, config.rows, config.reads

    def size(self, node: str, multiplier: str) -> int:
        """Rows or gates of a layer; nothing on the vector unit."""
        unit, *shape = self.configuration(node, multiplier)
        if unit == 0:
            return 0
        layer = self.layers[node]
        if shape:
            return math.prod(layer.weights.shape) * shape[0]
        bits = operand_bits(layer)
        gates = get_multiplier(multiplier).gates(*bits)
        return gates or get_multiplier(LOGIC).gates(*bits) or 0

    def counted(self, plan: Choices) -> Counted:
        """Cycles of every layer of the network with `plan`."""
        key = tuple(self.configuration(*choice) for choice in plan.items())
        if key not in self.known:
            self.known[key] = list(self.compiled(plan))
        return self.known[key]

    def compiled(self, plan: Choices) -> Iterator[tuple[str, int]]:
        """Schedule the network; what is behind the last layer has no name."""
        module = self.exact.clone()
        for node, layer in named_layers(module):
            layer.multiplier = StringAttr(plan[node])
        built = [name for node, name in plan.items() if self.configuration(node, name) != (0,)]
        target = self.ctx.target.built_for(list(dict.fromkeys(built)))
        names = PIPELINE[PIPELINE.index(FIRST) : PIPELINE.index(LAST) + 1]
        for segment in cut(module).parts:
            if segment.on_host:
                continue
            own = self.ctx.scratch(target)
            for name in names:
                PASSES[name]()().apply(own, segment.module)
            layers = list(cycles_by_node(segment.module))
            yield from layers
            assert own.cycles is not None
            yield "", own.cycles.total - sum(count for _, count in layers)


@dataclass(frozen=True)
class NearbyCosts:
    """Costs of single choices around `plan`: every second layer is changed at once."""

    machine: MachineCosts
    plan: dict[str, str]

    def of(self, node: str, multiplier: str) -> tuple[float, ...]:
        """Cycles from the end of what is before the layer to the end of the next one; size."""
        nodes = list(self.plan)
        at = nodes.index(node)
        changed = {
            other: multiplier
            for other in nodes[at % 2 :: 2]
            if multiplier in self.machine.choices[other]
        }
        counted = self.machine.counted(self.plan | changed)
        order = {name: i for i, (name, _) in enumerate(counted)}
        first = order[node]
        last = order[nodes[at + 1]] if at + 1 < len(nodes) else len(counted) - 1
        cycles = sum(count for _, count in counted[first : last + 1])
        return float(cycles), float(self.machine.size(node, multiplier))


def cycles_by_node(module: ModuleOp) -> Iterator[tuple[str, int]]:
    """Node and cycles of each layer of a scheduled module."""
    for op in module.walk():
        if isinstance(op, LayerOp) and (nodes := node_names(op.location)):
            cycles = op.cycles
            assert cycles is not None
            yield nodes[0], cycles.value.data


class ExactMacs:
    """Multiply-accumulates with exact products, then what `machine` counts.

    It stands for what approximate products save where cycles do not show it: depthwise convolutions
    may leave the vector unit.
    """

    def __init__(self, machine: MachineCosts):
        """For the network and choices of `machine`."""
        self.machine = machine

    def total(self, plan: Choices) -> tuple[float, ...]:
        """Sum over the layers; figures of `machine`."""
        macs = sum(self.macs(*choice) for choice in plan.items())
        return (float(macs), *self.machine.total(plan))

    def around(self, plan: Choices) -> LayerCosts:
        """They add up wherever the plan is."""
        return ExactMacsNearby(self, self.machine.around(plan))

    def macs(self, node: str, multiplier: str) -> int:
        """Of one layer and image; none where products are not exact."""
        layer = self.machine.layers[node]
        own, exact = (
            get_multiplier(name).table(*operand_bits(layer)) for name in (multiplier, "exact")
        )
        return layer_macs(layer) if np.array_equal(own, exact) else 0


@dataclass(frozen=True)
class ExactMacsNearby:
    """Costs of single choices."""

    costs: ExactMacs
    machine: LayerCosts

    def of(self, node: str, multiplier: str) -> tuple[float, ...]:
        """Multiply-accumulates with exact products; figures of the machine."""
        return (float(self.costs.macs(node, multiplier)), *self.machine.of(node, multiplier))
