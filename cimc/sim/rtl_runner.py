"""Runs a memory image on the RTL: cycles, retired commands, tensors at the moment they are done."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cimc.diagnostics import CimcError, VerifyFailed
from cimc.sim.cosim import harness, tools
from cimc.sim.cosim.files import (
    DUMP,
    FINAL,
    TRACE,
    Region,
    Retire,
    apply_final,
    plus_arguments,
    read_dumps,
    read_trace,
    write_inputs,
)
from cimc.sim.cosim.tools import SimulatorName
from cimc.sim.simulator import BuiltSimulator, built_simulator
from cimc.targets import Target
from cimc.targets.isa import Unit

HARNESS = Path(harness.__file__)


class RtlStopped(VerifyFailed):
    """The RTL did not end: it hangs, or one of its assertions failed."""

    def __init__(self, message: str, retires: list[Retire]):
        """`retires` are the marked commands that were done by then."""
        super().__init__(message)
        self.retires = retires


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
        RtlStopped: the program did not end within `max_cycles`, or an assertion of the RTL failed.
    """
    built = built_simulator(target, simulator, len(image))
    beat = target.geometry.beat_bytes
    work_dir.mkdir(parents=True, exist_ok=True)
    write_inputs(work_dir, image, regions, beat)
    _run(built, work_dir, max_cycles)
    retires = read_trace(work_dir / TRACE)
    result = _result(work_dir)
    if result["timed_out"]:
        last = f"{Unit(retires[-1].unit).name} tag {retires[-1].tag}" if retires else "none"
        raise RtlStopped(
            f"the RTL has not finished after {max_cycles} cycles; last command retired: {last}",
            retires,
        )
    return RtlRun(
        cycles=int(result["cycles"]),
        retires=retires,
        dumps=read_dumps(work_dir / DUMP, regions, beat),
        dram=apply_final(image, work_dir / FINAL, beat),
    )


def _run(built: BuiltSimulator, work_dir: Path, max_cycles: int) -> None:
    """Run the cocotb harness; its files are in `work_dir` afterwards.

    Raises:
        RtlStopped: the simulator stopped without a result.
    """
    result, log = work_dir / "result.json", work_dir / "simulation.log"
    for stale in (result, log, work_dir / TRACE):
        stale.unlink(missing_ok=True)
    shutil.copy(HARNESS, work_dir / HARNESS.name)
    environment = {"CIMC_RESULT": str(result.resolve())}
    arguments = plus_arguments(max_cycles)
    tools.run(
        built.name, built.folder, work_dir, HARNESS.stem, work_dir, arguments, environment, log
    )
    if not result.is_file():
        retires = read_trace(work_dir / TRACE) if (work_dir / TRACE).is_file() else []
        raise RtlStopped(f"the RTL simulation stopped: {tools.last_lines(log)}", retires)


def _result(work_dir: Path) -> dict[str, int]:
    text = (work_dir / "result.json").read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except ValueError:
        raise CimcError(f"{work_dir}/result.json is not whole") from None
