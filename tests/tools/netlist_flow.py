"""A folder as cimc writes it (RTL and flow/), and what Yosys and OpenSTA complain about in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from netlist_tools import tiny_liberty

from cimc.backend.openroad import write_flow
from cimc.targets import Target


def write_design(folder: Path, target: Target, sources: Mapping[str, str]) -> Path:
    """Write `sources` to folder/rtl, the hand-over to folder/flow, a cell library to tiny.lib."""
    (folder / "rtl").mkdir(parents=True)
    for name, text in sources.items():
        (folder / "rtl" / name).write_text(text)
    (folder / "tiny.lib").write_text(tiny_liberty())
    write_flow(folder, target, rtl_files=[f"rtl/{name}" for name in sources])
    return folder


def synthesis_faults(log: str) -> list[str]:
    """Errors, latches and warnings in a log of synth.tcl."""
    lines = re.findall(r"^.*(?:ERROR:|Warning:|Latch inferred).*$", log, re.MULTILINE)
    # abc says this of any library without delay tables.
    return [line for line in lines if "Templates are not defined" not in line]


def timing_faults(log: str) -> list[str]:
    """Unlinked cells, unconstrained or unclocked points and errors in a log of sta.tcl."""
    patterns = (
        r"^Error.*",
        r"^Warning.*",
        r".*Creating black box.*",
        r".*not found.*",
        r"^There (?:is|are) .*",
    )
    found = [line for p in patterns for line in re.findall(p, log, re.MULTILINE)]
    return sorted(set(found))
