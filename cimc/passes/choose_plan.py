"""`choose-plan`: the cheapest multiplier of each layer that keeps an error limit.

The network is quantised on the side, with exact products. There the closed form gives the signal to
noise of each layer under every choice (`cimc.cost.error_model`), and for a limit on the outputs one
run a layer tells how much of its error reaches them (`cimc.passes.sensitivity`). Integer programs
find what costs the fewest cycles by the exact estimate, among equals the fewest rows or gates, then
the least noise (`cimc.passes.plan_search`).

The plan then holds for calibration images: it is repaired on the side too, and while the outputs on
images that repair was not fitted to miss the limit, it is chosen again with that much less noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cimc.diagnostics import InvalidInput
from cimc.dialects.nn import WeightedOp
from cimc.multipliers import get as get_multiplier
from cimc.multipliers import names as listed_names
from cimc.passes.choose_trial import Trial, decibels
from cimc.passes.context import cim_context
from cimc.passes.depthwise import VECTOR_MULTIPLIER, suits_vector_unit
from cimc.passes.machine_costs import ExactMacs, MachineCosts
from cimc.passes.plan import Plan, named_layers
from cimc.passes.plan_search import PlanCosts, PlanSearch
from cimc.passes.repair import LEVELS
from cimc.targets import Target

COSTS = ("cycles", "exact-macs")
ROUNDS = 6
"""Plans that are tried at most."""
TIGHTER = 0.9
"""The noise allowed in the next round is this part of what would have met the limit, at most."""


@dataclass(frozen=True)
class Chosen:
    """What the pass was asked and found, for the report; dB of the outputs against floats."""

    min_snr_db: float | None = None
    target_sqnr_db: float | None = None
    minimised: str | None = None
    choices: list[str] = field(default_factory=list[str])
    exact_sqnr_db: float | None = None
    """With exact products: the most that a choice can reach."""
    predicted_sqnr_db: float | None = None
    measured_sqnr_db: float | None = None
    """Of the repaired plan, on calibration images that repair was not fitted to."""
    rounds: int = 0
    """Plans that were tried."""


@dataclass(frozen=True)
class ChoosePlanPass(ModulePass):
    """Completes the context's plan; what it says already stays. Float @main does not change.

    Does nothing unless `min_snr` (dB, of every layer's sums) or `target_sqnr` (dB, of all outputs
    against the float network) is given. `choices` are the multipliers to choose from, by default
    all listed ones that the target can compute with; `repair` is the level that will follow.
    `minimise` is "cycles", or "exact-macs": multiply-accumulates with exact products, then cycles;
    with that, depthwise convolutions may leave the vector unit.

    Raises:
        InvalidInput: there is no calibration data, or nothing keeps the limits.
    """

    name = "choose-plan"

    min_snr: float | None = None
    target_sqnr: float | None = None
    choices: tuple[str, ...] = ()
    repair: str = "channels"
    minimise: str = "cycles"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Set the plan, and `CimContext.chosen`."""
        if self.repair not in LEVELS:
            raise InvalidInput(
                f"{self.name}: repair must be one of {', '.join(LEVELS)}, got '{self.repair}'"
            )
        if self.minimise not in COSTS:
            raise InvalidInput(
                f"{self.name}: minimise must be one of {', '.join(COSTS)}, got '{self.minimise}'"
            )
        if self.min_snr is None and self.target_sqnr is None:
            return
        context = cim_context(ctx)
        if context.calibration is None or not context.calibration.ranges_are_real:
            raise InvalidInput(
                f"{self.name}: errors cannot be predicted without calibration data; "
                "give --calibration"
            )
        names = self.choices or usable(context.target)
        for name in names:
            get_multiplier(name).check_zero()
        context.plan.check(name for name, _ in named_layers(op))
        trial = Trial(context, op, self.repair)
        vector = () if self.minimise == "cycles" else names
        chooser = Chooser(context.plan, context.target, trial, tuple(names), tuple(vector))
        machine = MachineCosts(trial.ctx, trial.exact, chooser.open)
        costs = machine if self.minimise == "cycles" else ExactMacs(machine)
        if self.target_sqnr is None:
            picked, found = cheapest(chooser.search(costs, self.min_snr)), Chosen()
        else:
            sensitivity = trial.sensitivities(chooser.snr_db)
            search = chooser.search(costs, self.min_snr, sensitivity)
            picked, found = within(trial, search, self.target_sqnr)
        context.plan = completed(context.plan, picked)
        context.chosen = replace(
            found, min_snr_db=self.min_snr, minimised=self.minimise, choices=list(names)
        )


def completed(plan: Plan, multipliers: Mapping[str, str]) -> Plan:
    """`plan` with a multiplier for each layer, by node."""
    layers = (
        replace(plan.layer(node), node=node, multiplier=name) for node, name in multipliers.items()
    )
    return Plan(tuple(layers), plan.source)


def usable(target: Target) -> list[str]:
    """Listed multipliers that `target` can compute with and that keep zeros."""
    listed = (get_multiplier(name) for name in listed_names())
    return [each.name for each in listed if target.array in each.arrays and each.keeps_zero()]


class Chooser:
    """What the layers of one network may have, and the errors that are predicted for it."""

    def __init__(
        self,
        plan: Plan,
        target: Target,
        trial: Trial,
        names: tuple[str, ...],
        vector: tuple[str, ...] = (),
    ):
        """`names` are the choices of layers that `plan` leaves open.

        `vector` are those of layers of the vector unit, beside what it has itself.
        """
        self.plan, self.target, self.trial, self.names = plan, target, trial, names
        self.vector = tuple(dict.fromkeys((VECTOR_MULTIPLIER, *vector)))
        self.open = {name: self.allowed(name, op) for name, op in named_layers(trial.exact)}
        self.snr_db = {
            layer.name: {m: layer.predicted_snr_db(m) for m in self.open[layer.name]}
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

    def with_floor(self, floor: float | None) -> dict[str, list[str]]:
        """By layer the choices with a predicted signal to noise of `floor` dB at least.

        What the plan says stays, whatever it gives.

        Raises:
            InvalidInput: a layer has none.
        """
        found: dict[str, list[str]] = {}
        for node, known in self.snr_db.items():
            if self.plan.layer(node).multiplier is not None:
                found[node] = list(known)
                continue
            kept = [m for m, db in known.items() if floor is None or db is None or db >= floor]
            if not kept:
                best = max(known, key=lambda m: known[m] or math.inf)
                raise InvalidInput(
                    f"layer '{node}': no choice has a predicted signal to noise of {floor:g} dB; "
                    f"the best, '{best}', has {known[best]:.1f} dB; allow 'exact', or a lower "
                    "--min-snr"
                )
            found[node] = kept
        return found

    def noise(self, node: str, multiplier: str) -> float:
        """Predicted noise to signal of the sums."""
        db = self.snr_db[node][multiplier]
        return 0.0 if db is None else 10 ** (-db / 10)

    def on_vector_unit(self, node: str, multiplier: str) -> bool:
        """A choice that needs no multiplier of the array."""
        return multiplier == VECTOR_MULTIPLIER and self.open[node] == self.vector

    def search(
        self,
        costs: PlanCosts,
        floor: float | None = None,
        sensitivity: Mapping[str, float] | None = None,
    ) -> PlanSearch:
        """Of the choices above `floor` dB; noise is that of the outputs with a `sensitivity`.

        Where multipliers are built in, it has one, unless the plan has more: a further bank group
        takes lanes from all layers, so it never saves cycles.
        """
        kept = self.with_floor(floor)
        part = dict.fromkeys(kept, 1.0) if sensitivity is None else sensitivity
        noise = {
            node: {name: part.get(node, 0.0) * self.noise(node, name) for name in names}
            for node, names in kept.items()
        }
        shared = {
            node: [name for name in names if not self.on_vector_unit(node, name)]
            for node, names in kept.items()
        }
        fixed = {layer.multiplier for layer in self.plan.layers} - {None}
        kinds = max(1, len(fixed)) if self.target.multipliers else None
        return PlanSearch(noise, costs, shared, kinds)


def cheapest(search: PlanSearch, budget: float | None = None) -> dict[str, str]:
    """Multipliers by node.

    Raises:
        InvalidInput: nothing keeps the limits.
    """
    found = search.best(budget)
    if found is None:
        raise InvalidInput(
            "no assignment of multipliers keeps the limits; allow 'exact', or ask for less"
        )
    return found


def within(trial: Trial, search: PlanSearch, target_sqnr: float) -> tuple[dict[str, str], Chosen]:
    """The cheapest choices with which the outputs have `target_sqnr` dB, tried.

    Raises:
        InvalidInput: there are none.
    """
    exact, limit = trial.exact_noise, 10 ** (-target_sqnr / 10)
    if exact >= limit:
        raise InvalidInput(
            f"--target-sqnr {target_sqnr:g}: with exact products the outputs have "
            f"{decibels(exact) or math.inf:.1f} dB on calibration images; ask for less"
        )
    budget, measured = limit - exact, math.inf
    for rounds in range(1, ROUNDS + 1):
        picked = cheapest(search, budget)
        measured = trial.planned_noise(picked)
        if measured <= limit:
            return picked, Chosen(
                target_sqnr_db=target_sqnr,
                exact_sqnr_db=decibels(exact),
                predicted_sqnr_db=decibels(exact + search.noise_of(picked)),
                measured_sqnr_db=decibels(measured),
                rounds=rounds,
            )
        budget *= TIGHTER * min((limit - exact) / (measured - exact), 1.0)
    raise InvalidInput(
        f"--target-sqnr {target_sqnr:g}: the last of {ROUNDS} plans has "
        f"{decibels(measured) or math.inf:.1f} dB on calibration images; ask for less, or for "
        "more --repair"
    )
