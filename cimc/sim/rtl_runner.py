"""Runs a memory image on the RTL: cycles, retired commands, tensors at the moment they are done."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from cocotb_tools.runner import get_runner

from cimc.diagnostics import CimcError, VerifyFailed
from cimc.sim.simulator import (
    TIMESCALE,
    TOP,
    BuiltSimulator,
    SimulatorName,
    built_simulator,
    last_lines,
    simulator_environment,
)
from cimc.targets import Target
from cimc.targets.isa import Unit

HARNESS = Path(__file__).parent / "cocotb_harness.py"
_SPACES = {"buffer": 1, "dram": 2}


@dataclass(frozen=True)
class Region:
    """What to dump when a command retires with `tag`: `size` bytes from byte `address`."""

    tag: int
    space: Literal["buffer", "dram"]
    address: int
    size: int


@dataclass(frozen=True)
class Retire:
    """A marked command was done in `cycle`."""

    unit: Unit
    tag: int
    cycle: int


@dataclass(frozen=True)
class RtlRun:
    """What one run of the RTL gave."""

    cycles: int
    """cycles_o when done_o has risen."""
    retires: list[Retire]
    """By cycle, then unit."""
    dumps: dict[int, bytes]
    """Bytes of the region of each tag that retired; of a tag that retired twice, the last."""
    dram: bytes
    """The whole memory image as it is at the end."""

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes of main memory from byte `address`, at the end of the program."""
        return self.dram[address : address + size]


def simulate(
    target: Target,
    image: bytes,
    regions: Sequence[Region],
    *,
    simulator: SimulatorName = "verilator",
    max_cycles: int,
    work_dir: Path,
) -> RtlRun:
    """Run the program in `image` (DRAM from address 0) on the RTL of `target`.

    `work_dir` receives the files of the run: memory, trace, dumps, the simulator's log.

    Raises:
        ToolMissing: the simulator needs something that is not installed.
        VerifyFailed: the program did not end within `max_cycles`, or an assertion of the RTL
            failed.
    """
    built = built_simulator(target, simulator, len(image))
    beat = target.geometry.beat_bytes
    work_dir.mkdir(parents=True, exist_ok=True)
    (work_dir / "dram.bin").write_bytes(memory_file(image, beat))
    (work_dir / "regions.hex").write_text(regions_file(regions), encoding="ascii")
    _run(built, work_dir, max_cycles)
    retires = read_trace(work_dir / "trace.txt")
    result = _result(work_dir)
    if result["timed_out"]:
        last = f"{retires[-1].unit.name} tag {retires[-1].tag}" if retires else "none"
        raise VerifyFailed(
            f"the RTL has not finished after {max_cycles} cycles; last command retired: {last}"
        )
    return RtlRun(
        cycles=int(result["cycles"]),
        retires=retires,
        dumps=read_dumps(work_dir / "dump.txt", regions, beat),
        dram=apply_final(image, work_dir / "final.txt", beat),
    )


def plus_arguments(max_cycles: int) -> list[str]:
    """What the test bench is told: files in the folder where the simulator runs."""
    files = {
        "dram": "dram.bin",
        "regions": "regions.hex",
        "trace": "trace.txt",
        "dump": "dump.txt",
        "final": "final.txt",
    }
    return [f"+{key}={name}" for key, name in files.items()] + [f"+max_cycles={max_cycles}"]


def memory_file(image: bytes, beat: int) -> bytes:
    """`image` in whole beats, the bytes of each reversed: $fread fills words from the top."""
    padded = image + bytes(-len(image) % beat)
    return np.frombuffer(padded, np.uint8).reshape(-1, beat)[:, ::-1].tobytes()


def regions_file(regions: Sequence[Region]) -> str:
    """Text for $readmemh: tag -> space, address, bytes."""
    lines = [f"@{r.tag:x} {_SPACES[r.space]:08x}{r.address:08x}{r.size:08x}" for r in regions]
    return "\n".join([*lines, ""])


def read_trace(path: Path) -> list[Retire]:
    """Retired commands in the order of the trace."""
    rows = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return [Retire(Unit(int(unit)), int(tag), int(cycle)) for unit, tag, cycle in rows]


def read_dumps(path: Path, regions: Sequence[Region], beat: int) -> dict[int, bytes]:
    """Bytes of each dumped region; the dump holds whole beats."""
    by_tag = {region.tag: region for region in regions}
    dumps: dict[int, bytes] = {}
    lines = iter(path.read_text(encoding="ascii").splitlines())
    for line in lines:
        tag, _, beats = (int(word) for word in line.split())
        data = b"".join(_beat(next(lines)) for _ in range(beats))
        region = by_tag[tag]
        offset = region.address % beat
        dumps[tag] = data[offset : offset + region.size]
    return dumps


def apply_final(image: bytes, path: Path, beat: int) -> bytes:
    """`image` with the beats that the program has stored."""
    lines = path.read_text(encoding="ascii").splitlines()
    first = int(lines[0].split()[0]) * beat
    data = b"".join(_beat(line) for line in lines[1:])
    return (image[:first] + data + image[first + len(data) :])[: len(image)] if data else image


def _beat(line: str) -> bytes:
    """A word in hexadecimal, highest byte first; bits that Icarus never saw written read as 0."""
    return bytes.fromhex(line)[::-1]


def _run(built: BuiltSimulator, work_dir: Path, max_cycles: int) -> None:
    """Run the cocotb harness; its files are in `work_dir` afterwards.

    Raises:
        VerifyFailed: the simulator stopped without a result.
    """
    result, log = work_dir / "result.json", work_dir / "simulation.log"
    for stale in (result, log):
        stale.unlink(missing_ok=True)
    shutil.copy(HARNESS, work_dir / HARNESS.name)
    try:
        with simulator_environment(built.name), _importable(work_dir):
            get_runner(built.name).test(
                test_module=HARNESS.stem,
                hdl_toplevel=TOP,
                hdl_toplevel_lang="verilog",
                build_dir=built.folder,
                test_dir=work_dir,
                plusargs=plus_arguments(max_cycles),
                extra_env={"CIMC_RESULT": str(result.resolve())},
                results_xml=str((work_dir / "results.xml").resolve()),
                timescale=TIMESCALE,
                log_file=log,
            )
    except (RuntimeError, SystemExit):
        pass  # the result tells
    if not result.is_file():
        raise VerifyFailed(f"the RTL simulation stopped: {last_lines(log)}")


def _result(work_dir: Path) -> dict[str, int]:
    text = (work_dir / "result.json").read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except ValueError:
        raise CimcError(f"{work_dir}/result.json is not whole") from None


@contextmanager
def _importable(folder: Path) -> Generator[None]:
    """Let cocotb import from `folder`: the runner hands sys.path to the simulator."""
    sys.path.append(str(folder.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(folder.resolve()))
