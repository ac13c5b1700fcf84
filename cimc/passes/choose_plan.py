"""`choose-plan`: the cheapest multiplier and bits of each layer that keep an error limit.

The network is quantised on the side, with exact products and the most bits. There the closed form
gives the signal to noise of each layer under every choice (`cimc.cost.error_model`), and for a
limit on the outputs one run a layer, and for each of its bits, tells how much of its error reaches
them (`cimc.passes.sensitivity`). Integer programs find what costs the fewest cycles by the exact
estimate, among equals the fewest rows or gates, then the least noise (`cimc.passes.plan_search`).
Layers that read one tensor get the same bits of activations.

The plan then holds for calibration images: it is repaired on the side too, with the first half of
them and with the second. While the outputs on the other halves miss the limit it is chosen again
with less noise, and with more while they keep it with much to spare (`cimc.passes.choose_within`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cimc.diagnostics import InvalidInput
from cimc.multipliers import get as get_multiplier
from cimc.passes.choose_trial import Trial, decibels
from cimc.passes.choose_within import cheapest, within
from cimc.passes.chooser import Chooser, usable
from cimc.passes.context import cim_context
from cimc.passes.machine_costs import ExactMacs, MachineCosts
from cimc.passes.plan import BITS, LayerPlan, Plan, named_layers
from cimc.passes.repair_steps import steps_of

COSTS = ("cycles", "exact-macs")


@dataclass(frozen=True)
class Chosen:
    """What the pass was asked and found, for the report; dB of the outputs against floats."""

    min_snr_db: float | None = None
    target_sqnr_db: float | None = None
    minimised: str | None = None
    choices: list[str] = field(default_factory=list[str])
    bits: list[int] = field(default_factory=list[int])
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
    all listed ones that the target can compute with; `bits` are those of weights and activations to
    choose from, without any they stay as they are; `repair` is the level of it that will follow.
    `minimise` is "cycles", or "exact-macs": multiply-accumulates with exact products, then cycles;
    with that, depthwise convolutions may leave the vector unit.

    Raises:
        InvalidInput: there is no calibration data, bits are out of 2..8, or nothing keeps the
            limits.
    """

    name = "choose-plan"

    min_snr: float | None = None
    target_sqnr: float | None = None
    choices: tuple[str, ...] = ()
    bits: tuple[int, ...] = ()
    repair: str = "channels"
    minimise: str = "cycles"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Set the plan, and `CimContext.chosen`."""
        steps_of(self.repair)
        if self.minimise not in COSTS:
            raise InvalidInput(
                f"{self.name}: minimise must be one of {', '.join(COSTS)}, got '{self.minimise}'"
            )
        for bits in self.bits:
            if bits not in BITS:
                raise InvalidInput(f"{self.name}: bits must be from 2 to 8, got {bits}")
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
        trial = Trial(context, op, self.repair, self.bits)
        vector = () if self.minimise == "cycles" else names
        chooser = Chooser(context.plan, context.target, trial, tuple(names), tuple(vector))
        machine = MachineCosts(trial.precisions, chooser.open)
        costs = machine if self.minimise == "cycles" else ExactMacs(machine)
        if self.target_sqnr is None:
            picked, found = cheapest(chooser.search(costs, self.min_snr)), Chosen()
        else:
            sensitivity = trial.sensitivities(chooser.snr_db)
            search = chooser.search(costs, self.min_snr, sensitivity)
            kept = within(trial, search, self.target_sqnr)
            picked = kept.picked
            found = Chosen(
                target_sqnr_db=self.target_sqnr,
                exact_sqnr_db=decibels(trial.exact_noise),
                predicted_sqnr_db=decibels(trial.predicted_noise(picked)),
                measured_sqnr_db=decibels(kept.measured),
                rounds=kept.rounds,
            )
        context.plan = Plan(
            tuple(LayerPlan(node, *choice) for node, choice in picked.items()), context.plan.source
        )
        context.chosen = replace(
            found,
            min_snr_db=self.min_snr,
            minimised=self.minimise,
            choices=list(names),
            bits=sorted(trial.precisions.choices),
        )
