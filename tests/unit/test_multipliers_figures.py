"""Errors of the digital multipliers at 8x8 against figures computed independently."""

from __future__ import annotations

import hashlib

import pytest

from cimc import multipliers
from cimc.multipliers.openacm import positions
from cimc.multipliers.truncation import mean_dropped

# NMED, MRED %, worst case, worst relative error %
FIGURES = """
mitchell         9.33e-3  3.79   4096  11.1
mitchell-w5-tr   1.27e-2  4.83   5257  13.8
mitchell-w4-tr   1.78e-2  6.62   6833  17.3
mitchell-w3-tr   2.78e-2  10.3  10081  23.5
mitchell-w5      8.84e-3  3.40   5241  13.8
mitchell-w4      1.09e-2  4.26   6769  17.1
mitchell-w3      1.66e-2  6.68   9825  25.0
openacm-log      4.36e-3  1.48   3072   7.1
drum-k3          2.84e-2  12.1  14849  56
drum-k4          1.42e-2  5.89   7425  27
drum-k5          7.15e-3  2.84   3904  13
drum-k6          3.58e-3  1.30   2000   6.4
drum-k7          1.62e-3   .48   1012   3.2
ssm-k4           2.68e-2  14.9   7425  73
ssm-k5           1.19e-2  5.55   3521  33
ssm-k6           4.39e-3  1.62   1521   8.8
tosam-h0-t2      2.37e-2  10.9  15873  50
tosam-h0-t3      2.12e-2  9.65      -   -
tosam-h1-t3      1.22e-2  5.48      -   -
tosam-h1-t4      1.09e-2  4.79      -   -
tosam-h1-t5      1.05e-2  4.54      -   -
tosam-h2-t4      6.29e-3  2.93      -   -
tosam-h2-t5      5.62e-3  2.54      -   -
tosam-h3-t7      2.87e-3  1.28   1984   3.5
roba             7.00e-3  2.86   4096  11.1
kulkarni         1.39e-2  3.28  14450  22.2
trunc-c4         1.9e-4    .56     49   100
trunc-c5         5.0e-4   1.26    129   100
trunc-c6         1.23e-3  2.64    321   100
trunc-c7         2.96e-3  5.21    769   100
trunc-c8         6.9e-3   9.78   1793   100
trunc-c4-k       1.2e-4      -     37   -
trunc-c5-k       2.9e-4      -     97   -
trunc-c6-k       6.4e-4      -    241   -
trunc-c7-k       1.4e-3      -    577   -
trunc-c8-k       3.1e-3      -   1345   -
bam-h0-v6        1.23e-3  2.64    321   100
bam-h2-v6        3.70e-3  5.13    961   100
bam-h1-v7        3.45e-3  5.67    897   100
bam-h2-v8        7.88e-3  10.6   2049   100
openacm-acci1    4.79e-5   .024   520   -
openacm-antonio  1.58e-4   .119   520   -
openacm-kong2    6.14e-4   .567   520   -
openacm-akbar2   1.37e-3  1.42    800   -
openacm-momeni   1.65e-3  9.29    568   -
openacm-akbar1   2.61e-3  5.40    976   -
openacm-sabetz   3.46e-3  21.8    568   -
"""

# Wrong products %, bias
COMPRESSOR_TREES = """
openacm-acci1    3.59   -3.1
openacm-antonio  12.8  -10.2
openacm-kong2    37.6   35
openacm-akbar2   65.7  -89
openacm-momeni   92.9    9.6
openacm-akbar1   88.9   67
openacm-sabetz   99.1  201
openacm-log      90.1   52
"""


PUBLISHED_TREES = {
    "openacm-acci1": "4a7804022cb1bc8e",
    "openacm-antonio": "54ae10ac488b0063",
    "openacm-akbar1": "964da62cb1862bf5",
    "openacm-t876543212": "e8cd99be74d554d3",
    "openacm-t123456781": "0869b15fe3754c52",
}
"""sha256[:16] of tables, uint16 LE, simulated from the Verilog that OpenACM's generator writes."""


def agrees(value: float, printed: str) -> bool:
    """`value` is `printed` to its last digit (some were rounded twice: 0.55 of a digit)."""
    if printed == "-":
        return True
    digits, _, exponent = printed.partition("e")
    places = len(digits.partition(".")[2]) - int(exponent or 0)
    return abs(value - float(printed)) * 10**places <= 0.55


def cases(text: str) -> list[tuple[str, ...]]:
    return [tuple(line.split()) for line in text.strip().splitlines()]


@pytest.mark.parametrize(("name", "nmed", "mred", "worst", "relative"), cases(FIGURES))
def test_errors(name: str, nmed: str, mred: str, worst: str, relative: str) -> None:
    stats = multipliers.get(name).error_stats(8, 8)
    assert agrees(stats.nmed_percent / 100, nmed)
    assert agrees(stats.mred_percent, mred)
    assert worst == "-" or stats.worst_case == int(worst)
    assert agrees(stats.worst_relative_percent, relative)


@pytest.mark.parametrize(("name", "wrong", "bias"), cases(COMPRESSOR_TREES))
def test_error_rate_and_bias(name: str, wrong: str, bias: str) -> None:
    stats = multipliers.get(name).error_stats(8, 8)
    assert agrees(stats.error_rate_percent, wrong)
    assert agrees(stats.bias, bias)


def test_the_comparison_sees_one_digit() -> None:
    assert agrees(0.00933, "9.33e-3")
    assert not agrees(0.00934, "9.33e-3")
    assert not agrees(13.5, "13.4")


def test_mean_corrections() -> None:
    assert [mean_dropped(8, 8, c) for c in (4, 5, 6, 7, 8)] == [12, 32, 80, 192, 448]


def test_compressor_positions() -> None:
    expected = {4: 1, 7: 6, 8: 9, 10: 16, 12: 25, 16: 49}
    assert {n: positions(n, n) for n in expected} == expected


@pytest.mark.parametrize("name", PUBLISHED_TREES)
def test_compressor_trees_are_the_published_ones(name: str) -> None:
    table = multipliers.get(name).table(8, 8)
    assert hashlib.sha256(table.astype("<u2").tobytes()).hexdigest()[:16] == PUBLISHED_TREES[name]
