"""A program that runs again, or on several threads, does what it does command by command."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from random_programs import RandomProgram

from cimc.kernels import native
from cimc.sim import emulator_steps, emulator_trace
from cimc.sim.emulator import Emulator
from cimc.sim.emulator_memory import Dram
from cimc.sim.emulator_trace import ProgramMemory
from cimc.targets import get
from cimc.targets.isa import Opcode

SMALL = get("daism-small")
DIGITAL = get("dcim-small")
BATCH = 3


def started(program: RandomProgram, image: bytes, memory: ProgramMemory | None = None) -> Emulator:
    """A machine with `BATCH` random inputs in place of the first load's data."""
    machine = Emulator(program.target, image, batch=BATCH, memory=memory)
    load = next(c for c in program.body if c.opcode is Opcode.LOAD)
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (BATCH, load["bytes"])).astype(np.uint8)
    machine.write_dram(load["dram"], inputs)
    return machine


def contents(machine: Emulator) -> dict[str, np.ndarray]:
    """All that can be read of `machine`."""
    g = machine.target.geometry
    rows, signs = machine.physical_rows(0, g.bank_rows)
    return {
        "buffer": machine.read_buffer(0, g.activation_bytes),
        "dram": machine.read_dram(0, len(machine._image)),
        "partial sums": machine._memories.psums.copy(),
        "rows": rows,
        "signs": signs,
        "lut": machine._vector.lut,
        "taps": machine._vector.taps,
        "steps": machine._array.steps,
    }


def compare(machine: Emulator, expected: dict[str, np.ndarray]) -> None:
    """Stop where `machine` differs."""
    for name, found in contents(machine).items():
        np.testing.assert_array_equal(found, expected[name], err_msg=name)


def by_command(program: RandomProgram, image: bytes) -> dict[str, np.ndarray]:
    """What is there after every command ran alone, on one thread."""
    machine = started(program, image)
    with native.one_thread():
        machine.run(on_retire=lambda tag, machine: None)
    return contents(machine)


def repeats(machine: Emulator) -> bool:
    """Whether `machine`, which did not run yet, does what the last one did."""
    trace = machine._memory.trace
    return trace is not None and trace.holds(machine.target, machine._image, machine._memories.dram)


def check(program: RandomProgram) -> bool:
    """Run `program` often, and say whether what it did could be kept."""
    expected = by_command(program, program.image)
    memory = ProgramMemory()
    for again in (False, True, True):
        machine = started(program, program.image, memory)
        assert repeats(machine) == (again and memory.trace is not None)
        machine.run()
        compare(machine, expected)
    machine.run()  # from where it was, not out of reset
    twice = started(program, program.image)
    twice.run(on_retire=lambda tag, machine: None)
    twice.run(on_retire=lambda tag, machine: None)
    compare(machine, contents(twice))
    return memory.trace is not None


@pytest.mark.parametrize("target", [SMALL, DIGITAL], ids=lambda target: target.name)
@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_repeated_runs(threads: str, target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.THREADS, threads)
    assert all([check(RandomProgram(target, seed)) for seed in range(8)])


def test_without_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.CHOICE, native.NUMPY)
    monkeypatch.setenv(native.THREADS, "2")
    assert all([check(RandomProgram(SMALL, seed)) for seed in range(3)])


def changed(program: RandomProgram, opcode: Opcode) -> bytes:
    """The image with other data for the first command of that kind."""
    image = bytearray(program.image)
    command = next(c for c in program.body if c.opcode is opcode)
    place = command["dram"] + (program.g.beat_bytes * 8 if opcode is Opcode.LOAD_WEIGHTS else 3)
    image[place] ^= 1
    return bytes(image)


LOADS = [Opcode.LOAD_WEIGHTS, Opcode.LOAD_LUT, Opcode.LOAD_TAPS]


@pytest.mark.parametrize("opcode", LOADS, ids=lambda opcode: opcode.name)
def test_other_data_are_seen(opcode: Opcode) -> None:
    program, memory = RandomProgram(SMALL, 1), ProgramMemory()
    started(program, program.image, memory).run()
    other = changed(program, opcode)
    machine = started(program, other, memory)
    assert not repeats(machine)
    machine.run()
    compare(machine, by_command(program, other))


def test_data_that_the_host_wrote_are_seen() -> None:
    program, memory = RandomProgram(SMALL, 1), ProgramMemory()
    started(program, program.image, memory).run()
    other = changed(program, Opcode.LOAD_TAPS)
    machine = started(program, program.image, memory)
    place = next(i for i, (a, b) in enumerate(zip(program.image, other, strict=True)) if a != b)
    machine.write_dram(place, np.array([other[place]], np.uint8))
    assert not repeats(machine)


def test_other_kernels_take_their_own_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    program, memory = RandomProgram(SMALL, 1), ProgramMemory()
    started(program, program.image, memory).run()
    monkeypatch.setenv(native.CHOICE, native.NUMPY)
    assert repeats(started(program, program.image, memory)) == (native.native is None)


class Rewritten(RandomProgram):
    """Stores to where weights come from, and loads those again."""

    def _serialise(self) -> None:
        weights = next(c for c in self.body if c.opcode is Opcode.LOAD_WEIGHTS)
        entries = -(-4 * weights["steps"] // self.g.beat_bytes) * self.g.beat_bytes
        taken = weights["dram"] + entries + 8 * self.g.outputs * weights["has_params"]
        store = next(c for c in self.body if c.opcode is Opcode.STORE)
        values = {"dram": taken, "buffer": 0, "bytes": self.g.beat_bytes}
        copy = type(store)(Opcode.STORE, values)
        again = type(weights)(weights.opcode, dict(weights.values))
        self.body[-1:] = [copy, again, self._array(), self.body[-1]]
        super()._serialise()


def test_what_was_stored_is_loaded() -> None:
    program = Rewritten(SMALL, 4)
    one, other = (Emulator(SMALL, program.image) for _ in range(2))
    memory = one._memory
    one.run()
    assert memory.trace is None
    other.run(on_retire=lambda tag, machine: None)
    compare(one, contents(other))


def holds_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator_trace.Trace, "holds", lambda *_: True)


def stores_are_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator_steps.Store, "meets", lambda *_: False)


def pages_stay_with_their_part(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Dram.part

    def part(self: Dram, items: slice) -> Dram:
        found = original(self, items)
        found._pages = {page: own.copy() for page, own in found._pages.items()}
        return found

    monkeypatch.setattr(Dram, "part", part)


PLANTED = [
    (holds_always, lambda: test_other_data_are_seen(Opcode.LOAD_WEIGHTS)),
    (stores_are_not_seen, test_what_was_stored_is_loaded),
    (pages_stay_with_their_part, lambda: check(RandomProgram(SMALL, 1))),
]


@pytest.mark.parametrize(("plant", "run"), PLANTED, ids=lambda each: each.__name__)
def test_planted_errors_are_caught(
    plant: Callable[[pytest.MonkeyPatch], None],
    run: Callable[[], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run()
    plant(monkeypatch)
    monkeypatch.setenv(native.THREADS, "3")
    with pytest.raises(AssertionError):
        run()
