"""Every compiled kernel against the numpy one: families, operand forms, odd shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimc import multipliers
from cimc.diagnostics import InvalidInput, ToolMissing
from cimc.kernels import Operand, TableProduct, approx_matmul, native, table_product
from cimc.kernels.factors import find_factors
from cimc.kernels.operand import alphabet
from cimc.kernels.rows import Mode, row_plan
from cimc.kernels.split import find_split

COMPILED = native.available()[:-1]
SETS = [
    pytest.param(name, marks=[] if name in COMPILED else pytest.mark.skip(f"{name} cannot run"))
    for name in ("portable", "avx2", "avx512", "avx512vbmi", "neon")
]
BYTES = np.arange(256, dtype=np.uint8)


def random_table(bits: int, stored: int = 7, broadcast: int = 8) -> np.ndarray:
    rng = np.random.default_rng(bits)
    return rng.integers(0, 1 << bits, (1 << stored, 1 << broadcast), dtype=np.uint32)


def library(name: str, stored: int = 7, broadcast: int = 8) -> np.ndarray:
    return multipliers.get(name).table(stored, broadcast)


TABLES = {
    "or": library("daism-pc3"),
    "or, 4 at a time": library("daism-fla"),
    "or, 1 at a time": library("daism-pc3", 8, 8),
    "or from the leading one": library("daism-pc3-lj"),
    "or, truncated": library("daism-fla-tr"),
    "sum": library("daism-hla-lh"),
    "sum, interleaved": library("daism-hla"),
    "sum, 16 bits": library("daism-hla", 8, 8),
    "any": random_table(15),
    "any, 16 bits": random_table(16),
    "any, all ones": np.full((128, 256), 65535, np.uint32),
    "or, 7 bits": library("daism-pc3", 7, 7),
    "any, 7 bits": library("mitchell", 7, 7),
    "exact": library("exact"),
    "exact, 8 by 8 bits": library("exact", 8, 8),
    "a product of factors": library("drum-k4"),
    "exact and factors": library("kulkarni"),
    "exact less factors, 8 bits": library("roba", 8, 8),
    "any, small": random_table(5, 3, 4),
    "nothing": np.zeros((16, 32), np.uint32),
}
PRODUCTS = {name: TableProduct(table) for name, table in TABLES.items()}


def oracle(product: TableProduct, x: Operand, w: Operand) -> np.ndarray:
    return approx_matmul(x.magnitudes, x.signs, w.magnitudes, w.signs, product.table)


def matrix(letters: np.ndarray, shape: tuple[int, int], kind: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    codes = rng.choice(letters, shape)
    if kind == "saturated":
        codes[:] = letters[[0, -1]][rng.integers(0, 2, shape)]
    if kind == "empty rows":
        codes[::2] = letters[0]
    return codes


FORMS = st.sampled_from([(0, False), (0, True), (-77, False), (-255, False)])
KINDS = st.sampled_from(["random", "saturated", "empty rows"])
SIZES = st.one_of(st.integers(0, 3), st.integers(0, 140))


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("name", TABLES)
def test_compiled_equals_numpy(instruction_set: str, name: str) -> None:
    product = PRODUCTS[name]

    @settings(max_examples=12, deadline=None)
    @given(SIZES, SIZES, SIZES, FORMS, FORMS, KINDS, KINDS, st.integers(0, 2**32 - 1))
    def check(m, k, n, x_form, w_form, x_kind, w_kind, seed) -> None:
        x_letters, w_letters = alphabet(*x_form), alphabet(*w_form)
        usable_x = BYTES[x_letters.magnitude < product.table.shape[1]]
        usable_w = BYTES[w_letters.magnitude < product.table.shape[0]]
        x = Operand(matrix(usable_x, (m, k), x_kind, seed), x_letters)
        w = Operand(matrix(usable_w, (k, n), w_kind, seed + 1), w_letters)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(native.CHOICE, instruction_set)
            got = product(x, w)
            into = np.full((m, n), seed % 1000, np.int32)
            again = product(x, w, into)
        np.testing.assert_array_equal(got, oracle(product, x, w))
        assert again is into
        np.testing.assert_array_equal(into, got)

    check()


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("name", ["or", "sum", "any", "or, 1 at a time"])
@pytest.mark.parametrize("wraps", [False, True])
def test_blocks_and_threads(
    instruction_set: str, name: str, wraps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    product, rng = PRODUCTS[name], np.random.default_rng(5)
    x = Operand(rng.integers(0, 256, (1030, 70), np.uint8), alphabet(0, wraps))
    w = Operand(rng.integers(0, 128, (70, 130), np.uint8), alphabet(-64))
    monkeypatch.setenv(native.CHOICE, instruction_set)
    expected = oracle(product, x, w)
    for threads in ("1", "3"):
        monkeypatch.setenv(native.THREADS, threads)
        np.testing.assert_array_equal(product(x, w), expected)
        few = Operand(x.codes[:20], x.alphabet)
        np.testing.assert_array_equal(product(few, w), expected[:20])


@pytest.mark.parametrize("instruction_set", SETS)
def test_the_longest_sums_are_exact(instruction_set: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """131,072 largest products of either sign: 2^32 is passed, as in the accumulators."""
    monkeypatch.setenv(native.CHOICE, instruction_set)
    depth = 1 << 17
    for name in ("or", "or, 1 at a time", "sum, 16 bits", "any, 16 bits"):
        product = PRODUCTS[name]
        stored, broadcast = (size - 1 for size in product.table.shape)
        x = Operand(np.full((2, depth), broadcast, np.uint8), alphabet(0))
        w = Operand.of_values(np.array([[-stored, 0]] * depth), -stored)
        each = np.array([-1, 1]) * product.table[[stored, 0], broadcast].astype(np.int64)
        expected = (each * depth + 2**31) % 2**32 - 2**31
        np.testing.assert_array_equal(product(x, w), np.stack([expected] * 2))


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("stored", "broadcast"),
    [(7, 8), pytest.param(7, 7, marks=SLOW), pytest.param(8, 8, marks=SLOW)],
)
def test_every_daism_table_splits(stored: int, broadcast: int) -> None:
    for name in (n for n in multipliers.names() if n.startswith("daism-")):
        table = library(name, stored, broadcast)
        split = find_split(table.T.astype(np.int64))
        assert split is not None, name
        np.testing.assert_array_equal(split.table(), table.T)
        assert split.rows <= 96


FACTORS = {"exact": 1, "drum-k4": 1, "ssm-k5": 1, "kulkarni": 2, "roba": 2, "mitchell": None}


@pytest.mark.parametrize("name", FACTORS)
def test_factors(name: str) -> None:
    table, count = library(name), FACTORS[name]
    terms = find_factors(table)
    assert (None if terms is None else len(terms)) == count
    if terms is None:
        return
    total = sum(term.scale * np.multiply.outer(term.by_w, term.by_x) for term in terms)
    np.testing.assert_array_equal(total, table)
    wrong = table.copy()
    wrong[77, 91] ^= 1
    wrong[33, 44] ^= 1  # one alone would be a product of factors itself
    assert find_factors(wrong) is None


@pytest.mark.parametrize("name", ["exact", "kulkarni", "exact less factors, 8 bits"])
def test_large_exact_products_and_their_limits(name: str) -> None:
    """Through onnxruntime, and where sums could pass 2^31 not."""
    key = {"kulkarni": "exact and factors"}.get(name, name)
    product, rng = PRODUCTS[key], np.random.default_rng(8)
    top = product.table.shape[0] - 1
    for depth in (300, 40_000):
        x = Operand(rng.integers(250, 256, (70, depth), np.uint8), alphabet(0))
        w = Operand(rng.integers(250, 256, (depth, 110), np.uint8), alphabet(top - 255))
        codes = rng.integers(0, min(255, 2 * top) + 1, (depth, 55), np.uint8)
        wide = Operand(codes, alphabet(-top))
        np.testing.assert_array_equal(product(x, w), oracle(product, x, w))
        np.testing.assert_array_equal(product(x, wide), oracle(product, x, wide))


def test_few_rows_exchange_the_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    product, rng = TableProduct(TABLES["any"]), np.random.default_rng(9)
    x = Operand(rng.integers(0, 256, (5, 40), np.uint8), alphabet(-77))
    w = Operand(rng.integers(0, 200, (40, 90), np.uint8), alphabet(-100))
    np.testing.assert_array_equal(product(x, w), oracle(product, x, w))
    assert any(exchanged for *_, exchanged in product._plans) == bool(COMPILED)


def test_no_split_where_there_is_none() -> None:
    table = library("daism-pc3").T.astype(np.int64)
    assert find_split(random_table(15).T.astype(np.int64)) is None
    table[200, 100] ^= 1
    assert find_split(table) is None


def test_plans_are_what_the_table_allows() -> None:
    unsigned, signed, weights = alphabet(0), alphabet(0, True), alphabet(0, True)
    cases = [
        ("or", unsigned, Mode.OR, 2),
        ("or", signed, Mode.OR_SIGNED, 2),
        ("or, 4 at a time", unsigned, Mode.OR, 4),
        ("sum", unsigned, Mode.SUM, 2),
        ("any", signed, Mode.ONE, 1),
    ]
    for name, letters, mode, group in cases:
        plan = row_plan(letters, weights, TABLES[name])
        assert plan is not None
        assert (plan.mode, plan.group) == (mode, group), name
    assert row_plan(unsigned, weights, random_table(15) * 8) is None


@pytest.mark.parametrize("signed", [False, True])
def test_no_digital_multiplier_is_left_to_numpy(signed: bool) -> None:
    """Rows that others are sums of must not make a table that does not split too large."""
    for name in (n for n in multipliers.names() if not n.startswith("daism-")):
        assert row_plan(alphabet(0, signed), alphabet(0, True), library(name)) is not None, name


def test_products_beyond_16_bits_are_left_to_numpy() -> None:
    product = TableProduct(random_table(30))
    x = Operand(np.arange(100, dtype=np.uint8).reshape(10, 10), alphabet(0))
    w = Operand(np.arange(50, dtype=np.uint8).reshape(10, 5), alphabet(-20))
    np.testing.assert_array_equal(product(x, w), oracle(product, x, w))


@pytest.mark.skipif(native.native is None, reason="the compiled kernels are not built")
def test_a_wrong_plan_is_found() -> None:
    """One wrong entry of a table, sign or address changes the result."""
    product, rng = PRODUCTS["or"], np.random.default_rng(6)
    x = Operand(rng.integers(0, 256, (64, 9), np.uint8), alphabet(0))
    w = Operand(rng.integers(0, 255, (9, 64), np.uint8), alphabet(-127))
    plan = row_plan(x.alphabet, w.alphabet, product.table)
    assert plan is not None
    expected = oracle(product, x, w)
    np.testing.assert_array_equal(
        native.multiply(native.compiled_plan(plan), x.codes, w.codes), expected
    )
    for field in ("sign", "first", "second"):
        part = getattr(plan, field)
        code = int((w if field == "sign" else x).codes[3, 3])
        part[code] ^= 1
        wrong = native.multiply(native.compiled_plan(plan), x.codes, w.codes)
        part[code] ^= 1
        assert not np.array_equal(wrong, expected), field


def test_wrong_calls_are_refused() -> None:
    product = PRODUCTS["or"]
    x = Operand(np.full((2, 3), 200, np.uint8), alphabet(0))
    with pytest.raises(ValueError, match="do not multiply"):
        product(x, x)
    with pytest.raises(ValueError, match="exceed table"):
        product(x, Operand(np.full((3, 2), 200, np.uint8), alphabet(0)))
    with pytest.raises(ValueError, match="do not start from"):
        Operand.of_values(np.array([[300]]), 0)


def test_choice_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.CHOICE, "numpy")
    assert native.chosen() == "numpy"
    monkeypatch.setenv(native.CHOICE, "fast")
    with pytest.raises(InvalidInput, match="CIMC_KERNELS=fast is not one of avx512vbmi, "):
        native.chosen()
    missing = next(name for name in ("neon", "avx2") if name not in native.available())
    monkeypatch.setenv(native.CHOICE, missing)
    with pytest.raises(ToolMissing, match=f"CIMC_KERNELS={missing}: .*; here run "):
        native.chosen()
    monkeypatch.setenv(native.THREADS, "many")
    with pytest.raises(InvalidInput, match="CIMC_THREADS=many is not a positive number"):
        native.threads()


def test_magnitudes_and_signs_become_bytes() -> None:
    magnitudes = np.array([[0, 255, 128]], np.uint8)
    for negative in ([False] * 3, [True] * 3, [False, False, True]):
        found = Operand.of_magnitudes(magnitudes, np.array([negative]))
        if negative == [False, False, True]:
            assert found is None
            continue
        assert found is not None
        np.testing.assert_array_equal(found.magnitudes, magnitudes)


def test_equal_tables_share_a_product() -> None:
    table = TABLES["or"]
    assert table_product(table) is table_product(table.copy())
