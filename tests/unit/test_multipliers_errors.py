"""Error statistics against figures computed independently, to every printed digit."""

from __future__ import annotations

import numpy as np
import pytest

from cimc import multipliers
from cimc.multipliers import ErrorStats, error_stats

# MRED %, NMED %, WCE, WCRE %, ER %, alpha
UINT8 = """
daism-fla     15.490 4.870 32258 49.6 87.6 1.256
daism-hla-lh  11.714 4.060 30226 46.5 77.7 1.214
daism-hla      5.974 1.817 15876 24.4 73.7 1.082
daism-pc2     11.820 3.003 16002 49.4 86.7 1.121
daism-pc3      7.851 1.609  7874 49.0 84.5 1.056
daism-fla-tr  22.322 5.205 32513 100  98.4 1.269
daism-pc2-tr  18.616 3.336 16257 100  98.3 1.131
daism-pc3-tr  14.543 1.937  8129 100  98.2 1.065
daism-pc4      4.729 0.801  3810 48.2 80.7 1.026
"""

INT7 = """
daism-fla     14.611 4.755  7938 49.2 79.8 1.250
daism-hla      5.431 1.731  3844 24.4 61.7 1.079
daism-pc2     10.996 2.896  3906 48.8 78.3 1.117
daism-pc3      7.110 1.514  1890 48.0 74.8 1.053
daism-fla-tr  25.370 5.393  8065 100  97.0 1.275
daism-pc2-tr  21.686 3.528  4033 100  96.8 1.136
daism-pc3-tr  17.597 2.131  2017 100  96.6 1.069
daism-pc4      4.068 0.718   882 46.3 68.7 1.024
"""

ROWS = [
    pytest.param(bits, *line.split(), id=f"{line.split()[0]}-{bits}")
    for bits, text in ((8, UINT8), (7, INT7))
    for line in text.strip().splitlines()
]


def agrees(value: float, printed: str) -> bool:
    """`value` is `printed` to its last digit (the figures were rounded twice: 0.55 of a digit)."""
    digits = len(printed.partition(".")[2])
    return abs(value - float(printed)) * 10**digits <= 0.55


def check(stats: ErrorStats, *figures: str) -> None:
    values = (
        stats.mred_percent,
        stats.nmed_percent,
        stats.worst_case,
        stats.worst_relative_percent,
        stats.error_rate_percent,
        stats.alpha,
    )
    wrong = [(v, f) for v, f in zip(values, figures, strict=True) if not agrees(v, f)]
    assert not wrong


@pytest.mark.parametrize(("bits", "name", "mred", "nmed", "wce", "wcre", "er", "alpha"), ROWS)
def test_figures(
    bits: int, name: str, mred: str, nmed: str, wce: str, wcre: str, er: str, alpha: str
) -> None:
    check(multipliers.get(name).error_stats(bits, bits), mred, nmed, wce, wcre, er, alpha)


def test_halves_of_an_odd_width() -> None:
    """The independent figures are for a low half of 3 of 7 bits; ours has 4, and errs less."""
    m, n = np.arange(128)[:, None], np.arange(128)[None, :]
    halves = [range(0, 3), range(3, 7)]
    reads = [np.bitwise_or.reduce([(n >> i & 1) * (m << i) for i in half]) for half in halves]
    figures = ("11.105", "3.991", "7434", "46.3", "67.4", "1.211")
    check(error_stats(sum(reads).astype(np.uint32)), *figures)
    ours = multipliers.get("daism-hla-lh")
    assert ours.array_config(7, 7).masks == (0x0F, 0x70)
    check(ours.error_stats(7, 7), "9.581", "3.396", "6930", "46.3", "67.4", "1.178")


def test_exact_product_without_its_low_half() -> None:
    table = multipliers.get("exact").table(8, 8) & np.uint32(0xFF00)
    check(error_stats(table), "5.097", "0.193", "255", "100", "98.1", "1.004")


def test_the_check_catches_one_wrong_product() -> None:
    table = multipliers.get("daism-hla").table(8, 8).copy()
    table[255, 255] -= 2
    with pytest.raises(AssertionError):
        check(error_stats(table), "5.974", "1.817", "15876", "24.4", "73.7", "1.082")


def test_exact_has_no_error() -> None:
    stats = multipliers.get("exact").error_stats(7, 8)
    assert stats == ErrorStats(0, 0, 0, 0, 0, 0, 1)


def test_bias_is_the_mean_of_a_one_sided_error() -> None:
    stats = multipliers.get("daism-fla").error_stats(8, 8)
    assert stats.bias == pytest.approx(-stats.nmed_percent / 100 * 255 * 255)


def test_a_table_of_zeros_has_a_gain_of_one() -> None:
    assert error_stats(np.zeros((4, 4), np.uint32)).alpha == 1
