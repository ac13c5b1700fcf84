"""How much predicted noise a plan may have, by what plans that are tried do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from cimc.diagnostics import InvalidInput
from cimc.passes.choose_within import Budget, within
from cimc.passes.plan_search import Choice, Choices

EXACT = 1e-4


@dataclass
class Ladder:
    """Plans of one layer, each with twice the predicted noise of the one before, and cheaper."""

    steps: int = 12
    tried: list[float] = field(default_factory=list[float])
    truth: float = 1.0
    """Noise that is measured over what is predicted."""
    first: float = 1e-4
    """Noise that is predicted for the first plan."""

    noise = property(
        lambda self: {"layer": {self.plan(i): self.first * 2**i for i in range(self.steps)}}
    )
    exact_noise = EXACT

    @staticmethod
    def plan(i: int) -> Choice:
        return Choice(f"step {i}")

    def best(self, budget: float | None) -> dict[str, Choice] | None:
        kept = [c for c, n in self.noise["layer"].items() if budget is None or n <= budget]
        return {"layer": kept[-1]} if kept else None

    def rank(self, plan: Choices) -> tuple[float, ...]:
        return (-self.noise_of(plan),)

    def noise_of(self, plan: Choices) -> float:
        return self.noise["layer"][plan["layer"]]

    def planned_noise(self, plan: Choices) -> float:
        self.tried.append(self.noise_of(plan))
        return EXACT + self.truth * self.noise_of(plan)


@pytest.mark.parametrize("truth", [0.01, 0.1, 0.5, 0.9, 1.1, 3, 30, 100])
@pytest.mark.parametrize("target", [12.0, 16.0, 20.0])
def test_the_noisiest_step_but_one_at_worst(truth: float, target: float) -> None:
    """Whatever repair does beyond the prediction, the plan is at most one step from the best."""
    ladder, limit = Ladder(truth=truth), 10 ** (-target / 10)
    kept = [n for n in ladder.noise["layer"].values() if EXACT + truth * n <= limit]
    if not kept:
        with pytest.raises(InvalidInput, match="the best of the plans that were tried has"):
            within(ladder, ladder, target)  # type: ignore[arg-type]
        return
    found = within(ladder, ladder, target)  # type: ignore[arg-type]
    assert found.measured <= limit
    assert ladder.noise_of(found.picked) >= kept[-1] / 2
    assert found.rounds == len(ladder.tried) <= 8
    assert len(set(ladder.tried)) == len(ladder.tried), "a plan is tried once"


def test_no_more_trials_than_are_worth_it() -> None:
    ladder = Ladder(truth=0.9)
    assert within(ladder, ladder, 20.0).rounds == 1  # type: ignore[arg-type]


def test_repair_may_do_what_is_predicted_for_no_plan() -> None:
    ladder = Ladder(first=0.02, truth=0.1)
    found = within(ladder, ladder, 20.0)  # type: ignore[arg-type]
    assert found.picked == {"layer": ladder.plan(2)}, "0.08 is predicted, 0.0081 measured"


def test_the_quietest_plan_is_tried_before_giving_up() -> None:
    """The first plan is far worse than predicted, and none has as little noise as follows."""
    ladder = Ladder(first=0.0045)
    ladder.planned_noise = lambda plan: (  # type: ignore[method-assign]
        EXACT + {0.0045: 0.005, 0.009: 0.1}[ladder.noise_of(plan)]
    )
    assert within(ladder, ladder, 20.0).picked == {"layer": ladder.plan(0)}  # type: ignore[arg-type]


def test_more_noise_need_not_be_cheaper() -> None:
    ladder = Ladder(truth=0.1)
    ladder.rank = lambda plan: (ladder.noise_of(plan),)  # type: ignore[method-assign]
    found = within(ladder, ladder, 20.0)  # type: ignore[arg-type]
    assert found.rounds > 1
    assert found.picked == {"layer": ladder.plan(6)}, "the first that was tried"


def test_a_budget_stays_between_what_was_kept_and_missed() -> None:
    budget = Budget(1.0)
    assert budget.learn(0.9, 6.0)
    assert (budget.now, budget.kept) == pytest.approx((0.9 * 0.9 * 6.0, 1.0))
    assert budget.learn(4.0, 0.1)
    assert budget.now == pytest.approx(math.sqrt(4.0)), "0.9 * 0.1 * 4 is below what was kept"
    assert not budget.learn(2.0, 1.1)
