"""The cheapest plan within an error budget, when the cost of a layer depends on its neighbours.

An integer program needs costs that add up. They are taken around a plan, the program is solved, and
once more around its result; the cheapest of all plans met is kept. The uniform plans are among
them, so the result costs no more than any of these that keeps the budget.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from cimc.cost.assignment import Candidate, assign

STEPS = 6
"""Integer programs that are solved at most."""


class Choice(NamedTuple):
    """What one layer has."""

    multiplier: str
    weight_bits: int = 8
    activation_bits: int = 8

    @property
    def bits(self) -> Bits:
        """Of weights and activations."""
        return self.weight_bits, self.activation_bits


Bits = tuple[int, int]
"""Of weights and activations."""

Choices = Mapping[str, Choice]
"""Of each layer, by node."""


class LayerCosts(Protocol):
    """What single choices cost; only differences count."""

    def of(self, node: str, choice: Choice) -> tuple[float, ...]:
        """Figures of layer `node` with `choice`, the most important first."""
        ...


class PlanCosts(Protocol):
    """What is to be small: cycles now, energy as well."""

    def total(self, plan: Choices) -> tuple[float, ...]:
        """Figures of the whole network, the most important first."""
        ...

    def around(self, plan: Choices) -> LayerCosts:
        """Figures whose sums are `total` but for a constant, near `plan`."""
        ...

    def key(self, node: str, choice: Choice) -> Hashable:
        """Choices of layer `node` with the same key cost the same in any plan."""
        ...


@dataclass(frozen=True)
class PlanSearch:
    """Looks for the cheapest plan."""

    noise: Mapping[str, Mapping[Choice, float]]
    """By node and choice that it may have: what it adds to the noise."""
    costs: PlanCosts
    shared: Mapping[str, Sequence[Choice]]
    """By node those choices whose multiplier has to be built in."""
    kinds: int | None
    """How many may be built in; None where that is no matter."""
    tied: Sequence[Sequence[str]] = ()
    """Nodes that have the same activation bits: they read one tensor."""

    def best(self, budget: float | None) -> dict[str, Choice] | None:
        """The cheapest plan with `budget` of noise at most; None when there is none."""
        met: list[dict[str, Choice]] = []
        for plan in self.uniform():
            if plan not in met and self.keeps(plan, budget):
                met.append(plan)
        current = min(met, key=self.rank, default=self.quietest())
        for _ in range(STEPS):
            plan = self.step(self.costs.around(current), budget)
            if plan is None or plan in met:
                break
            met.append(plan)
            current = plan
        return min(met, key=self.rank, default=None)

    def rank(self, plan: Choices) -> tuple[float, ...]:
        """Costs, then noise."""
        return (*self.costs.total(plan), self.noise_of(plan))

    def noise_of(self, plan: Choices) -> float:
        """What all layers add."""
        return sum(self.noise[node][choice] for node, choice in plan.items())

    def keeps(self, plan: Choices, budget: float | None) -> bool:
        """Within the limits."""
        built = {self.kind(node, choice) for node, choice in plan.items()} - {""}
        few = self.kinds is None or len(built) <= self.kinds
        read = [{plan[node].activation_bits for node in group} for group in self.tied]
        alike = all(len(bits) == 1 for bits in read)
        return few and alike and (budget is None or self.noise_of(plan) <= budget)

    def kind(self, node: str, choice: Choice) -> str:
        """The multiplier, where it has to be built in."""
        return choice.multiplier if choice in self.shared.get(node, ()) else ""

    def quietest(self) -> dict[str, Choice]:
        """The least noise of every layer."""
        return {node: min(known, key=known.__getitem__) for node, known in self.noise.items()}

    @cached_property
    def instead(self) -> dict[str, dict[Choice, Choice]]:
        """For each choice of a layer the one with the least noise that costs the same."""
        return {node: self.quieter(node) for node in self.noise}

    def quieter(self, node: str) -> dict[Choice, Choice]:
        """`instead` of one layer; what it is tied or built to stays the same, too."""
        known = self.noise[node]
        least: dict[Hashable, Choice] = {}
        keys: dict[Choice, Hashable] = {}
        for choice in sorted(known, key=known.__getitem__):
            kind = self.kind(node, choice) if self.kinds is not None else ""
            keys[choice] = self.costs.key(node, choice), kind, choice.activation_bits
            least.setdefault(keys[choice], choice)
        return {choice: least[key] for choice, key in keys.items()}

    def uniform(self) -> Iterator[dict[str, Choice]]:
        """For each choice the plan that has it wherever it may be, else the least noise.

        Or what costs the same and has less noise.
        """
        quiet = self.quietest()
        for choice in dict.fromkeys(choice for known in self.noise.values() for choice in known):
            yield {node: self.instead[node].get(choice, quiet[node]) for node in quiet}

    def step(self, costs: LayerCosts, budget: float | None) -> dict[str, Choice] | None:
        """The optimum of the integer program."""
        nodes = list(self.noise)
        open_choices = [list(dict.fromkeys(self.instead[node].values())) for node in nodes]
        layers = [
            [
                Candidate(
                    choice.multiplier,
                    costs.of(node, choice),
                    self.noise[node][choice],
                    self.kind(node, choice),
                    choice.activation_bits,
                )
                for choice in choices
            ]
            for node, choices in zip(nodes, open_choices, strict=True)
        ]
        tied = [[nodes.index(node) for node in group] for group in self.tied]
        found = assign(layers, budget, self.kinds, tied)
        if found is None:
            return None
        picked = (each[i] for each, i in zip(open_choices, found, strict=True))
        return dict(zip(nodes, picked, strict=True))
