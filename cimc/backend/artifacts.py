"""The files of the output directory that need no simulator; docs/report.md lists them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cimc.backend.compiler import Compilation, HostPart, Network, print_module
from cimc.backend.listing import listing
from cimc.backend.openroad import write_flow
from cimc.backend.rtl_package import rtl_package
from cimc.backend.rtl_sources import rtl_texts
from cimc.backend.systemverilog import emit_files
from cimc.dialects.nn import HostOp
from cimc.interp.nn import end_names, main_function
from cimc.passes.plan import Plan
from cimc.targets import Target


def write_artifacts(out: Path, network: Network, report: dict[str, Any]) -> None:
    """Write IR, weights, memory image, listing, RTL, flow, plan and report to empty folder `out`.

    A network of several parts has a folder for each (`part_folders`), with what belongs to it.

    Raises:
        OSError: it cannot be written.
    """
    for stage, text in network.stages.items():
        (out / f"{stage}.mlir").write_text(text, "utf-8")
    network.ctx.weights.save(out / "weights")
    for part, folder in zip(network.parts, part_folders(out, network), strict=True):
        folder.mkdir(exist_ok=True)
        if isinstance(part, Compilation):
            write_program(folder, part)
            if folder != out:  # its own test wants the RTL beside it
                write_rtl(folder, network.ctx.target)
        else:
            write_host(folder, part)
    sources = write_rtl(out, network.ctx.target)
    write_multipliers(out, network)
    write_flow(out, network.ctx.target, rtl_files=sources)
    Plan.of(network.quantised).write(out / "plan.json")
    text = json.dumps(report, indent=2, allow_nan=False) + "\n"
    (out / "report.json").write_text(text, "utf-8")
    if len(network.parts) != 1:
        (out / "parts.json").write_text(json.dumps(parts_index(network), indent=1) + "\n", "utf-8")


def part_folders(out: Path, network: Network) -> list[Path]:
    """Folder of each part: `out` itself when there is one, else ``0-machine``, ``1-host``, ..."""
    if len(network.parts) == 1 and network.programs:
        return [out]
    kinds = ["machine" if isinstance(part, Compilation) else "host" for part in network.parts]
    return [out / f"{number}-{kind}" for number, kind in enumerate(kinds)]


def parts_index(network: Network) -> dict[str, Any]:
    """``parts.json``: in what order parts run, and which tensors they hand each other."""
    folders = part_folders(Path(), network)
    return {
        "parts": [
            {
                "folder": folder.name,
                "inputs": end_names(main_function(part.quantised), "arg_names"),
                "outputs": end_names(main_function(part.quantised), "res_names"),
            }
            for part, folder in zip(network.parts, folders, strict=True)
        ],
        "outputs": network.outputs,
    }


def write_program(folder: Path, part: Compilation) -> None:
    """IR behind quantisation, memory image and listing of what runs on the machine."""
    for stage, text in part.stages.items():
        (folder / f"{stage}.mlir").write_text(text, "utf-8")
    write_image(folder, part)


def write_host(folder: Path, part: HostPart) -> None:
    """IR of a part on the host, and the ONNX models that it runs, by operation."""
    (folder / "nn.mlir").write_text(print_module(part.quantised), "utf-8")
    for number, op in enumerate(part.operations):
        if isinstance(op, HostOp):
            model = part.weights.get(op.model.key.data).tobytes()
            (folder / f"{number}.onnx").write_bytes(model)


def write_image(out: Path, part: Compilation) -> None:
    """``program.bin``, ``dram.bin``, their map and the listing."""
    image = part.image
    (out / "program.bin").write_bytes(image.dram[: image.program_bytes])
    (out / "dram.bin").write_bytes(image.dram)
    (out / "dram.map.json").write_text(json.dumps(image.memory_map(), indent=1) + "\n", "utf-8")
    (out / "listing.txt").write_text(listing(image.commands), "utf-8")


def write_rtl(out: Path, target: Target) -> list[str]:
    """``rtl/`` with its file list; returns the paths relative to `out`, in reading order."""
    folder = out / "rtl"
    folder.mkdir()
    texts = rtl_texts(target)
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    (folder / "files.f").write_text("".join(f"{name}\n" for name in texts), "utf-8")
    return [f"rtl/{name}" for name in texts]


def write_multipliers(out: Path, network: Network) -> None:
    """``multipliers/``: the multipliers' own modules, which are no part of the core."""
    folder = out / "multipliers"
    folder.mkdir()
    for name, text in multiplier_files(network).items():
        (folder / name).write_text(text, "utf-8")


def multiplier_files(network: Network) -> dict[str, str]:
    """SystemVerilog of every multiplier in use, by file name."""
    programs = [emit_files(program.scheduled) for program in network.programs]
    return {name: text for files in programs for name, text in files.items()}


def systemverilog(network: Network) -> str:
    """What ``--emit=sv`` prints: the generated package and the multipliers in use."""
    return "\n".join([rtl_package(network.ctx.target), *multiplier_files(network).values()])
