"""The cheapest plan with which the repaired outputs keep a limit, found by trying plans.

The prediction knows what a gain and offsets undo, and nothing of what repair does beyond them. So
the noise that a plan may be predicted to add is looked for: less while a plan that was tried misses
the limit, more while one keeps it with much to spare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from cimc.diagnostics import InvalidInput
from cimc.passes.choose_trial import Trial, decibels
from cimc.passes.plan_search import Choice, PlanSearch

ROUNDS = 8
"""Budgets that are tried at most; several may have the same plan."""
TIGHTER = 0.9
"""The noise allowed in the next round is at most this part of what would have met the limit."""
SPARE = 1.5
"""Another plan is tried where it may add this many times the noise that is known to do."""
WIDER = 1.25
"""Where no plan adds as little noise, so many times as much is allowed."""
MOST_SPARE = 8.0
"""Noise is allowed so many times as much from one round to the next, at most."""


@dataclass
class Budget:
    """Predicted noise that the next plan may add, between what was kept and what was missed."""

    now: float
    kept: float = 0.0
    missed: float = math.inf

    def learn(self, predicted: float, spare: float) -> bool:
        """Set the next one; the plan just tried adds `predicted`, and could `spare` times as much.

        False where no other is worth a trial.
        """
        could = predicted * spare
        if spare >= 1:
            self.kept = self.now
        else:
            self.missed = predicted
        done = min(could if spare >= 1 else math.inf, self.missed) < SPARE * self.kept
        self.now = TIGHTER * could
        if not self.kept < self.now < self.missed:
            self.now = math.sqrt(self.kept * self.missed)
        return not done


@dataclass(frozen=True)
class Within:
    """A plan that keeps the limit."""

    picked: dict[str, Choice]
    measured: float
    """Noise to signal of the outputs, repaired, on images that repair was not fitted to."""
    rounds: int = 0
    """Plans that were tried."""


def within(trial: Trial, search: PlanSearch, target_sqnr: float) -> Within:
    """The cheapest choices with which the outputs have `target_sqnr` dB, tried.

    Raises:
        InvalidInput: there are none.
    """
    exact, limit = trial.exact_noise, 10 ** (-target_sqnr / 10)
    asked = f"--target-sqnr {target_sqnr:g}:"
    if exact >= limit:
        raise InvalidInput(
            f"{asked} with exact products the outputs have {decibels(exact) or math.inf:.1f} dB on "
            "calibration images; ask for less"
        )
    found: Within | None = None
    tried: list[dict[str, Choice]] = []
    least = measured = math.inf
    budget = Budget(limit - exact)
    for _ in range(ROUNDS):
        picked = widened(search, budget)
        if picked is None:
            break
        if picked not in tried[-1:]:
            measured = trial.planned_noise(picked)
            tried.append(picked)
        least = min(least, measured)
        # integer programs are solved around plans: more noise need not be cheaper
        cheaper = found is None or search.rank(picked) < search.rank(found.picked)
        if measured <= limit and cheaper:
            found = Within(picked, measured)
        added = max(measured - exact, (limit - exact) / MOST_SPARE)
        if not budget.learn(search.noise_of(picked), (limit - exact) / added):
            break
    if found is None:
        raise InvalidInput(
            f"{asked} the best of the plans that were tried has {decibels(least) or math.inf:.1f} "
            "dB on calibration images; allow 'exact', ask for less, or for more --repair"
        )
    return replace(found, rounds=len(tried))


def widened(search: PlanSearch, budget: Budget) -> dict[str, Choice] | None:
    """The best plan; where none adds so little, for more noise, step by step: repaired it may do.

    None where all that is left was tried.

    Raises:
        InvalidInput: no plan keeps the other limits.
    """
    most = sum(max(known.values()) for known in search.noise.values())
    while (picked := search.best(budget.now)) is None:
        if budget.now > most:
            cheapest(search)
        budget.now *= WIDER
        if budget.now >= budget.missed:
            return None
    return picked


def cheapest(search: PlanSearch) -> dict[str, Choice]:
    """Choices by node, whatever their noise.

    Raises:
        InvalidInput: nothing keeps the limits.
    """
    found = search.best(None)
    if found is None:
        raise InvalidInput(
            "no assignment of multipliers keeps the limits; allow 'exact', or ask for less"
        )
    return found
