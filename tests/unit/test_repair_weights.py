"""Weights chosen for a multiplier: what rounding and descent promise, against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.multipliers import get
from cimc.passes.repair_weights import REACH, Descent, Group, binned, descended, rounded

TABLE = get("daism-fla").table(7, 8)


def group(seed: int) -> Group:
    """3 channels of 6 inputs, unsigned activations that are often 0."""
    rng = np.random.default_rng(seed)
    windows = np.where(rng.random((400, 6)) < 0.4, 0, rng.integers(0, 256, (400, 6)))
    wanted = rng.integers(-127, 128, (3, 6))
    return Group.of(windows.astype(np.uint8), wanted.astype(np.int8), 0, TABLE, 127)


def residual(group: Group, codes: NDArray[Any], gain: NDArray[Any]) -> NDArray[Any]:
    """Squared error about the mean [N] of the sums of `codes` times `gain`, one by one."""
    values = group.products.values[group.index].astype(int)
    found = np.zeros((len(values), len(codes)))
    for n, row in enumerate(codes):
        for k, code in enumerate(row):
            product = TABLE[abs(code), np.abs(values[:, k])].astype(float)
            found[:, n] += product * np.sign(code) * np.sign(values[:, k])
    rest = values @ group.wanted.T - gain * found
    return ((rest - rest.mean(axis=0)) ** 2).sum(axis=0)


def least(group: Group, codes: NDArray[Any]) -> NDArray[Any]:
    """`residual` with the best gain of a fine grid."""
    grid = [residual(group, codes, np.full(len(codes), g)) for g in np.arange(0.8, 2.6, 0.01)]
    return np.min(grid, axis=0)


def test_both_steps_bring_the_sums_nearer() -> None:
    for seed in range(3):
        problem = group(seed)
        nearest = least(problem, problem.wanted).sum()
        one = rounded(problem)
        two = descended(problem, one)
        assert least(problem, one).sum() < nearest
        assert least(problem, two).sum() < least(problem, one).sum()


def test_codes_stay_in_range() -> None:
    problem = Group.of(
        np.arange(256, dtype=np.uint8)[:, None], np.array([[7], [-7]], np.int8), 0, TABLE, 7
    )
    assert np.abs(rounded(problem)).max() <= 7
    assert np.abs(descended(problem, problem.wanted)).max() <= 7


def test_inputs_that_were_never_driven() -> None:
    windows = np.zeros((50, 2), np.uint8)
    wanted = np.array([[7, -100]], np.int8)
    assert np.array_equal(rounded(Group.of(windows, wanted, 0, TABLE, 127)), wanted)
    windows[:, 0] = np.arange(50)
    kept = rounded(Group.of(windows, wanted, 0, TABLE, 127))
    assert np.allclose(kept[0, 1] / kept[0, 0], -100 / 7, rtol=0.2)


def test_exact_products_keep_the_codes() -> None:
    rng = np.random.default_rng(3)
    windows = rng.integers(-127, 128, (300, 5)).astype(np.int8)
    wanted = rng.integers(-127, 128, (4, 5)).astype(np.int8)
    problem = Group.of(windows, wanted, 0, get("exact").table(7, 7), 127)
    assert np.array_equal(rounded(problem), wanted)
    assert np.array_equal(descended(problem, wanted), wanted)


def test_what_descent_keeps_of_the_residual_is_true() -> None:
    problem = group(5)
    search = Descent(problem, problem.wanted)
    search.start()
    for k in range(6):
        before = search.codes.copy()
        search.input(k)
        assert np.abs(search.codes[:, k] - before[:, k]).max() <= REACH
        kept = ((search.rest - search.rest.mean(axis=0)) ** 2).sum(axis=0)
        assert np.allclose(kept, residual(problem, search.codes, search.gain), rtol=1e-4)


def test_binned() -> None:
    values = np.arange(8.0).reshape(4, 2)
    assert np.array_equal(binned(np.array([2, 0, 2, 0]), values), [[8, 10], [4, 6]])
