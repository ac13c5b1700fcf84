"""The fast kernel against the definition, through every one of its ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimc.kernels import approx_matmul, reference

MULTIPLY = np.multiply.outer(np.arange(256, dtype=np.uint32), np.arange(256, dtype=np.uint32))


def naive(a, a_neg, w, w_neg, table):
    y = np.zeros((a.shape[0], w.shape[1]), object)
    for m in range(a.shape[0]):
        for n in range(w.shape[1]):
            for k in range(a.shape[1]):
                sign = bool(w_neg[k, n]) != (a_neg is not None and bool(a_neg[m, k]))
                product = int(table[w[k, n], a[m, k]])
                y[m, n] += -product if sign else product
    return ((y + 2**31) % 2**32 - 2**31).astype(np.int64)


def operands(rng, m, k, n, *, top_a=255, top_w=255, signed=True):
    return (
        rng.integers(0, top_a + 1, (m, k)).astype(np.uint8),
        rng.random((m, k)) < 0.5 if signed else None,
        rng.integers(0, top_w + 1, (k, n)).astype(np.uint8),
        rng.random((k, n)) < 0.5,
    )


def or_table(rng) -> np.ndarray:
    return (MULTIPLY & rng.integers(0, 65536, MULTIPLY.shape)).astype(np.uint32)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 4), (2, 40, 3), (9, 3, 7)])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("way", ["chosen", "look_up", "gather", "gather_exchanged"])
def test_table_products(shape: tuple[int, int, int], signed: bool, way: str, monkeypatch) -> None:
    rng = np.random.default_rng(1)
    a, a_neg, w, w_neg = operands(rng, *shape, signed=signed)
    table = or_table(rng)
    if way != "chosen":
        monkeypatch.setattr(reference, "_cheapest", WAYS[way])
    got = approx_matmul(a, a_neg, w, w_neg, table)
    np.testing.assert_array_equal(got, naive(a, a_neg, w, w_neg, table))


WAYS = {
    "look_up": reference._look_up,
    "gather": reference._gather,
    "gather_exchanged": lambda rows, columns, table: reference._gather(columns, rows, table.T).T,
}


@pytest.mark.parametrize("shape", [(300, 6, 5), (5, 6, 300), (700, 40, 64)])
def test_blocks_and_slices_agree_with_the_look_up(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(2)
    a, a_neg, w, w_neg = operands(rng, *shape)
    table = or_table(rng)
    signs = np.where(a_neg[:, :, None] != w_neg[None], -1, 1)
    expected = (table[w[None], a[:, :, None]].astype(np.int64) * signs).sum(axis=1)
    np.testing.assert_array_equal(approx_matmul(a, a_neg, w, w_neg, table), expected)


@pytest.mark.parametrize("k", [1, 258, 259, 4608])
def test_exact_products_stay_exact_beyond_float32(k: int) -> None:
    rng = np.random.default_rng(3)
    a = np.full((2, k), 255, np.uint8)
    w = np.full((k, 3), 255, np.uint8)
    w[rng.integers(0, k), 0] = 254
    w_neg = np.zeros(w.shape, np.bool_)
    w_neg[:, 2] = True
    expected = a.astype(np.int64) @ np.where(w_neg, -1, 1).__mul__(w.astype(np.int64))
    np.testing.assert_array_equal(approx_matmul(a, None, w, w_neg, MULTIPLY), expected)


@settings(max_examples=30)
@given(st.integers(1, 7), st.integers(1, 9), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_exact_is_plain_multiplication(m: int, k: int, n: int, seed: int) -> None:
    a, a_neg, w, w_neg = operands(np.random.default_rng(seed), m, k, n)
    expected = np.where(a_neg, -1, 1) * a.astype(int) @ (np.where(w_neg, -1, 1) * w.astype(int))
    np.testing.assert_array_equal(approx_matmul(a, a_neg, w, w_neg, MULTIPLY), expected)


def test_sums_wrap_at_32_bits() -> None:
    a, w = np.full((1, 3), 1, np.uint8), np.full((3, 1), 1, np.uint8)
    table = np.full((2, 2), 2**30, np.uint32)
    signs = np.zeros((3, 1), np.bool_)
    assert approx_matmul(a, None, w, signs, table).tolist() == [[3 * 2**30 - 2**32]]


def test_small_tables_and_empty_operands() -> None:
    rng = np.random.default_rng(4)
    a, _, w, w_neg = operands(rng, 2, 3, 4, top_a=15, top_w=7)
    table = or_table(rng)[:8, :16]
    np.testing.assert_array_equal(
        approx_matmul(a, None, w, w_neg, table), naive(a, None, w, w_neg, table)
    )
    assert approx_matmul(a[:, :0], None, w[:0], w_neg[:0], table).tolist() == [[0] * 4] * 2
    with pytest.raises(ValueError, match="exceed table"):
        approx_matmul(a + 16, None, w, w_neg, table)
    with pytest.raises(ValueError, match="do not multiply"):
        approx_matmul(a, None, w.T, w_neg.T, table)
