"""Every digital multiplier equals a formula on integers: all pairs up to 8 bits, random above."""

from __future__ import annotations

import numpy as np
import pytest
from formulas import reference

from cimc import multipliers

DIGITAL = [n for n in multipliers.accepted_names() if "daism" not in multipliers.get(n).arrays]
CORNERS = """
drum-k2 drum-k16 mitchell-w1 mitchell-w15 mitchell-w15-tr ssm-k1 ssm-k16 tosam-h0-t1 tosam-h14-t15
trunc-c1 trunc-c31-kz bam-h0-v0 bam-h31-v31 openacm-acci1-s3 openacm-kong2-s12 openacm-akbar1-s31
""".split()
"""Parameters at the ends of their ranges."""
WIDTHS = ((8, 8), (7, 8), (7, 7), (5, 3), (3, 6), (2, 2), (1, 1))
WIDE = ((11, 11), (13, 13), (16, 16), (16, 5))
ONE_EACH = """
exact-dadda drum-k6 ssm-k5 mitchell mitchell-w5 tosam-h2-t5 roba openacm-log kulkarni trunc-c7-kz
bam-h2-v8 openacm-akbar1 openacm-kong2-s12
""".split()


def check_all_pairs(name: str, m: int, n: int) -> None:
    stored, broadcast = np.divmod(np.arange(1 << m + n), 1 << n)
    expected = reference(name, stored, broadcast, m, n).reshape(1 << m, 1 << n)
    np.testing.assert_array_equal(multipliers.get(name).table(m, n), expected, f"{name} {m}x{n}")


def check_random_pairs(name: str, m: int, n: int, count: int) -> None:
    random = np.random.default_rng(m * 100 + n)
    stored, broadcast = (random.integers(0, 1 << bits, count) for bits in (m, n))
    # Small and large operands alike: lengths, too, are drawn evenly.
    stored, broadcast = (
        v >> random.integers(0, b, count) for v, b in ((stored, m), (broadcast, n))
    )
    expected = reference(name, stored, broadcast, m, n)
    products = multipliers.get(name).products(stored, broadcast, m, n)
    np.testing.assert_array_equal(products, expected, f"{name} {m}x{n}")


@pytest.mark.parametrize("name", [*DIGITAL, *CORNERS])
def test_tables_equal_the_formula(name: str) -> None:
    for m, n in WIDTHS:
        check_all_pairs(name, m, n)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DIGITAL, *CORNERS])
def test_tables_of_all_widths_equal_the_formula(name: str) -> None:
    for m in range(1, 9):
        for n in range(1, 9):
            check_all_pairs(name, m, n)


@pytest.mark.parametrize("name", ONE_EACH)
def test_wide_products_equal_the_formula(name: str) -> None:
    for m, n in WIDE:
        check_random_pairs(name, m, n, 2_000)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DIGITAL, *CORNERS])
def test_a_million_wide_products_equal_the_formula(name: str) -> None:
    for bits in (11, 16):
        check_random_pairs(name, bits, bits, 1_000_000)
    check_random_pairs(name, 16, 5, 10_000)


def test_compressors_by_position() -> None:
    check_all_pairs("openacm-t123456781", 8, 8)
    check_all_pairs("openacm-t123456-s7", 7, 7)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("drum-k4", "drum-k5"),
        ("mitchell-w5", "mitchell-w5-tr"),
        ("tosam-h1-t4", "tosam-h1-t5"),
        ("openacm-antonio", "openacm-ha"),
        ("openacm-acci1", "openacm-acci1-s7"),
        ("trunc-c6-k", "trunc-c6-kz"),
        ("bam-h2-v6", "bam-h0-v6"),
        ("roba", "mitchell"),
    ],
)
def test_the_formulas_tell_neighbours_apart(name: str, other: str) -> None:
    stored, broadcast = np.divmod(np.arange(1 << 16), 256)
    expected = reference(other, stored, broadcast, 8, 8).reshape(256, 256)
    assert not np.array_equal(multipliers.get(name).table(8, 8), expected)
