"""Integer arithmetic against Python integers and fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cimc import quant

INT64 = st.integers(-(2**63), 2**63 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)


@given(INT64, st.integers(0, 63))
@example(-(2**63), 63)
@example(2**63 - 1, 63)
@example(-(2**62), 63)
@example(2**62, 63)
def test_round_half_even_shift_is_exact(value: int, shift: int) -> None:
    expected = round(Fraction(value, 1 << shift))
    assert int(quant.round_half_even_shift(value, shift)) == expected


def test_round_half_even_shift_broadcasts_shifts() -> None:
    got = quant.round_half_even_shift([[5, 6], [-5, -6]], [1, 2])
    assert got.tolist() == [[2, 2], [-2, -2]]


@given(INT32, INT32, st.integers(0, 2**24 - 1), st.integers(0, 63), st.integers(-128, 255))
def test_requantise(acc: int, bias: int, m: int, shift: int, zero: int) -> None:
    total = (acc + bias + 2**31) % 2**32 - 2**31
    expected = round(Fraction(total * m, 1 << shift)) + zero
    got = quant.requantise(np.array([[acc]], np.int32), [bias], [m], [shift], zero, -128, 127)
    assert got.tolist() == [[max(-128, min(127, expected))]]


@given(st.floats(2.0**-40, 2.0**24, exclude_max=True))
@example(2.0**-40)
@example(1 - 2.0**-53)
@example(2.0**24 - 2.0**-10)
def test_encode_multiplier_is_the_nearest(real: float) -> None:
    m, shift = quant.encode_multiplier(real)
    assert 0 <= shift <= 63
    assert 2**23 <= m < 2**24
    error = abs(Fraction(m, 1 << shift) - Fraction(real))
    saturated = (m, shift) == (2**24 - 1, 0)
    assert saturated or error <= Fraction(1, 2 << shift)


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False), INT32)
@example(5e-324, 2**31 - 1)
@example(2.0**-41, -(2**31))
@example(2.0**-64, 2**31 - 1)
@example(2.0**24, 1)
@example(1.7e308, -1)
def test_encoded_multiplier_gives_the_real_result_at_the_extremes(real: float, acc: int) -> None:
    m, shift = quant.encode_multiplier(real)
    assert 0 <= m < 2**24
    got = int(quant.requantise(acc, 0, m, shift, 0, -128, 127))
    exact = Fraction(real) * acc
    assert abs(got - max(-128, min(127, round(exact)))) <= 1
    if not 2.0**-40 <= real < 2.0**24:
        assert got == max(-128, min(127, round(exact)))


@pytest.mark.parametrize("real", [0.0, -1.0, float("nan"), float("inf")])
def test_encode_multiplier_rejects(real: float) -> None:
    with pytest.raises(ValueError, match="not finite and positive"):
        quant.encode_multiplier(real)


def test_encode_multiplier_vector() -> None:
    m, shift = quant.encode_multiplier_vector([0.5, 3.0])
    assert m.tolist() == [2**23, 3 * 2**22]
    assert shift.tolist() == [24, 22]


REAL = st.floats(-(2.0**20), 2.0**20)


@given(st.lists(REAL, min_size=1, max_size=3))
@example([0.0])
@example([1 - 2.0**-30, 0.25])
@example([0.0, -5e-324])
def test_encode_multipliers_have_the_largest_common_shift(reals: list[float]) -> None:
    ms, shift = quant.encode_multipliers(*reals)
    assert list(ms) == [round(Fraction(r) * (1 << shift)) for r in reals]
    assert all(abs(m) < 2**24 for m in ms)
    larger = [abs(round(Fraction(r) * (2 << shift))) for r in reals]
    assert shift == 63 or max(larger) >= 2**24


def test_encode_multipliers_beyond_24_bits() -> None:
    assert quant.encode_multipliers(2.0**30, -1.0) == ((2**30, -1), 0)
    with pytest.raises(ValueError, match="32 bits"):
        quant.encode_multipliers(2.0**31)
    with pytest.raises(ValueError, match="finite"):
        quant.encode_multipliers(float("nan"))


def test_sign_magnitude() -> None:
    magnitude, negative = quant.sign_magnitude(np.array([-128, -1, 0, 127], np.int8), 0)
    assert magnitude.tolist() == [128, 1, 0, 127]
    assert negative.tolist() == [True, True, False, False]
    magnitude, negative = quant.sign_magnitude(np.array([0, 255], np.uint8), 255)
    assert magnitude.tolist() == [255, 0]
    assert negative.tolist() == [True, False]


def test_quantise_rounds_halves_to_even_and_clamps() -> None:
    x = np.array([0.5, 1.5, -0.5, 1e9, np.inf, -np.inf], np.float32)
    assert quant.quantise(x, 1.0, 3, 0, 255).tolist() == [3, 5, 3, 255, 255, 0]
    assert quant.dequantise(np.array([3, 5], np.uint8), 0.5, 3).tolist() == [0.0, 1.0]


def test_quantise_per_channel() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    assert quant.quantise(x, [[0.5], [2.0]], 0, -8, 7).tolist() == [[2, 4], [2, 2]]


def test_quantise_rejects_nan() -> None:
    with pytest.raises(ValueError, match="NaN"):
        quant.quantise(np.array([np.nan]), 1.0, 0, 0, 255)
