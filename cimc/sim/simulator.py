"""HDL simulators: what they need, how they are built, and the cache of built ones.

A simulator is built once for a target, its RTL and the tools; later runs take it from
$XDG_CACHE_HOME/cimc (or ~/.cache/cimc). It appears there whole or not at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from cimc.backend.rtl_sources import rtl_dir, rtl_texts
from cimc.diagnostics import CimcError, ToolMissing
from cimc.sim.cosim import tools
from cimc.sim.cosim.tools import SimulatorName
from cimc.targets import Target

_LEAST_DRAM_BYTES: Mapping[SimulatorName, int] = {"verilator": 1 << 26, "icarus": 1 << 23}
_PROGRAM: Mapping[SimulatorName, str] = {"verilator": tools.TOP, "icarus": "sim.vvp"}


@dataclass(frozen=True)
class BuiltSimulator:
    """A simulator that is ready to run: folder of its program, size of its memory model."""

    name: SimulatorName
    folder: Path
    dram_bytes: int


def built_simulator(target: Target, name: SimulatorName, image_bytes: int) -> BuiltSimulator:
    """The simulator of `target` whose memory model holds at least `image_bytes`; built if needed.

    Raises:
        ToolMissing: a program that it needs is not installed; the message names the package.
        CimcError: it does not build; the message ends with the tool's last lines.
    """
    require_tools(name)
    dram_bytes = max(_LEAST_DRAM_BYTES[name], 1 << (image_bytes - 1).bit_length())
    sources = _sources(target)
    cache = cache_dir()
    key = _key(name, sources, dram_bytes)
    folder = cache / f"{target.name}-{name}-{key}"
    with _locked(cache / f"{folder.name}.lock"):
        if not (folder / _PROGRAM[name]).is_file():
            print(
                f"cimc: building the {name} simulator of target {target.name} (once) ...",
                file=sys.stderr,
                flush=True,
            )
            _build(name, sources, dram_bytes // target.geometry.beat_bytes, folder)
    return BuiltSimulator(name, folder, dram_bytes)


def cache_dir() -> Path:
    """Folder of built simulators, made if needed.

    Raises:
        CimcError: it cannot be made.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "cimc"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CimcError(
            f"cannot make the cache folder {folder}: {error.strerror}; set XDG_CACHE_HOME"
        ) from None
    return folder


def require_tools(name: SimulatorName) -> None:
    """Check that everything simulator `name` calls is installed.

    Raises:
        ToolMissing: naming what is missing and the packages that have it.
    """
    if missing := tools.missing_tools(name):
        remedies = "; ".join(dict.fromkeys(missing.values()))
        raise ToolMissing(f"simulator {name} needs {', '.join(missing)}: {remedies}")


def _key(name: SimulatorName, sources: Mapping[str, str], dram_bytes: int) -> str:
    """Hash of everything that a built simulator depends on."""
    parts = [str(dram_bytes), version("cocotb"), sys.version, _machine()]
    if name == "verilator":
        parts += [version("verilator"), *tools.VERILATOR_ARGS, str(tools.MAKE_VARIABLES)]
    parts += [part for source in sources.items() for part in source]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _machine() -> str:
    """The processor: compiled code uses its instructions, and the cache may be shared."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _sources(target: Target) -> dict[str, str]:
    """The RTL and the test bench in reading order: text by file name."""
    bench = rtl_dir() / "tb" / f"{tools.TOP}.sv"
    return rtl_texts(target) | {bench.name: bench.read_text("utf-8")}


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold the lock file `path`; other processes that want it wait."""
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(name: SimulatorName, sources: Mapping[str, str], dram_beats: int, folder: Path) -> None:
    """Build in a folder of its own, then put the program into place as `folder`."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="build-") as scratch:
        work = Path(scratch)
        for file, text in sources.items():
            (work / file).write_text(text, encoding="utf-8")
        log = work / "build.log"
        paths = [work / file for file in sources]
        if not tools.build(name, paths, dram_beats, work / "build", log):
            raise CimcError(f"the {name} simulator does not build: {tools.last_lines(log)}")
        ready = work / "ready"
        ready.mkdir()
        shutil.move(work / "build" / _PROGRAM[name], ready)
        shutil.rmtree(folder, ignore_errors=True)
        ready.rename(folder)
