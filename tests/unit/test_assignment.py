"""The integer program against trying everything."""

from __future__ import annotations

import itertools

import highspy
import numpy as np
import pytest

from cimc.cost.assignment import Candidate, assign


def tried(
    layers: list[list[Candidate]], budget: float | None, kinds: int | None
) -> tuple[float, ...] | None:
    """Costs, then noise, of the best of all combinations."""
    best: tuple[float, ...] | None = None
    for picked in itertools.product(*layers):
        noise = sum(c.noise for c in picked)
        if budget is not None and noise > budget:
            continue
        if kinds is not None and len({c.kind for c in picked} - {""}) > kinds:
            continue
        figures = (*np.sum([c.costs for c in picked], axis=0).tolist(), noise)
        best = figures if best is None else min(best, figures)
    return best


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kinds", [None, 1, 2])
def test_is_the_best_of_all(seed: int, kinds: int | None) -> None:
    rng = np.random.default_rng(seed)
    layers = [
        [
            Candidate(
                "",
                (int(rng.integers(1, 5)) * 1000.0, int(rng.integers(1, 4)) * 1.0),
                float(rng.uniform(0, 1e-3)),
                "" if rng.random() < 0.1 else "abc"[i % 3],
            )
            for i in range(4)
        ]
        for _ in range(5)
    ]
    least = sum(min(c.noise for c in each) for each in layers)
    for budget in (None, 0.5 * least, 1.1 * least, 2 * least):
        expected, found = tried(layers, budget, kinds), assign(layers, budget, kinds)
        assert (found is None) == (expected is None)
        if found is None or expected is None:
            continue
        picked = [each[i] for each, i in zip(layers, found, strict=True)]
        figures = (*np.sum([c.costs for c in picked], axis=0), sum(c.noise for c in picked))
        assert np.allclose(figures, expected, rtol=1e-9, atol=1e-15)


def test_tied_layers_have_one_label() -> None:
    """Against all combinations: layers 0 and 2 agree, and 1, 3 and 4."""
    rng = np.random.default_rng(1)
    layers = [
        [
            Candidate("", (float(rng.integers(1, 9)),), rng.uniform(0, 1), "", i % 3)
            for i in range(5)
        ]
        for _ in range(5)
    ]
    tied = [[0, 2], [1, 3, 4]]
    alike = [
        picked
        for picked in itertools.product(*layers)
        if all(len({picked[i].label for i in group}) == 1 for group in tied)
    ]
    for budget in (None, 1.5, 2.0, 3.0):
        kept = [p for p in alike if budget is None or sum(c.noise for c in p) <= budget]
        found = assign(layers, budget, tied=tied)
        assert (found is None) == (not kept)
        if found is not None:
            picked = [each[i] for each, i in zip(layers, found, strict=True)]
            figures = [(sum(c.costs[0] for c in p), sum(c.noise for c in p)) for p in kept]
            own = sum(c.costs[0] for c in picked), sum(c.noise for c in picked)
            assert np.allclose(own, min(figures))
    other = [[Candidate("", (1.0,), 0.0, "", label)] for label in (0, 1)]
    assert assign(other) == [0, 0]
    assert assign(other, tied=[[0, 1]]) is None


def test_a_large_network_with_close_costs_is_solved() -> None:
    rng = np.random.default_rng(0)
    layers = [
        [Candidate("", (float(c), 1.0), 1e-2 / c) for c in rng.integers(10_000, 90_000, 30)]
        for _ in range(100)
    ]
    found = assign(layers, sum(1e-2 / 40_000 for _ in layers))
    assert found is not None
    assert len(found) == 100


def test_nothing_to_choose_from() -> None:
    assert assign([]) == []
    assert assign([[Candidate("", (1.0,), 0.0)], []]) is None


def test_failed_presolve_is_tried_without(monkeypatch: pytest.MonkeyPatch) -> None:
    status = highspy.Highs.getModelStatus
    tried_with: list[object] = []

    def failing(solver: highspy.Highs) -> highspy.HighsModelStatus:
        presolve = solver.getOptionValue("presolve")[1]
        tried_with.append(presolve)
        failed = presolve == "choose"
        return highspy.HighsModelStatus.kSolveError if failed else status(solver)

    monkeypatch.setattr(highspy.Highs, "getModelStatus", failing)
    assert assign([[Candidate("", (2.0,), 0.0), Candidate("", (1.0,), 0.0)]]) == [1]
    assert {"choose", "off"} <= set(tried_with)
