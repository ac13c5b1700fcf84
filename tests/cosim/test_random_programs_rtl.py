"""Random programs: RTL and emulator agree on buffers, memory and the cycle of every command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from random_programs import RandomProgram
from simulators import needs_icarus, needs_verilator

from cimc.cost.cycles import estimate
from cimc.sim.cosim.tools import SimulatorName
from cimc.sim.emulator import Emulator
from cimc.sim.rtl_runner import Region, RtlRun, simulate
from cimc.targets import get

pytestmark = pytest.mark.cosim
CYCLE_MARGIN = 1000


def check(program: RandomProgram, simulator: SimulatorName, work_dir: Path) -> None:
    """Run both; the whole activation buffer is compared behind every command."""
    expected = estimate(program.commands, program.target)
    run = run_rtl(program, program.image, simulator, work_dir)
    check_bytes(program, run)
    assert [(r.unit, r.tag, r.cycle) for r in run.retires] == expected.retires
    assert run.cycles == expected.total


def run_rtl(
    program: RandomProgram, image: bytes, simulator: SimulatorName, work_dir: Path
) -> RtlRun:
    """Run `image`; the activation buffer is dumped behind every command."""
    target = program.target
    size = target.geometry.activation_bytes
    return simulate(
        target,
        image,
        [Region(tag, "buffer", 0, size) for tag in range(len(program.body))],
        simulator=simulator,
        max_cycles=estimate(program.commands, target).total + CYCLE_MARGIN,
        work_dir=work_dir,
    )


def check_bytes(program: RandomProgram, run: RtlRun) -> None:
    """Compare the dumps of `run` and its memory at the end with those of the emulator."""
    compared: list[int] = []

    def compare(tag: int, machine: Emulator) -> None:
        command = program.body[tag]
        found = np.frombuffer(run.dumps[tag], np.uint8)
        where = f"after command {tag} {command.opcode.name} {command.values}"
        np.testing.assert_array_equal(found, machine.read_buffer(0, len(found))[0], where)
        compared.append(tag)

    machine = Emulator(program.target, program.image)
    machine.run(on_retire=compare)
    assert sorted(compared) == list(range(len(program.body)))
    assert run.dram == machine.read_dram(0, len(program.image))[0].tobytes()


@needs_verilator
@pytest.mark.parametrize("seed", range(20))
def test_on_the_small_machine(seed: int, tmp_path: Path) -> None:
    check(RandomProgram(get("daism-small"), seed), "verilator", tmp_path)


GROUPS = replace(get("dcim-small"), multipliers=("drum-k4", "exact-dadda"))
"""A bank group for each cluster."""


@needs_verilator
@pytest.mark.parametrize("seed", range(10))
def test_bank_groups_with_digital_multipliers(seed: int, tmp_path: Path) -> None:
    check(RandomProgram(GROUPS, seed), "verilator", tmp_path)


@needs_verilator
@pytest.mark.parametrize("seed", range(100, 103))
def test_programs_of_several_blocks(seed: int, tmp_path: Path) -> None:
    check(RandomProgram(get("daism-small"), seed, commands=60), "verilator", tmp_path)


@needs_verilator
@pytest.mark.parametrize("seed", range(3))
def test_on_the_full_machine(seed: int, tmp_path: Path) -> None:
    check(RandomProgram(get("daism"), seed), "verilator", tmp_path)


@needs_icarus
@pytest.mark.tools
def test_bank_groups_on_icarus(tmp_path: Path) -> None:
    check(RandomProgram(GROUPS, 210, commands=4), "icarus", tmp_path)


@needs_icarus
@pytest.mark.tools
@pytest.mark.parametrize("seed", range(200, 203))
def test_on_icarus(seed: int, tmp_path: Path) -> None:
    check(RandomProgram(get("daism-small"), seed), "icarus", tmp_path)


@needs_verilator
def test_a_changed_bit_is_seen(tmp_path: Path) -> None:
    """The comparison above can fail: the RTL gets other data than the emulator."""
    program = RandomProgram(get("daism-small"), 1)
    changed = bytearray(program.image)
    changed[program.body[0]["dram"]] ^= 1
    run = run_rtl(program, bytes(changed), "verilator", tmp_path)
    with pytest.raises(AssertionError, match="after command 0 LOAD"):
        check_bytes(program, run)


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1300, 20))
def test_many_on_the_small_machine(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 20):
        check(RandomProgram(get("daism-small"), seed, commands=25), "verilator", tmp_path)


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2000, 2040))
def test_many_on_the_full_machine(seed: int, tmp_path: Path) -> None:
    check(RandomProgram(get("daism"), seed, commands=25), "verilator", tmp_path)
