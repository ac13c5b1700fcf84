"""Writes flow/: everything that OpenROAD needs to build the accelerator of a target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath

from cimc.backend.openroad import estimate as figures
from cimc.backend.openroad.estimate import estimate
from cimc.backend.openroad.floorplan import CELL_DENSITY, CHANNEL_UM, Floorplan, floorplan
from cimc.backend.openroad.lef import lef
from cimc.backend.openroad.liberty import liberty
from cimc.backend.openroad.macros import Macro, Port, macro_counts
from cimc.backend.openroad.templates import header, render
from cimc.multipliers import get as get_multiplier
from cimc.passes.machine_costs import LOGIC
from cimc.targets.base import MAGNITUDE_BITS, Target

TOP = "cimc_core"
CLOCK = "clk_i"
TEMPLATES = (
    "config.mk",
    "constraint.sdc",
    "macro_placement.tcl",
    "synth.tcl",
    "sta.tcl",
    "openroad.tcl",
    "macros.sv",
    "blackboxes.v",
    "README.md",
)


def write_flow(out: Path, target: Target, *, rtl_files: Iterable[str]) -> list[Path]:
    """Write the OpenROAD hand-over of `target` to ``out/flow`` and return the files, sorted.

    `rtl_files` are the design's SystemVerilog files, the package first, as paths relative to
    `out`; the bodies of the memory macros among them are left out, because flow/macros.sv
    takes their place. Test benches must not be among them. The same input gives the same bytes.

    Raises:
        OSError: `out` cannot be written.
    """
    folder = out / "flow"
    texts = flow_texts(target, list(rtl_files))
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in sorted(texts)]


def flow_texts(target: Target, rtl_files: Sequence[str]) -> dict[str, str]:
    """Contents of every file of flow/ by its path in there."""
    counts = macro_counts(target)
    plan = floorplan(counts, cell_area_um2(target))
    values = _values(target, rtl_files, counts, plan)
    texts = {name: render(f"{name}.j2", **values) for name in TEMPLATES}
    for macro in counts:
        texts[f"lef/{macro.name}.lef"] = lef(macro, target.name)
        texts[f"lib/{macro.name}.lib"] = liberty(macro, target.name)
    return texts


def cell_area_um2(target: Target) -> float:
    """ESTIMATE of the area of standard cells, to size the die.

    Sums of the parts' areas (queues and control; a byte of the vector unit; a requantisation lane;
    a product; the two accumulators of a lane) after Yosys with the cell areas of nangate45; within
    1 % of daism-small (333,600 um2) and 2 % of dcim-small (318,100, with `drum-k3` 313,700, with
    `openacm-log` 328,100).
    """
    g = target.geometry
    vector, requant = 20_300.0 * g.beat_bytes, 11_700.0 * g.requant_lanes
    products = sum(
        group.geometry.products_per_cycle * product_area_um2(group.multiplier)
        for group in target.groups
    )
    return 55_000.0 + vector + requant + products + 1_800.0 * g.outputs


def product_area_um2(multiplier: str | None) -> float:
    """Share of a product in row generator and adder tree, and a digital `multiplier` if it has one.

    One that is not all logic (a table) counts as an array multiplier.
    """
    if multiplier is None:
        return 1_260.0
    bits = (MAGNITUDE_BITS, MAGNITUDE_BITS)
    gates = get_multiplier(multiplier).gates(*bits) or get_multiplier(LOGIC).gates(*bits) or 0
    return 440.0 + 0.65 * gates


def instance_of(macro: Macro) -> str:
    """Name that macros.sv gives the block inside the RTL's memory module."""
    return f"u_{macro.name}"


def range_of(macro: Macro, port: Port) -> str:
    """Range of a port in the RTL module, in terms of its parameters; empty for a scalar."""
    if port.width is None:
        return ""
    stored = "Columns" if macro.wordlines > 1 else "Width"
    widths = {
        "waddr_i": "AddressBits",
        "raddr_i": "AddressBits",
        "wstrb_i": "Width/8",
        "wordlines_i": "Window",
    }
    return f"[{widths.get(port.name, stored)}-1:0] "


def _values(
    target: Target, rtl_files: Sequence[str], counts: Mapping[Macro, int], plan: Floorplan
) -> dict[str, object]:
    modules = [(key, list(group)) for key, group in groupby(counts, key=lambda m: m.module)]
    bodies = {module for module, _ in modules}
    sources = [f"../{f}" for f in rtl_files if PurePosixPath(f).stem not in bodies]
    period = 1000 / target.geometry.clock_mhz
    return {
        "header": header(target.name),
        "target": target.name,
        "geometry": target.geometry,
        "multipliers": ", ".join(target.multipliers),
        "top": TOP,
        "clock": CLOCK,
        "sources": sources,
        "macros": list(counts),
        "counts": counts,
        "modules": modules,
        "range_of": range_of,
        "instance_of": instance_of,
        "plan": plan,
        "placed": [(m, [p for p in plan.placed if p.macro == m]) for m in counts],
        "channel_um": CHANNEL_UM,
        "density": CELL_DENSITY,
        "clock_mhz": target.geometry.clock_mhz,
        "period_ns": f"{period:.3f}",
        "uncertainty_ns": f"{0.05 * period:.3f}",
        "io_share": 0.2,
        "load_ff": figures.INPUT_FF,
        "supply_v": figures.SUPPLY_V,
        "e": figures,
        "sizes": {m.name: estimate(m) for m in counts},
        "slow": [m for m in counts if estimate(m).cycle_ns > period],
        "cell_area_um2": cell_area_um2(target),
    }
