"""The emulator against plain loops over docs/machine.md, after every command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from naive_machine import NaiveMachine
from random_programs import RandomProgram

from cimc.cost.cycles import estimate
from cimc.kernels import layer, native
from cimc.sim import (
    emulator,
    emulator_array,
    emulator_memory,
    emulator_rows,
    emulator_vector,
    emulator_weights,
)
from cimc.sim.emulator import Emulator, MachineFault, batch_limit
from cimc.sim.emulator_rows import DecodeConfig
from cimc.targets import Geometry, Target, get
from cimc.targets.isa import Command, Opcode, VectorOp
from cimc.targets.packing import WeightPacking
from cimc.targets.program import program_bytes

SMALL = get("daism-small")
GROUPS = replace(get("dcim-small"), multipliers=("drum-k4", "exact-dadda"))
"""A bank group for each cluster."""


@pytest.fixture(autouse=True)
def _fresh_tables() -> Iterator[None]:
    forget_products()
    yield
    forget_products()


def forget_products() -> None:
    """Tables that are kept between commands would hide an error in how they are made."""
    emulator_array._multiply.cache_clear()
    emulator_rows.product_table.cache_clear()


def check(program: RandomProgram) -> None:
    """Run `program` on both; whole buffers are compared whenever a command retires."""
    naive = NaiveMachine(program.target, program.image)
    size = program.target.geometry.activation_bytes

    def compare(tag: int, machine: Emulator) -> None:
        command = program.body[tag]
        naive.execute(command)
        got = machine.read_buffer(0, size)[0]
        expected = np.frombuffer(bytes(naive.buffer), np.uint8)
        where = f"after command {tag} {command.opcode.name} {command.values}"
        np.testing.assert_array_equal(got, expected, err_msg=where)

    machine = Emulator(program.target, program.image)
    run = machine.run(on_retire=compare)
    end = program.commands.index(Command(Opcode.END))
    assert [c.opcode for c in run.commands] == [c.opcode for c in program.commands[: end + 1]]
    assert machine.read_dram(0, len(program.image))[0].tobytes() == bytes(naive.dram)
    assert estimate(run.commands, program.target) == estimate(program.commands, program.target)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kernels", native.available())
def test_random_programs(kernels: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.CHOICE, kernels)
    check(RandomProgram(SMALL, seed))


@pytest.mark.parametrize("target", [get("dcim-small"), GROUPS], ids=["one group", "two groups"])
@pytest.mark.parametrize("seed", [*range(5), 9])  # 9 shifts by 63
def test_random_programs_with_digital_multipliers(target: Target, seed: int) -> None:
    check(RandomProgram(target, seed))


def test_random_program_on_the_full_machine() -> None:
    check(RandomProgram(get("daism"), 100, commands=5))


class HalfGroups(RandomProgram):
    """Loads row-groups of 8 rows and reads them, too, as twice as many groups of 4."""

    def _packing(self) -> WeightPacking:
        return WeightPacking.BYTES

    def _row_config(self, most: int = 8) -> dict[str, int]:
        return {"bits": 8, "pc_bits": 1, "first_row": 0, "rows": 8}

    def _mismatch(self, values: dict[str, int]) -> dict[str, int]:
        return {"bits": 4, "rows": 4, "steps": 2 * values["steps"]}


@pytest.mark.parametrize("seed", range(3))
def test_windows_that_are_parts_of_row_groups(seed: int) -> None:
    check(HalfGroups(SMALL, seed))


def swap_wordlines(monkeypatch: pytest.MonkeyPatch) -> None:
    original = DecodeConfig.wordlines

    def swapped(self: DecodeConfig) -> np.ndarray:
        lines = original(self).copy()
        lines[:, :, [0, 1]] = lines[:, :, [1, 0]]
        return lines

    monkeypatch.setattr(DecodeConfig, "wordlines", swapped)


def wrong_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    original = emulator_array.decode_config

    def wrong(command: Command) -> DecodeConfig:
        found = original(command)
        return replace(found, masks=(found.masks[0] ^ 4, *found.masks[1:]))

    monkeypatch.setattr(emulator_array, "decode_config", wrong)


def stride_off_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    original = emulator_array._grid

    def off(command: Command, y: str, x: str) -> np.ndarray:
        moved = Command(command.opcode, {**command.values, x: command[x] + 1})
        return original(moved, y, x)

    monkeypatch.setattr(emulator_array, "_grid", off)


def rounding_away_from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    def rounded(value: np.ndarray, shift: int) -> np.ndarray:
        return (np.asarray(value) + (1 << shift >> 1)) >> shift

    monkeypatch.setattr(emulator_vector, "round_half_even_shift", rounded)


def no_wrap_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrap(self: emulator_memory.ActivationBuffer, addresses: np.ndarray) -> np.ndarray:
        return np.clip(addresses, 0, self.data.shape[1] - 1)

    monkeypatch.setattr(emulator_memory.ActivationBuffer, "wrap", wrap)


def taps_one_entry_off(monkeypatch: pytest.MonkeyPatch) -> None:
    original = emulator_vector.load_taps

    def wrong(state: emulator_vector.VectorState, command: Command, data: np.ndarray) -> None:
        original(state, command, data)
        state.taps[:] = np.roll(state.taps, 1, axis=0)

    monkeypatch.setattr(emulator, "load_taps", wrong)


def weights_of_a_byte_swapped(monkeypatch: pytest.MonkeyPatch) -> None:
    original = emulator_weights.weight_codes

    def wrong(geometry: Geometry, packing: WeightPacking, data: np.ndarray, signed: bool):
        swapped = data if packing == WeightPacking.BYTES else data << 4 | data >> 4
        return original(geometry, packing, swapped, signed)

    monkeypatch.setattr(emulator_weights, "weight_codes", wrong)


PLANTED = [
    swap_wordlines,
    wrong_mask,
    stride_off_by_one,
    no_wrap_mask,
    taps_one_entry_off,
    weights_of_a_byte_swapped,
]


def check_all(programs: list[RandomProgram]) -> None:
    for program in programs:
        check(program)


@pytest.mark.parametrize("plant", PLANTED)
def test_planted_errors_are_caught(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = [RandomProgram(SMALL, seed) for seed in range(14)]
    plant(monkeypatch)
    if plant is no_wrap_mask:
        monkeypatch.setenv(native.CHOICE, native.NUMPY)
    with pytest.raises(AssertionError, match="after command"):
        check_all(programs)


def vector_add(shift: int) -> bytes:
    """(0 - a_zero) * 1 / 2^shift for one beat."""
    values = {"op": VectorOp.ADD, "n0": 1, "n1": 1, "n2": 1, "tail": 8, "m0": 1, "shift": shift}
    values |= {"a_zero": -5, "dst": 64, "low": -128, "high": 127}
    return program_bytes([Command(Opcode.VECTOR, values)], SMALL)


def test_halves_go_to_even(monkeypatch: pytest.MonkeyPatch) -> None:
    def result() -> int:
        machine = Emulator(SMALL, vector_add(1))
        machine.run()
        return int(machine.read_buffer(64, 1)[0, 0])

    for kernels in native.available():
        monkeypatch.setenv(native.CHOICE, kernels)
        assert result() == 2
    rounding_away_from_zero(monkeypatch)
    assert result() == 3


@pytest.mark.parametrize("chunk", [1, 1 << 26])
def test_a_batch_equals_single_runs(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "_AT_ONCE", chunk)
    monkeypatch.setattr(emulator_vector, "_CHUNK_ELEMENTS", chunk)
    program = RandomProgram(SMALL, 7)
    size, rng = SMALL.geometry.activation_bytes, np.random.default_rng(0)
    inputs = rng.integers(0, 256, (3, size)).astype(np.uint8)
    at = program.body[0]["dram"]
    batch = Emulator(SMALL, program.image, batch=3)
    batch.write_dram(at, inputs)
    batch.run()
    for item, codes in enumerate(inputs):
        single = Emulator(SMALL, program.image)
        single.write_dram(at, codes)
        single.run()
        for read in (Emulator.read_buffer, Emulator.read_dram):
            np.testing.assert_array_equal(read(batch, 0, size)[item], read(single, 0, size)[0])


def test_items_with_different_programs_are_refused() -> None:
    machine = Emulator(SMALL, program_bytes([], SMALL), batch=2)
    machine.write_dram(64, np.array([[0], [1]], np.uint8))
    with pytest.raises(MachineFault, match="batch differ in DRAM bytes 0"):
        machine.run()


def test_physical_rows_are_those_of_the_row_generator() -> None:
    program = RandomProgram(SMALL, 3)
    naive = NaiveMachine(SMALL, program.image)
    for command in program.body:
        naive.execute(command)
    machine = Emulator(SMALL, program.image)
    machine.run()
    values, signs = machine.physical_rows(0, SMALL.geometry.bank_rows)
    for bank, rows in enumerate(naive.rows):
        assert values[:, bank].tolist() == [r[0] for r in rows]
        assert signs[:, bank].tolist() == [r[1] for r in rows]


def test_batch_limit() -> None:
    assert batch_limit(get("daism").geometry, 0) == 2**30 // (2**20 + 2**18)
    assert batch_limit(SMALL.geometry, 2**40) == 1
