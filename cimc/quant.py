"""Integer arithmetic that every executor shares; the formulas are derived in docs/numerics.md.

``rhe`` below is rounding to the nearest integer, halves to even. All of it is exact: no float is
involved except where a real scale is turned into an integer multiplier.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import frexp, isfinite, ldexp

import numpy as np
from numpy.typing import ArrayLike, NDArray

MULTIPLIER_BITS = 24
"""Bits of a requantisation multiplier: as many as a float32 scale carries (docs/numerics.md)."""
MAX_SHIFT = 63
_INT32_MAX = 2**31 - 1


def round_half_even_shift(value: ArrayLike, shift: ArrayLike) -> NDArray[np.int64]:
    """rhe(value / 2^shift) of int64 `value`, shifts 0..63; the two broadcast.

    Exact for every int64, since nothing is added before the shift.
    """
    v = np.asarray(value, dtype=np.int64)
    s = np.asarray(shift, dtype=np.int64)
    floor = v >> s
    rest = (v - (floor << s)).view(np.uint64)
    half = np.uint64(1) << np.maximum(s - 1, 0).astype(np.uint64)
    odd = (floor & 1).astype(np.bool_)
    up = (rest > half) | ((rest == half) & odd)
    return floor + up


def wrap_int32(value: NDArray[np.int64]) -> NDArray[np.int64]:
    """`value` modulo 2^32 as two's complement, in int64: what a 32-bit adder keeps."""
    return value.astype(np.int32).astype(np.int64)


def requantise(
    acc: ArrayLike,
    bias: ArrayLike,
    multiplier: ArrayLike,
    shift: ArrayLike,
    y_zero: int,
    low: int,
    high: int,
) -> NDArray[np.int64]:
    """clamp(rhe((acc + bias) * multiplier / 2^shift) + y_zero, low, high), codes in int64.

    `acc` [..., C] and the vectors [C] broadcast. acc + bias wraps at 32 bits as the
    post-processor's adder does; `multiplier` is 0 .. 2^24 - 1, so the product fits in 56 bits.
    """
    total = wrap_int32(np.asarray(acc, dtype=np.int64) + np.asarray(bias, dtype=np.int64))
    scaled = round_half_even_shift(total * np.asarray(multiplier, dtype=np.int64), shift)
    return np.clip(scaled + y_zero, low, high)


def encode_multiplier(real: float) -> tuple[int, int]:
    """(M, S) with M / 2^S the value nearest to `real`: M in [2^23, 2^24), S in 0..63.

    M is correctly rounded (halves to even). Outside [2^-40, 2^24) M cannot be normalised:
    a smaller `real` keeps S = 63 and a short M, down to 0 (the result is y_zero for every
    32-bit sum); a larger one saturates to (2^24 - 1, 0) (every non-zero sum is clamped).
    Either way 8-bit results are those of the exact `real`.

    Raises:
        ValueError: `real` is not finite and positive.
    """
    if not (isfinite(real) and real > 0):
        raise ValueError(f"multiplier {real} is not finite and positive")
    exponent = frexp(real)[1]
    shift = min(MULTIPLIER_BITS - exponent, MAX_SHIFT)
    if shift < 0:
        return (1 << MULTIPLIER_BITS) - 1, 0
    mantissa = round(ldexp(real, shift))
    if mantissa < 1 << MULTIPLIER_BITS:
        return mantissa, shift
    return (mantissa >> 1, shift - 1) if shift else (mantissa - 1, 0)


def encode_multiplier_vector(
    reals: Sequence[float] | NDArray[np.float64],
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """`encode_multiplier` of each of `reals` [C]: M [C] and S [C].

    Raises:
        ValueError: one of them is not finite and positive.
    """
    pairs = [encode_multiplier(float(r)) for r in reals]
    return (
        np.array([m for m, _ in pairs], dtype=np.int32),
        np.array([s for _, s in pairs], dtype=np.uint8),
    )


def encode_multipliers(*reals: float) -> tuple[tuple[int, ...], int]:
    """Signed multipliers m with one common S for the vector unit: m_i = rhe(real_i * 2^S).

    S is the largest of 0..63 with every |m_i| < 2^24. Where even S = 0 gives more, m_i goes up
    to the command field's 31 bits.

    Raises:
        ValueError: one is not finite, or rounds to 2^31 or more.
    """
    if not all(isfinite(r) for r in reals):
        raise ValueError(f"multipliers {reals} are not all finite")
    largest = max((abs(r) for r in reals), default=0.0)
    shift = min(max(MULTIPLIER_BITS - frexp(largest)[1], 0), MAX_SHIFT) if largest else MAX_SHIFT
    if shift and round(ldexp(largest, shift)) >= 1 << MULTIPLIER_BITS:
        shift -= 1
    encoded = tuple(round(ldexp(r, shift)) for r in reals)
    if any(abs(m) > _INT32_MAX for m in encoded):
        raise ValueError(f"multipliers {reals} do not fit in 32 bits")
    return encoded, shift


def sign_magnitude(
    codes: NDArray[np.integer], zero: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """|code - zero| and code < zero, both shaped like `codes`.

    The magnitude keeps 8 bits, as the row generator and the address generator do. Codes and a
    zero point of one 8-bit type never need more.
    """
    difference = codes.astype(np.int32) - zero
    return np.abs(difference).astype(np.uint8), difference < 0


def quantise(
    x: NDArray[np.floating], scale: ArrayLike, zero: ArrayLike, low: int, high: int
) -> NDArray[np.int64]:
    """clamp(rhe(x / scale) + zero, low, high); `scale` and `zero` broadcast against `x`.

    The quotient is rounded to the type of `x`, as ONNX QuantizeLinear does. Infinities clamp.

    Raises:
        ValueError: `x` holds a NaN.
    """
    quotient = np.rint(x / np.asarray(scale, dtype=x.dtype))
    if np.isnan(quotient).any():
        raise ValueError("cannot quantise NaN")
    shifted = np.clip(quotient.astype(np.float64) + np.asarray(zero), low, high)
    return shifted.astype(np.int64)


def dequantise(
    codes: NDArray[np.integer], scale: ArrayLike, zero: ArrayLike
) -> NDArray[np.float64]:
    """(codes - zero) * scale in float64; `scale` and `zero` broadcast against `codes`."""
    return (codes.astype(np.int64) - np.asarray(zero)) * np.asarray(scale, dtype=np.float64)
