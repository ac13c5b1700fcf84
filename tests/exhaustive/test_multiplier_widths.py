"""Every multiplier of stored rows, at every pair of widths, equals a formula written here."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from cimc import multipliers
from cimc.multipliers import ArrayConfig

WIDTHS = range(1, 9)
LISTED = set(multipliers.names())
WIRED = [n for n in multipliers.accepted_names() if "daism" in multipliers.get(n).arrays]
NAMES = [name if name in LISTED else pytest.param(name, marks=pytest.mark.slow) for name in WIRED]

Products = NDArray[np.int64]


@dataclass(frozen=True)
class Spelled:
    """What the parts of a name say."""

    pc_bits: int
    truncated: bool
    left_justify: bool
    reads: int
    block: bool


def spelled(name: str) -> Spelled:
    if name == "exact":
        return Spelled(1, False, False, 8, False)
    match = re.fullmatch(r"daism-(fla|hla-lh|hla|pc\d)(-tr)?(-lj)?(?:-r(\d)(b)?)?", name)
    assert match, name
    base, truncated, left_justify, reads, block = match.groups()
    return Spelled(
        pc_bits=int(base[2]) if base.startswith("pc") else 1,
        truncated=truncated is not None,
        left_justify=left_justify is not None,
        reads=2 if base.startswith("hla") else int(reads or 1),
        block=base == "hla-lh" or block is not None,
    )


def reference(spec: Spelled, m: int, n: int) -> Products:
    """Products [2^m, 2^n] from the definition in docs/multipliers.md."""
    stored = np.arange(1 << m)[:, None]
    operand = np.arange(1 << n)[None, :]
    shift = np.array([n - int(v).bit_length() if v else 0 for v in operand[0]])
    if spec.left_justify:
        operand = operand << shift
    k = min(spec.pc_bits, n)
    cut = m if spec.truncated else 0
    total = np.zeros((1 << m, 1 << n), np.int64)
    for r in range(spec.reads):
        mine = [i for i in range(n) if (i * spec.reads // n if spec.block else i % spec.reads) == r]
        seen = operand & sum(1 << i for i in mine)
        read = (seen >> (n - k)) * stored << (n - k) >> cut << cut
        for i in range(n - k):
            read = read | (seen >> i & 1) * (stored << i >> cut << cut)
        total += read
    return total >> shift if spec.left_justify else total


def bank_products(config: ArrayConfig, m: int) -> Products:
    """What a bank set up by `config` computes: the rows it stores, the wordlines it turns on."""
    n, k = config.broadcast_bits, config.pc_bits
    stored = np.arange(1 << m)
    plain = [stored << i for i in range(config.first_row, n - k)]
    rows = [*plain, *(t * stored << (n - k) for t in range(1, 1 << k))]
    rows = [row >> config.cut << config.cut for row in rows]
    assert len(rows) == config.rows
    products = np.zeros((1 << m, 1 << n), np.int64)
    for value in range(1 << n):
        shift = n - value.bit_length() if config.left_justify and value else 0
        for mask in config.masks:
            seen = value << shift & mask
            on = [i - config.first_row for i in range(config.first_row, n - k) if seen >> i & 1]
            if top := seen >> (n - k):
                on.append(len(plain) + top - 1)
            read = np.zeros_like(stored)
            for line in on:
                read |= rows[line]
            products[:, value] += read >> shift
    return products


@pytest.mark.parametrize("name", NAMES)
def test_table_equals_the_formula(name: str) -> None:
    multiplier, spec = multipliers.get(name), spelled(name)
    for m in WIDTHS:
        for n in WIDTHS:
            np.testing.assert_array_equal(multiplier.table(m, n), reference(spec, m, n), f"{m}x{n}")


@pytest.mark.parametrize("name", NAMES)
def test_a_bank_with_the_array_configuration_computes_the_table(name: str) -> None:
    multiplier = multipliers.get(name)
    for m, n in ((8, 8), (7, 7), (1, 1), (2, 5), (5, 3)):
        config = multiplier.array_config(m, n)
        np.testing.assert_array_equal(multiplier.table(m, n), bank_products(config, m), f"{m}x{n}")


def test_the_formula_tells_configurations_apart() -> None:
    table = multipliers.get("daism-pc3-lj").table(8, 8)
    wrong = spelled("daism-pc3")
    assert not np.array_equal(table, reference(wrong, 8, 8))


@pytest.mark.parametrize("field", ["cut", "pc_bits", "first_row", "left_justify", "masks"])
def test_the_bank_model_catches_a_wrong_field(field: str) -> None:
    multiplier = multipliers.get("daism-pc3-tr-lj")
    config = multiplier.array_config(8, 8)
    planted = {
        "cut": {"cut": 7},
        "pc_bits": {"pc_bits": 2, "rows": 8},
        "first_row": {"first_row": 2, "rows": 10},
        "left_justify": {"left_justify": False},
        "masks": {"masks": (0x7F,)},
    }
    wrong = ArrayConfig(**{**vars(config), **planted[field]})
    assert not np.array_equal(multiplier.table(8, 8), bank_products(wrong, 8))
