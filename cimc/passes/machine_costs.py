"""What a plan costs on the machine: compiled for it, and counted by the ordinary estimate."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp, StringAttr

from cimc.diagnostics import node_names
from cimc.dialects.cim import LayerOp
from cimc.multipliers import get as get_multiplier
from cimc.passes.depthwise import VECTOR_MULTIPLIER, suits_vector_unit
from cimc.passes.pipeline import PASSES, PIPELINE
from cimc.passes.plan import named_layers
from cimc.passes.plan_search import Choice, Choices, LayerCosts
from cimc.passes.precisions import Precisions
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

    def __init__(self, precisions: Precisions, choices: Mapping[str, Sequence[Choice]]):
        """For the network of `precisions`; `choices` of each layer by node."""
        self.precisions, self.choices = precisions, choices
        self.ctx = precisions.ctx
        self.layers = dict(named_layers(precisions.module(precisions.finest)))
        self.known: dict[tuple[Configuration, ...], Counted] = {}

    def total(self, plan: Choices) -> tuple[float, ...]:
        """Cycles; rows of all weights, or gates of one multiplier for each layer."""
        cycles = sum(count for _, count in self.counted(plan))
        return float(cycles), float(sum(self.size(*choice) for choice in plan.items()))

    def around(self, plan: Choices) -> LayerCosts:
        """Cycles of a layer and of what follows, to the end of the next one; rows or gates."""
        return NearbyCosts(self, dict(plan))

    def key(self, node: str, choice: Choice) -> Hashable:
        """What cycles depend on, and rows or gates."""
        return self.configuration(node, choice), self.size(node, choice)

    def configuration(self, node: str, choice: Choice) -> Configuration:
        """What cycles depend on: unit, bits, rows and reads."""
        if self.on_vector_unit(node, choice):
            return 0, *choice.bits
        if self.ctx.target.multipliers:
            return 1, *choice.bits
        bits = self.precisions.operands(node, choice.bits).bits
        config = get_multiplier(choice.multiplier).array_config(*bits)
        return 1, *choice.bits, config.rows, config.reads

    def on_vector_unit(self, node: str, choice: Choice) -> bool:
        """No multiplier of the array is used."""
        suits = suits_vector_unit(self.layers[node], self.ctx.target.geometry)
        return suits and choice.multiplier == VECTOR_MULTIPLIER

    def size(self, node: str, choice: Choice) -> int:
        """Rows or gates of a layer; nothing on the vector unit."""
        if self.on_vector_unit(node, choice):
            return 0
        bits = self.precisions.operands(node, choice.bits).bits
        multiplier = get_multiplier(choice.multiplier)
        if self.ctx.target.multipliers:
            return multiplier.gates(*bits) or get_multiplier(LOGIC).gates(*bits) or 0
        return math.prod(self.layers[node].weights.shape) * multiplier.array_config(*bits).rows

    def counted(self, plan: Choices) -> Counted:
        """Cycles of every layer of the network with `plan`."""
        key = tuple(self.configuration(*choice) for choice in plan.items())
        if key not in self.known:
            self.known[key] = list(self.compiled(plan))
        return self.known[key]

    def compiled(self, plan: Choices) -> Iterator[tuple[str, int]]:
        """Schedule the network; what is behind the last layer has no name."""
        bits = {node: choice.bits for node, choice in plan.items()}
        module = self.precisions.module(bits).clone()
        for node, layer in named_layers(module):
            layer.multiplier = StringAttr(plan[node].multiplier)
        on_array = (each for each in plan.items() if not self.on_vector_unit(*each))
        built = dict.fromkeys(choice.multiplier for _, choice in on_array)
        target = self.ctx.target.built_for(list(built))
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
    plan: dict[str, Choice]

    def of(self, node: str, choice: Choice) -> tuple[float, ...]:
        """Cycles from the end of what is before the layer to the end of the next one; size."""
        nodes = list(self.plan)
        at = nodes.index(node)
        counted = self.machine.counted(self.changed(nodes[at % 2 :: 2], choice))
        names = [name for name, _ in counted]
        follows = nodes[at + 1] if at + 1 < len(nodes) else names[-1]
        last = len(names) - 1 - names[::-1].index(follows)
        cycles = sum(count for _, count in counted[names.index(node) : last + 1])
        return float(cycles), float(self.machine.size(node, choice))

    def changed(self, nodes: Sequence[str], choice: Choice) -> dict[str, Choice]:
        """The plan with `choice` in those of `nodes` that may have it.

        What else reads the same tensors then has as many bits of activations.
        """
        plan = self.plan | {n: choice for n in nodes if choice in self.machine.choices[n]}
        for group in self.machine.precisions.tied:
            moved = [node for node in group if plan[node] != self.plan[node]]
            if moved:
                bits = plan[moved[0]].activation_bits
                plan |= {node: plan[node]._replace(activation_bits=bits) for node in group}
        return plan


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

    def key(self, node: str, choice: Choice) -> Hashable:
        """Both."""
        return self.macs(node, choice), self.machine.key(node, choice)

    def macs(self, node: str, choice: Choice) -> int:
        """Of one layer and image; none where products are not exact."""
        operands = self.machine.precisions.operands(node, choice.bits)
        exact = operands.is_exact(choice.multiplier)
        return layer_macs(self.machine.layers[node]) if exact else 0


@dataclass(frozen=True)
class ExactMacsNearby:
    """Costs of single choices."""

    costs: ExactMacs
    machine: LayerCosts

    def of(self, node: str, choice: Choice) -> tuple[float, ...]:
        """Multiply-accumulates with exact products; figures of the machine."""
        return (float(self.costs.macs(node, choice)), *self.machine.of(node, choice))
