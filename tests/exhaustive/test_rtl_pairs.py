"""Digital multipliers in RTL beyond 8x8: other narrow widths in full, wide ones on 10^6 pairs.

The RTL meets the formulas; test_digital_widths.py compares those with the bit-level definition.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from formulas import reference
from numpy.typing import NDArray
from rtl_tables import Dut, missing_tool, simulate_pairs
from test_digital_widths import CORNERS, DIGITAL

from cimc import multipliers
from cimc.backend.systemverilog import emit_module

PAIRS = 1_000_000
PER_RUN = 100_000
NAMES = [*DIGITAL, *CORNERS]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.cosim,
    pytest.mark.skipif(missing_tool() is not None, reason=str(missing_tool())),
]


def check(m: int, n: int, pairs: NDArray[np.uint32], folder: Path) -> None:
    """`pairs` are M << n | N."""
    duts = []
    for name in NAMES:
        module = multipliers.get(name).module(m, n)
        duts.append(Dut(module.sym_name.data, m, n, emit_module(module)))
    runs = simulate_pairs(duts, folder, pairs, PER_RUN)
    for run, products in enumerate(runs):
        part = pairs[run * PER_RUN : (run + 1) * PER_RUN].astype(np.int64)
        for i, name in enumerate(NAMES):
            expected = reference(name, part >> n, part & ((1 << n) - 1), m, n)
            np.testing.assert_array_equal(products[:, i], expected, f"{name} {m}x{n}")


@pytest.mark.parametrize(("m", "n"), [(7, 8), (7, 7), (5, 3), (2, 2), (1, 1)])
def test_all_pairs_of_narrow_operands(m: int, n: int, tmp_path: Path) -> None:
    check(m, n, np.arange(1 << m + n, dtype=np.uint32), tmp_path)


@pytest.mark.parametrize("bits", [11, 16])
def test_a_million_pairs_of_wide_operands(bits: int, tmp_path: Path) -> None:
    random = np.random.default_rng(bits)
    check(bits, bits, random.integers(0, 1 << 2 * bits, PAIRS, dtype=np.uint32), tmp_path)
