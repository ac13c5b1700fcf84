"""The files of the output directory that need no simulator; docs/report.md lists them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cimc.backend.compiler import Compilation
from cimc.backend.listing import listing
from cimc.backend.openroad import write_flow
from cimc.backend.rtl_package import rtl_package
from cimc.backend.rtl_sources import rtl_files
from cimc.backend.systemverilog import emit_files
from cimc.passes.plan import Plan

PACKAGE = "cimc_pkg.sv"


def write_artifacts(out: Path, compilation: Compilation, report: dict[str, Any]) -> None:
    """Write IR, weights, memory image, listing, RTL, flow, plan and report to empty folder `out`.

    Raises:
        OSError: it cannot be written.
    """
    write_ir(out, compilation)
    write_image(out, compilation)
    sources = write_rtl(out, compilation)
    write_flow(out, compilation.ctx.target, rtl_files=sources)
    Plan.of(compilation.quantised).write(out / "plan.json")
    text = json.dumps(report, indent=2, allow_nan=False) + "\n"
    (out / "report.json").write_text(text, "utf-8")


def write_ir(folder: Path, compilation: Compilation) -> None:
    """Text of every stage, and beside it the weights that it refers to."""
    for stage, text in compilation.stages.items():
        (folder / f"{stage}.mlir").write_text(text, "utf-8")
    compilation.ctx.weights.save(folder / "weights")


def write_image(out: Path, compilation: Compilation) -> None:
    """``program.bin``, ``dram.bin``, their map and the listing."""
    image = compilation.image
    (out / "program.bin").write_bytes(image.dram[: image.program_bytes])
    (out / "dram.bin").write_bytes(image.dram)
    (out / "dram.map.json").write_text(json.dumps(image.memory_map(), indent=1) + "\n", "utf-8")
    (out / "listing.txt").write_text(listing(image.commands), "utf-8")


def write_rtl(out: Path, compilation: Compilation) -> list[str]:
    """``rtl/`` with its file list; returns the paths relative to `out`, in reading order.

    The multipliers' own modules, which are no part of the core, go to ``multipliers/``.
    """
    folder = out / "rtl"
    folder.mkdir()
    (folder / PACKAGE).write_text(rtl_package(compilation.ctx.target), "utf-8")
    for source in rtl_files():
        (folder / source.name).write_bytes(source.read_bytes())
    names = [PACKAGE, *(source.name for source in rtl_files())]
    (folder / "files.f").write_text("".join(f"{name}\n" for name in names), "utf-8")
    multipliers = out / "multipliers"
    multipliers.mkdir()
    for name, text in emit_files(compilation.scheduled).items():
        (multipliers / name).write_text(text, "utf-8")
    return [f"rtl/{name}" for name in names]


def systemverilog(compilation: Compilation) -> str:
    """What ``--emit=sv`` prints: the generated package and the multipliers in use."""
    modules = emit_files(compilation.scheduled).values()
    return "\n".join([rtl_package(compilation.ctx.target), *modules])
