"""What the layers of one network may have, and the errors that are predicted for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product

from cimc.diagnostics import InvalidInput
from cimc.dialects.nn import WeightedOp
from cimc.multipliers import get as get_multiplier
from cimc.multipliers import names as listed_names
from cimc.passes.choose_trial import Trial
from cimc.passes.depthwise import VECTOR_MULTIPLIER, suits_vector_unit
from cimc.passes.plan import Plan, named_layers
from cimc.passes.plan_search import Bits, Choice, PlanCosts, PlanSearch
from cimc.targets import Target


def usable(target: Target) -> list[str]:
    """Listed multipliers that `target` can compute with and that keep zeros."""
    listed = (get_multiplier(name) for name in listed_names())
    return [each.name for each in listed if target.array in each.arrays and each.keeps_zero()]


class Chooser:
    """The choices of each layer, and which of them keep a limit."""

    def __init__(
        self,
        plan: Plan,
        target: Target,
        trial: Trial,
        names: tuple[str, ...],
        vector: tuple[str, ...] = (),
    ):
        """`names` are the multipliers of layers that `plan` leaves open; bits are the trial's.

        `vector` are those of layers of the vector unit, beside what it has itself.
        """
        self.plan, self.target, self.trial, self.names = plan, target, trial, names
        self.vector = tuple(dict.fromkeys((VECTOR_MULTIPLIER, *vector)))
        self.multipliers = {name: self.allowed(name, op) for name, op in named_layers(trial.exact)}
        self.open = {
            node: tuple(Choice(*each) for each in product(names, *trial.precisions.open[node]))
            for node, names in self.multipliers.items()
        }
        self.snr_db = {
            layer.name: {c: trial.predicted_snr_db(layer, c) for c in self.open[layer.name]}
            for layer in trial.layers
        }

    def allowed(self, name: str, layer: WeightedOp) -> tuple[str, ...]:
        """Multipliers that a layer may have."""
        fixed = self.plan.layer(name).multiplier
        if fixed is not None:
            return (fixed,)
        if suits_vector_unit(layer, self.target.geometry):
            return self.vector
        return self.names

    def with_floor(self, floor: float | None) -> dict[str, list[Choice]]:
        """By layer the choices with a predicted signal to noise of `floor` dB at least.

        A layer without one keeps its multiplier if the plan says so, with the bits that are best.

        Raises:
            InvalidInput: a layer has none.
        """
        found: dict[str, list[Choice]] = {}
        for node, known in self.snr_db.items():
            kept = [c for c, db in known.items() if floor is None or db is None or db >= floor]
            if not kept:
                best = max(known, key=lambda c: known[c] or math.inf)
                if self.plan.layer(node).multiplier is None:
                    raise InvalidInput(
                        f"layer '{node}': no choice has a predicted signal to noise of {floor:g} "
                        f"dB; the best, '{best.multiplier}', has {known[best]:.1f} dB; allow "
                        "'exact', or a lower --min-snr"
                    )
                kept = [best]
            found[node] = kept
        return found

    def noise(self, node: str, choice: Choice) -> float:
        """Predicted noise to signal of the sums."""
        db = self.snr_db[node][choice]
        return 0.0 if db is None else 10 ** (-db / 10)

    def on_vector_unit(self, node: str, choice: Choice) -> bool:
        """A choice that needs no multiplier of the array."""
        own = self.multipliers[node] == self.vector
        return own and choice.multiplier == VECTOR_MULTIPLIER

    def search(
        self,
        costs: PlanCosts,
        floor: float | None = None,
        sensitivity: Mapping[str, Mapping[Bits, float]] | None = None,
    ) -> PlanSearch:
        """Of the choices above `floor` dB; noise is that of the outputs with a `sensitivity`.

        Where multipliers are built in, it has one, unless the plan has more: a further bank group
        takes lanes from all layers, so it never saves cycles.
        """
        kept = self.with_floor(floor)
        noise = {
            node: {
                c: self.noise(node, c)
                * (1.0 if sensitivity is None else sensitivity.get(node, {}).get(c.bits, 0.0))
                for c in choices
            }
            for node, choices in kept.items()
        }
        shared = {
            node: [choice for choice in choices if not self.on_vector_unit(node, choice)]
            for node, choices in kept.items()
        }
        fixed = {layer.multiplier for layer in self.plan.layers} - {None}
        kinds = max(1, len(fixed)) if self.target.multipliers else None
        tied = [[node for node in group if node in kept] for group in self.trial.precisions.tied]
        return PlanSearch(noise, costs, shared, kinds, tied)
