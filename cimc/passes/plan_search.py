"""The cheapest plan within an error budget, when the cost of a layer depends on its neighbours.

An integer program needs costs that add up. They are taken around a plan, the program is solved, and
once more around its result; the cheapest of all plans met is kept. The uniform plans are among
them, so the result costs no more than any of these that keeps the budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cimc.cost.assignment import Candidate, assign

STEPS = 6
"""Integer programs that are solved at most."""

Choices = Mapping[str, str]
"""Multiplier of each layer, by node."""


class LayerCosts(Protocol):
    """What single choices cost; only differences count."""

    def of(self, node: str, multiplier: str) -> tuple[float, ...]:
        """Figures of layer `node` with `multiplier`, the most important first."""
        ...


class PlanCosts(Protocol):
    """What is to be small: cycles now, energy as well."""

    def total(self, plan: Choices) -> tuple[float, ...]:
        """Figures of the whole network, the most important first."""
        ...

    def around(self, plan: Choices) -> LayerCosts:
        """Figures whose sums are `total` but for a constant, near `plan`."""
        ...


@dataclass(frozen=True)
class PlanSearch:
    """Looks for the cheapest plan."""

    noise: Mapping[str, Mapping[str, float]]
    """By node and multiplier that it may have: what it adds to the noise."""
    costs: PlanCosts
    shared: Mapping[str, Sequence[str]]
    """By node those multipliers that have to be built in."""
    kinds: int | None
    """How many may be built in; None where that is no matter."""

    def best(self, budget: float | None) -> dict[str, str] | None:
        """The cheapest plan with `budget` of noise at most; None when there is none."""
        met = [plan for plan in self.uniform() if self.keeps(plan, budget)]
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
        return sum(self.noise[node][name] for node, name in plan.items())

    def keeps(self, plan: Choices, budget: float | None) -> bool:
        """Within the limits."""
        built = {name for node, name in plan.items() if name in self.shared.get(node, ())}
        few = self.kinds is None or len(built) <= self.kinds
        return few and (budget is None or self.noise_of(plan) <= budget)

    def quietest(self) -> dict[str, str]:
        """The least noise of every layer."""
        return {node: min(known, key=known.__getitem__) for node, known in self.noise.items()}

    def uniform(self) -> Iterator[dict[str, str]]:
        """For each multiplier the plan that has it wherever it may be, else the least noise."""
        quiet = self.quietest()
        for name in dict.fromkeys(name for known in self.noise.values() for name in known):
            yield {node: name if name in self.noise[node] else quiet[node] for node in quiet}

    def step(self, costs: LayerCosts, budget: float | None) -> dict[str, str] | None:
        """The optimum of the integer program."""
        layers = [
            [
                Candidate(
                    name,
                    costs.of(node, name),
                    noise,
                    name if name in self.shared.get(node, ()) else "",
                )
                for name, noise in known.items()
            ]
            for node, known in self.noise.items()
        ]
        found = assign(layers, budget, self.kinds)
        if found is None:
            return None
        picked = (each[i].name for each, i in zip(layers, found, strict=True))
        return dict(zip(self.noise, picked, strict=True))
