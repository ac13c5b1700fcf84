"""The multiplier library: names, golden products, rows, and what derives from one definition."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from xdsl.dialects import comb
from xdsl.dialects.builtin import IntegerType
from xdsl.dialects.hw import HWModuleOp, OutputOp

from cimc import multipliers
from cimc.diagnostics import InvalidInput
from cimc.dialects.bit import DecodeOp, ReadOp, RowOp
from cimc.multipliers import ArrayConfig
from cimc.multipliers.extract import array_config

WIRED = [name for name in multipliers.names() if "daism" in multipliers.get(name).arrays]
PAIRS = ((181, 167), (167, 181), (255, 255), (3, 3), (200, 255), (7, 200))

GOLDEN = {
    "exact": ((30227, 30227, 65025, 9, 51000, 1400), None),
    "daism-fla": ((24575, 24575, 32767, 7, 32760, 1016), "7ca1d6dccfdec605"),
    "daism-pc2": ((24575, 24575, 49151, 7, 40952, 1400), "f81344ace5034d47"),
    "daism-pc3": ((29695, 27391, 57343, 7, 45048, 1400), "1fe99a4d53748974"),
    "daism-fla-tr": ((24320, 24320, 32512, 0, 32512, 768), "bf67293e0e733fcf"),
    "daism-pc2-tr": ((24320, 24320, 48896, 0, 40704, 1280), "2b648b8d9205d72b"),
    "daism-pc3-tr": ((29440, 27136, 57088, 0, 44800, 1280), "b922062e05c9bc67"),
    "daism-hla-lh": ((25247, 25263, 34799, 7, 34680, 1016), "1ed1a3bfd85e4fa9"),
    "daism-hla": ((25311, 25311, 49149, 9, 49080, 1400), "af08de0b522c340d"),
}
"""Products of PAIRS as (M, N); sha256[:16] of the table as uint16 LE. Computed by other means."""

ROWS = {
    "daism-fla": (7, 8),
    "daism-hla": (7, 8),
    "daism-hla-lh": (7, 8),
    "daism-pc2": (8, 9),
    "daism-pc3": (11, 12),
    "daism-pc4": (18, 19),
    "daism-fla-tr": (6, 7),
    "daism-pc2-tr": (7, 8),
    "daism-pc3-tr": (10, 11),
    "exact": (7, 8),
}
"""Rows of a stored operand when the other one has 7 and 8 bits."""


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_products(name: str) -> None:
    products, digest = GOLDEN[name]
    table = multipliers.get(name).table(8, 8)
    assert tuple(int(table[pair]) for pair in PAIRS) == products
    if digest is not None:
        assert hashlib.sha256(table.astype("<u2").tobytes()).hexdigest()[:16] == digest


def test_exact_is_exact() -> None:
    for m, n in ((1, 1), (7, 8), (8, 8), (3, 6)):
        expected = np.arange(1 << m)[:, None] * np.arange(1 << n)[None, :]
        np.testing.assert_array_equal(multipliers.get("exact").table(m, n), expected)


@pytest.mark.parametrize("name", ROWS)
def test_rows_depend_on_the_broadcast_width_only(name: str) -> None:
    multiplier = multipliers.get(name)
    for stored in (2, 7, 8):
        rows = tuple(multiplier.array_config(stored, n).rows for n in (7, 8))
        assert rows == ROWS[name]


def test_listed_names_hold_every_base_and_form() -> None:
    names = multipliers.names()
    assert names[0] == "exact"
    assert len(set(names)) == len(names)
    for base in ("fla", "hla", "hla-lh", "pc2", "pc3", "pc4"):
        for suffix in ("", "-tr", "-lj", "-tr-lj"):
            assert f"daism-{base}{suffix}" in names
    assert {"daism-fla-r4", "daism-fla-r8", "daism-pc3-r2", "daism-pc4-lj-r2"} <= set(names)
    assert set(names) < set(multipliers.accepted_names())


def test_each_name_describes_itself_differently() -> None:
    accepted = [multipliers.get(name) for name in multipliers.accepted_names()]
    assert len({multiplier.description for multiplier in accepted}) == len(accepted)


def test_short_names_are_the_general_ones() -> None:
    for short, general in (("hla", "fla-r2"), ("hla-lh", "fla-r2b"), ("hla-tr-lj", "fla-tr-lj-r2")):
        short_table = multipliers.get(f"daism-{short}").table(8, 8)
        np.testing.assert_array_equal(short_table, multipliers.get(f"daism-{general}").table(8, 8))


def test_listed_names_stand_for_every_interleaved_product() -> None:
    listed = {multipliers.get(name).table(8, 8).tobytes() for name in multipliers.names()}
    for name in multipliers.accepted_names():
        if name.startswith("daism") and not name.endswith("b") and "-tr" not in name:
            assert multipliers.get(name).table(8, 8).tobytes() in listed, name


@pytest.mark.parametrize("name", ["daism-fla", "daism-hla", "daism-fla-r4"])
def test_left_justify_changes_nothing_where_no_row_is_special(name: str) -> None:
    plain, _, reads = name.partition("-r")
    justified = f"{plain}-lj-r{reads}" if reads else f"{plain}-lj"
    for m, n in ((7, 7), (7, 8), (8, 8)):
        np.testing.assert_array_equal(
            multipliers.get(name).table(m, n), multipliers.get(justified).table(m, n)
        )


@pytest.mark.parametrize("split", ["-r8", "-r8b"])
def test_one_row_a_read_is_exact(split: str) -> None:
    exact = multipliers.get("exact").table(8, 8)
    for base in ("fla", "pc2", "pc3", "pc4", "fla-lj", "pc3-lj"):
        np.testing.assert_array_equal(multipliers.get(f"daism-{base}{split}").table(8, 8), exact)


def test_array_config_of_the_default_and_of_exact() -> None:
    assert multipliers.get("daism-pc3-tr-lj").array_config(7, 8) == ArrayConfig(
        broadcast_bits=8,
        pc_bits=3,
        first_row=1,
        cut=7,
        rows=11,
        reads=1,
        masks=(0xFF,),
        left_justify=True,
    )
    exact = multipliers.get("exact")
    assert exact.array_config(7, 8).masks == tuple(1 << i for i in range(8))
    # A read that would use no bit is left out: 7-bit operands take 7 cycles, not 8.
    assert exact.array_config(7, 7).reads == 7
    assert multipliers.get("daism-pc3-r2").array_config(8, 8).masks == (0x55, 0xAA)
    assert multipliers.get("daism-pc3-r2b").array_config(8, 7).masks == (0x0F, 0x70)


def test_more_pc_bits_than_operand_bits_is_exact() -> None:
    config = multipliers.get("daism-pc4-tr").array_config(8, 3)
    assert (config.pc_bits, config.rows, config.first_row) == (3, 7, 0)
    assert multipliers.get("daism-pc4").error_stats(8, 3).error_rate_percent == 0


@pytest.mark.parametrize("name", WIRED)
def test_properties_that_follow_from_or(name: str) -> None:
    table = multipliers.get(name).table(8, 8).astype(np.int64)
    exact = multipliers.get("exact").table(8, 8).astype(np.int64)
    assert (table <= exact).all()
    assert not table[0].any()
    assert not table[:, 0].any()
    if "-tr" not in name:
        assert ((table == 0) == (exact == 0)).all()
        one_bit = 1 << np.arange(8)
        np.testing.assert_array_equal(table[:, one_bit], exact[:, one_bit])


@pytest.mark.parametrize("name", ["daism-fla-tr", "daism-pc2-tr", "daism-pc3-tr"])
def test_truncation_drops_few_products_to_zero(name: str) -> None:
    for bits, low, high in ((8, 2.2, 2.8), (7, 4.0, 5.0)):
        table = multipliers.get(name).table(bits, bits)
        lost = np.count_nonzero(table[1:, 1:] == 0) / table.size
        assert low <= 100 * lost <= high


def test_only_symmetric_splits_are_commutative() -> None:
    for name, commutative in (("fla", True), ("hla", True), ("hla-lh", False), ("pc3", False)):
        table = multipliers.get(f"daism-{name}").table(8, 8)
        assert np.array_equal(table, table.T) == commutative


def test_signed_products_are_sign_and_magnitude() -> None:
    multiplier = multipliers.get("daism-pc3-lj")
    weights = np.arange(-127, 128, dtype=np.int8)[:, None]
    activations = np.arange(-128, 128, dtype=np.int8)[None, :]
    products = multiplier.signed_products(weights, activations, 7, 8)
    assert products.shape == (255, 256)
    assert products.dtype == np.int32
    table = multiplier.table(7, 8)
    assert products[127 - 3, 128 + 100] == -int(table[3, 100])
    assert products[127 - 127, 128 - 128] == int(table[127, 128])
    assert products[127 + 5, 128 + 77] == int(table[5, 77])
    np.testing.assert_array_equal(products, -products[::-1])


def test_a_table_is_shared_and_cannot_be_written() -> None:
    multiplier = multipliers.get("daism-fla")
    assert multiplier.table(4, 4) is multiplier.table(4, 4)
    with pytest.raises(ValueError, match="read-only"):
        multiplier.table(4, 4)[0, 0] = 1


def test_unknown_name() -> None:
    with pytest.raises(InvalidInput) as error:
        multipliers.get("daism-pc3-jl")
    assert str(error.value) == "unknown multiplier 'daism-pc3-jl'; did you mean 'daism-pc3-lj'?"
    assert error.value.exit_code == 1


@pytest.mark.parametrize("name", ["exact-lj", "daism-hla-r4", "daism-pc3-r2-lj", "daism-fla-r1"])
def test_suffixes_have_one_order_and_meaning(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"unknown multiplier '{name}'"):
        multipliers.get(name)


def test_width_out_of_range() -> None:
    with pytest.raises(InvalidInput) as error:
        multipliers.get("exact").table(8, 9)
    assert str(error.value) == (
        "multiplier 'exact': broadcast_bits=9 is not in [1, 8]; choose a precision in that range"
    )


def module_of(name: str) -> HWModuleOp:
    return multipliers.get(name).module(4, 4)


def refused(module: HWModuleOp) -> str:
    with pytest.raises(InvalidInput) as error:
        array_config(module)
    assert str(error.value).endswith("; choose a daism multiplier")
    return str(error.value)


def ops_of(module: HWModuleOp, kind: type) -> list:
    return [op for op in module.body.block.ops if isinstance(op, kind)]


def test_a_multiplier_without_rows_is_no_array() -> None:
    module = module_of("exact")
    block = module.body.block
    for op in reversed(list(block.ops)):
        op.detach()
        op.erase()
    product = comb.ConcatOp(block.args, IntegerType(8))
    block.add_ops([product, OutputOp([product])])
    module.verify()
    assert "it stores no rows" in refused(module)


def test_a_row_that_the_generator_does_not_make_is_refused() -> None:
    module = module_of("daism-fla")
    row = ops_of(module, RowOp)[2]
    row.properties["shift"] = ops_of(module, RowOp)[1].properties["shift"]
    assert "its rows are [(1, 0), (1, 1), (1, 1), (1, 3)]" in refused(module)


def test_rows_with_different_cuts_are_refused() -> None:
    module = module_of("daism-fla")
    row = ops_of(module, RowOp)[2]
    row.properties["cut"] = row.properties["shift"]
    assert "its rows differ in operand or cut" in refused(module)


def test_reads_with_different_decoding_are_refused() -> None:
    module = module_of("daism-hla")
    first, second = ops_of(module, ReadOp)
    second.operands[1], second.operands[2] = second.operands[2], second.operands[1]
    assert first.rows[0] is second.rows[1]
    assert "its reads differ in rows or decoding" in refused(module)


def test_a_sum_that_is_not_of_all_reads_is_refused() -> None:
    module = module_of("daism-hla")
    add = ops_of(module, comb.AddOp)[0]
    add.operands[1] = add.operands[0]
    assert "its product is not the sum of its reads" in refused(module)


def test_a_decoder_that_sees_neither_form_of_the_operand_is_refused() -> None:
    module = module_of("daism-fla-lj")
    decode = ops_of(module, DecodeOp)[0]
    # One stage of the left-justify: 2 places at most instead of 3.
    decode.operands[0] = ops_of(module, comb.MuxOp)[0].result
    assert "its decoders see neither N nor left-justified N" in refused(module)
