"""Compiled windows, products and requantisation in one, against the numpy ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimc import multipliers
from cimc.kernels import Finish, Operand, TableProduct, Windows, native, scatter
from cimc.kernels.operand import alphabet

COMPILED = native.available()[:-1]
SETS = [
    pytest.param(name, marks=[] if name in COMPILED else pytest.mark.skip(f"{name} cannot run"))
    for name in ("portable", "avx2", "avx512", "avx512vbmi", "neon")
]
SIZE = 1 << 10
TABLES = {
    "or": ("daism-pc3", 8),
    "or from the leading one": ("daism-pc3-lj", 8),
    "or, 7 bits": ("daism-pc3", 7),
    "sum": ("daism-hla", 8),
    "any": ("mitchell", 8),
    "any, 7 bits": ("mitchell", 7),
    "factors": ("drum-k4", 8),
}
PRODUCTS = {
    name: TableProduct(multipliers.get(multiplier).table(7, bits))
    for name, (multiplier, bits) in TABLES.items()
}


@dataclass
class Case:
    """One layer on memories of 1 KiB."""

    windows: Windows
    weights: Operand
    finish: Finish


def layer(rng: np.random.Generator, bits: int, kind: str, add: bool) -> Case:
    items, pixels, steps, run, columns = (int(rng.integers(1, n)) for n in (4, 90, 9, 12, 75))
    windows = Windows(
        rng.integers(0, 1 << bits, (items, SIZE), np.uint8),
        rng.integers(-SIZE, 2 * SIZE, pixels),
        rng.integers(0, SIZE, steps) if rng.integers(2) else np.arange(steps) * run,
        run,
    )
    w = Operand.of_codes(rng.integers(-127, 128, (steps * run, columns)).astype(np.int8), 0)
    wide = rng.integers(-(2**31), 2**31, (items, pixels + 2, columns + 3)).astype(np.int32)
    finish = Finish(
        wide[:, 1:-1, :columns] if add or kind == "sums" else None,
        add,
        None if kind == "sums" else np.zeros((items * pixels, columns), np.uint8),
        rng.integers(-(2**31), 2**31, columns) if rng.integers(2) else np.zeros(columns, np.int64),
        rng.integers(0, 1 << 24, columns),
        rng.integers(0, 64, columns),
        *(int(v) for v in rng.choice([(0, 0, 255), (3, -128, 127), (-7, 5, 5)])),
    )
    return Case(windows, w, finish)


def result(case: Case, product: TableProduct, signed: bool) -> np.ndarray:
    """Codes or partial sums, in arrays of their own."""
    old = case.finish
    partial = None if old.partial is None else old.partial.copy()
    codes = None if old.codes is None else old.codes.copy()
    finish = replace(old, partial=partial, codes=codes)
    product.layer(case.windows, alphabet(-77 if signed else 0), case.weights, finish)
    return partial if codes is None else codes


def results(case: Case, product: TableProduct, signed: bool, kernels: str, threads: str):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(native.CHOICE, kernels)
        patch.setenv(native.THREADS, threads)
        return result(case, product, signed)


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("name", TABLES)
def test_layers_equal_numpy(instruction_set: str, name: str) -> None:
    product, bits = PRODUCTS[name], TABLES[name][1]

    @settings(max_examples=12, deadline=None)
    @given(
        st.integers(0, 2**32 - 1),
        st.sampled_from(["codes", "sums"]),
        st.booleans(),
        st.booleans(),
        st.sampled_from(["1", "3"]),
    )
    def check(seed, kind, add, signed, threads) -> None:
        case = layer(np.random.default_rng(seed), bits, kind, add)
        signed = signed and bits == 8
        expected = results(case, product, signed, native.NUMPY, "1")
        got = results(case, product, signed, instruction_set, threads)
        np.testing.assert_array_equal(got, expected)

    check()


def wrong_shift(finish: Finish) -> Finish:
    return replace(finish, shift=(finish.shift + 1) % 64)


def wrong_bias(finish: Finish) -> Finish:
    return replace(finish, bias=finish.bias + 1, shift=np.zeros_like(finish.shift))


@pytest.mark.parametrize("plant", [wrong_shift, wrong_bias])
def test_planted_errors_are_found(plant) -> None:
    case = layer(np.random.default_rng(3), 8, "codes", False)
    count = len(case.finish.bias)
    plain = replace(case.finish, shift=np.full(count, 30), zero=0, low=0, high=255)
    case = replace(case, finish=plain)
    expected = result(case, PRODUCTS["or"], False)
    found = result(replace(case, finish=plant(plain)), PRODUCTS["or"], False)
    assert (expected != found).any()


@pytest.mark.parametrize("kernels", native.available())
def test_the_last_of_results_that_meet_stays(kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.CHOICE, kernels)
    memory = np.zeros((2, 8), np.uint8)
    cells = np.arange(1, 17, dtype=np.uint8).reshape(1, 4, 4).repeat(2, axis=0)
    scatter(memory, np.array([0, 2, 6, -1]), cells, row=2, tail=3)
    assert memory[0].tolist() == [14, 15, 5, 6, 7, 0, 9, 13]


@pytest.mark.parametrize("kernels", native.available())
def test_memories_that_do_not_wrap(kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.CHOICE, kernels)
    memory = np.arange(2 * 15, dtype=np.uint8).reshape(2, 15)
    windows = Windows(memory, np.array([0, 5]), np.array([1, 7]), 3)
    assert windows.gather()[1:3].tolist() == [[6, 7, 8, 12, 13, 14], [16, 17, 18, 22, 23, 24]]
    if kernels != native.NUMPY:
        for pixel in (-2, 6):
            with pytest.raises(ValueError, match="outside a memory"):
                replace(windows, pixels=np.array([pixel])).gather()
