"""Macros of the OpenROAD hand-over against the RTL: pins, sizes, number and placement."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from netlist_flow import timing_faults, write_design
from netlist_tools import run, yosys
from openroad_checks import lef_pins, liberty_pins

from cimc.backend.openroad import flow_texts
from cimc.backend.openroad.flow import instance_of
from cimc.backend.openroad.macros import Macro, Port, macro_counts
from cimc.backend.rtl_sources import rtl_texts
from cimc.targets import Geometry, Target, get

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(shutil.which("yosys") is None, reason="yosys is not installed"),
]


# The other way round where the RTL has two cases: one cluster, parameters of a group in many beats,
# and memories of different units that happen to have one size.
ODD = Target(
    name="odd",
    description="",
    geometry=Geometry(
        reduction_banks=4,
        clusters=1,
        bank_rows=32,
        lanes=4,
        wordline_window=12,
        activation_bytes=1 << 12,
        psum_entries=32,
        step_entries=32,
        requant_lanes=4,
        block_commands=16,
    ),
    default_multiplier="exact",
)


SHIPPED = [get(name) for name in ("daism", "daism-small", "dcim-small")]


@pytest.fixture(scope="module", params=[*SHIPPED, ODD], ids=lambda t: t.name)
def target(request: pytest.FixtureRequest) -> Target:
    return request.param


def rtl_pins(folder: Path, sources: dict[str, str], macro: Macro) -> dict[str, str]:
    """Direction by pin of the RTL module that `macro` stands for, as Yosys elaborates it."""
    for name in ("cimc_pkg.sv", f"{macro.module}.sv"):
        (folder / name).write_text(sources[name])
    values = " ".join(f"-set {name} {value}" for name, value in macro.parameters)
    done = yosys(
        folder,
        f"read_verilog -sv cimc_pkg.sv {macro.module}.sv",
        f"chparam {values} {macro.module}",
        f"blackbox {macro.module}",
        "write_json pins.json",
    )
    assert done.returncode == 0, done.stdout
    module = json.loads((folder / "pins.json").read_text())["modules"][macro.module]
    pins: dict[str, str] = {}
    for name, port in module["ports"].items():
        width = None if len(port["bits"]) == 1 else len(port["bits"])
        pins.update(dict.fromkeys(Port(name, port["direction"], width).pins, port["direction"]))
    return pins


def test_abstracts_have_the_pins_of_the_rtl(target: Target, tmp_path: Path) -> None:
    sources, texts = rtl_texts(target), flow_texts(target, [])
    supplies = {"VDD": "inout", "VSS": "inout"}
    for macro in macro_counts(target):
        expected = rtl_pins(tmp_path, sources, macro) | supplies
        assert lef_pins(texts[f"lef/{macro.name}.lef"]) == expected, macro.name
        assert liberty_pins(texts[f"lib/{macro.name}.lib"]) == expected, macro.name


def test_renamed_pin_of_the_rtl_is_found(tmp_path: Path) -> None:
    target = get("daism-small")
    sources, texts = rtl_texts(target), flow_texts(target, [])
    sources["cimc_bank.sv"] = sources["cimc_bank.sv"].replace("wordlines_i", "lines_i")
    bank = next(m for m in macro_counts(target) if m.module == "cimc_bank")
    pins = rtl_pins(tmp_path, sources, bank)
    assert set(lef_pins(texts[f"lef/{bank.name}.lef"])) - set(pins) == {
        "VDD",
        "VSS",
        *(f"wordlines_i[{i}]" for i in range(20)),
    }


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory, target: Target) -> Path:
    """A folder as cimc writes it, and NAME.cells there: the copies of each macro, flat names.

    The RTL is read the way OpenROAD-flow-scripts does: deferred, macros from Liberty.
    """
    macros, sources = macro_counts(target), rtl_texts(target)
    folder = write_design(tmp_path_factory.mktemp(target.name) / "out", target, sources)
    bodies = {f"{m.module}.sv" for m in macros}
    files = [f"rtl/{name}" for name in sources if name not in bodies]
    done = yosys(
        folder,
        *(f"read_verilog -defer -sv {file}" for file in [*files, "flow/macros.sv"]),
        *(f"read_liberty -lib flow/lib/{m.name}.lib" for m in macros),
        "hierarchy -check -top cimc_core",
        "flatten",
        *(f"tee -q -o {m.name}.cells select -list t:{m.name}" for m in macros),
    )
    assert done.returncode == 0, done.stdout
    return folder


def copies(design: Path, macro: Macro) -> list[str]:
    """Flat instance names of `macro` in the design."""
    lines = (design / f"{macro.name}.cells").read_text().splitlines()
    return [line.removeprefix("cimc_core/") for line in lines]


def test_number_of_macros_is_that_of_the_rtl(design: Path, target: Target) -> None:
    counts = macro_counts(target)
    assert {m: len(copies(design, m)) for m in counts} == counts


def place(design: Path, cells: dict[Macro, list[str]]) -> tuple[dict[str, str], str]:
    """What flow/macro_placement.tcl places in a netlist of `cells`, and OpenSTA's log."""
    body = "".join(f"  {m.name} \\{name} ();\n" for m in cells for name in cells[m])
    (design / "cells.v").write_text(f"module cimc_core ();\n{body}endmodule\n")
    libraries = "".join(f"read_liberty flow/lib/{m.name}.lib\n" for m in cells)
    (design / "place.tcl").write_text(
        f"{libraries}read_verilog cells.v\nlink_design cimc_core\n"
        "proc place_macro {args} {\n"
        '  puts "PLACE [dict get $args -macro_name] [dict get $args -location]"\n}\n'
        "source flow/macro_placement.tcl\n"
    )
    log = run(["sta", "-no_splash", "-exit", "place.tcl"], design).stdout
    return dict(re.findall(r"^PLACE (\S+) (.+)$", log, re.MULTILINE)), log


@pytest.mark.skipif(shutil.which("sta") is None, reason="sta (opensta) is not installed")
def test_every_macro_is_placed_once(design: Path, target: Target) -> None:
    counts = macro_counts(target)
    cells = {m: copies(design, m) for m in counts}
    places, log = place(design, cells)
    assert timing_faults(log) == []
    assert set(places) == {name for names in cells.values() for name in names}
    assert len(set(places.values())) == len(places)
    one_less = {m: names[1:] for m, names in cells.items()}
    assert "expected" in place(design, one_less)[1]


@pytest.mark.skipif(shutil.which("sta") is None, reason="sta (opensta) is not installed")
def test_hierarchical_names_are_found_too(design: Path, target: Target) -> None:
    counts = macro_counts(target)
    modules = "".join(
        f"module wrap_{m.name} (); {m.name} {instance_of(m)} (); endmodule\n" for m in counts
    )
    body = "".join(
        f"  wrap_{m.name} \\gen[{i}].{m.name}  ();\n" for m in counts for i in range(counts[m])
    )
    (design / "cells.v").write_text(f"{modules}module cimc_core ();\n{body}endmodule\n")
    log = run(["sta", "-no_splash", "-exit", "place.tcl"], design).stdout
    assert log.count("PLACE") == sum(counts.values())
