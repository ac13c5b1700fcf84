"""Products of the digital multipliers by arithmetic on integers, written from their definitions.

Nothing here knows how the library builds them: no bits are wired, numbers are cut, rounded, added.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Formula = Callable[..., Numbers]


def reference(name: str, a: Numbers, b: Numbers, m: int, n: int) -> Numbers:
    """Products of magnitudes `a` of m bits and `b` of n bits by the multiplier called `name`."""
    for pattern, formula in FORMULAS:
        if match := re.fullmatch(pattern, name):
            return formula(a, b, m, n, *match.groups()) % (1 << m + n)
    raise AssertionError(f"no formula for {name}")


def exponent(x: Numbers) -> Numbers:
    """floor(log2 x); 0 for 0."""
    return np.frexp(np.maximum(x, 1).astype(np.float64))[1].astype(np.int64) - 1


def exact(a: Numbers, b: Numbers, m: int, n: int) -> Numbers:
    return a * b


def drum(a: Numbers, b: Numbers, m: int, n: int, k: str) -> Numbers:
    def cut(x: Numbers) -> Numbers:
        drop = np.maximum(exponent(x) + 1 - int(k), 0)
        return np.where(drop > 0, (x >> drop | 1) << drop, x)

    return cut(a) * cut(b)


def ssm(a: Numbers, b: Numbers, m: int, n: int, k: str) -> Numbers:
    def cut(x: Numbers, bits: int) -> Numbers:
        up = max(bits - int(k), 0)
        return np.where(x >> int(k) > 0, x >> up << up, x)

    return cut(a, m) * cut(b, n)


def mantissa(x: Numbers, places: int) -> Numbers:
    """floor(x / 2^exponent * 2^places)."""
    return (x << places) >> exponent(x)


def mitchell(
    a: Numbers, b: Numbers, m: int, n: int, w: str | None, truncated: str | None
) -> Numbers:
    places = int(w) if w else 15
    x, y = (mantissa(v, places) - (1 << places) for v in (a, b))
    if w and not truncated:
        x, y = x | 1, y | 1
    one = 1 << places
    power = exponent(a) + exponent(b)
    product = np.where(x + y < one, (one + x + y) << power, (x + y) << power + 1) >> places
    return np.where((a > 0) & (b > 0), product, 0)


def tosam(a: Numbers, b: Numbers, m: int, n: int, h: str, t: str) -> Numbers:
    def followed_by_one(x: Numbers, places: int) -> Numbers:
        return (mantissa(x, places) - (1 << places)) * 2 + 1

    low, high = int(t) + 1, int(h) + 1
    # Everything in units of 2^-32; the exponents of 16-bit operands leave no room for more.
    total = 1.0 + sum(followed_by_one(v, int(t)) / 2.0**low for v in (a, b))
    total += followed_by_one(a, int(h)) / 2.0**high * followed_by_one(b, int(h)) / 2.0**high
    product = np.floor(np.ldexp(total, exponent(a) + exponent(b))).astype(np.int64)
    return np.where((a > 0) & (b > 0), product, 0)


def nearest_power(x: Numbers) -> Numbers:
    """The nearest power of two, the larger of two; 0 for 0."""
    low = np.int64(1) << exponent(x)
    return np.where(x == 0, 0, np.where(2 * x >= 3 * low, 2 * low, low))


def roba(a: Numbers, b: Numbers, m: int, n: int) -> Numbers:
    left, right = (np.where(v == 3, 2, nearest_power(v)) for v in (a, b))
    return left * b + a * right - left * right


def compensated(a: Numbers, b: Numbers, m: int, n: int) -> Numbers:
    left, right = np.int64(1) << exponent(a), np.int64(1) << exponent(b)
    x, y = a - left, b - right
    product = (
        left * right + x * right + y * left + np.minimum(x, y) * nearest_power(np.maximum(x, y))
    )
    return np.where((a > 0) & (b > 0), product, 0)


def without_columns(
    a: Numbers, b: Numbers, m: int, n: int, c: str, correction: str | None
) -> Numbers:
    """For each bit i of a, the bits of b that fall into columns below c are lost."""
    product = sum(
        (a >> i & 1) * (b >> max(int(c) - i, 0) << max(int(c) - i, 0) << i) for i in range(m)
    )
    mean = sum(2.0**i * (2 ** min(max(int(c) - i, 0), n) - 1) for i in range(m)) / 4
    if correction == "-k":
        return product + int(mean)
    return product + int(mean) * ((a > 0) & (b > 0)) if correction else product


def broken_array(a: Numbers, b: Numbers, m: int, n: int, h: str, v: str) -> Numbers:
    rows = b >> int(h) << int(h)
    return without_columns(a, rows, m, n, v, None)


def kulkarni(a: Numbers, b: Numbers, m: int, n: int) -> Numbers:
    """Exact but for each pair of digits 3 in base 4, which makes 7 instead of 9."""
    wrong = sum(
        ((a >> i & 3) == 3).astype(np.int64) * ((b >> j & 3) == 3) << i + j
        for i in range(0, m, 2)
        for j in range(0, n, 2)
    )
    return a * b - 2 * wrong


def _errors(**rows: int) -> list[int]:
    """Error of a compressor by the number abcd in binary."""
    return [rows.get(f"r{i:04b}", 0) for i in range(16)]


def _values(total: Callable[[int, int, int, int], int]) -> list[int]:
    """Error of a compressor whose value is `total(a, b, c, d)`."""
    return [total(*(int(bit) for bit in f"{i:04b}")) - i.bit_count() for i in range(16)]


ERRORS = {
    "acci1": _errors(r1111=-1),
    "kong2": _errors(r0011=1, r1111=-1),
    "antonio": _errors(r1110=-1, r1111=-1),
    "momeni": _errors(r0000=1, r0011=-1, r1100=-1, r1111=-1),
    "ha": _errors(r0011=-1, r0111=-1, r1011=-1, r1111=-1),
    "akbar1": _values(lambda a, b, c, d: int(a != b or c != d) + 2 * d),
    "akbar2": _errors(r0101=-1, r0110=-1, r1001=-1, r1010=-1, r1111=-2),
    "sabetz": _values(lambda a, b, c, d: 1 + 2 * (a + c + d >= 2)),
}


def openacm(
    a: Numbers, b: Numbers, m: int, n: int, kind: str | None, digits: str | None, split: str | None
) -> Numbers:
    """The exact product plus the errors of the compressors, each times its column's weight.

    Only columns below the split are followed: nothing flows back into them.
    """
    bound = min(int(split) if split else (m + n) // 2, m + n)
    kinds = [list(ERRORS.values())[int(d) - 1] for d in digits or ""]
    columns = [[a >> i & b >> c - i & 1 for i in range(m) if 0 <= c - i < n] for c in range(m + n)]
    heights = [len(column) for column in columns]
    columns, product = columns[:bound], a * b
    limit = max(heights)
    while limit > 2:
        limit = 1 << (limit - 1).bit_length() - 1
        carries: list[Numbers] = []
        for c, column in enumerate(columns):
            column, from_below, carries, sums = list(column), carries, [], []
            while (excess := len(column) + len(sums) + len(from_below) - limit) > 0:
                count = 4 if excess >= 3 and len(column) >= 4 else 3 if excess >= 2 else 2
                ones = sum(column[:count])
                if count == 4:
                    index = sum(bit << 3 - k for k, bit in enumerate(column[:4]))
                    error = np.array(ERRORS[kind] if kind else kinds.pop(0))[index]
                    product, ones = product + (error << c), ones + error
                column = column[count:]
                sums.append(ones & 1)
                carries.append(ones >> 1)
            columns[c] = [*column, *sums, *from_below][::-1]
    return product


FORMULAS: tuple[tuple[str, Formula], ...] = (
    (r"exact-array|exact-dadda", exact),
    (r"drum-k(\d+)", drum),
    (r"ssm-k(\d+)", ssm),
    (r"mitchell(?:-w(\d+)(-tr)?)?", mitchell),
    (r"tosam-h(\d+)-t(\d+)", tosam),
    (r"roba", roba),
    (r"openacm-log", compensated),
    (r"trunc-c(\d+)(-kz?)?", without_columns),
    (r"bam-h(\d+)-v(\d+)", broken_array),
    (r"kulkarni", kulkarni),
    (rf"openacm-(?:({'|'.join(ERRORS)})|t(\d+))(?:-s(\d+))?", openacm),
)
