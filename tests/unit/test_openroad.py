"""The OpenROAD hand-over: what can be checked without a tool, and the checkers themselves."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
from openroad_checks import (
    config_faults,
    config_variables,
    fixture,
    lef_pins,
    lef_rects,
    lef_size,
    liberty_pins,
    tcl_faults,
)

from cimc.backend.openroad import flow_texts, write_flow
from cimc.backend.openroad.estimate import (
    PIN_PITCH_UM,
    ROW_UM,
    SITE_UM,
    access_fj,
    access_ns,
    array_area_um2,
    estimate,
    leakage_nw,
)
from cimc.backend.openroad.floorplan import CELL_DENSITY, CHANNEL_UM, floorplan
from cimc.backend.openroad.flow import cell_area_um2
from cimc.backend.openroad.macros import macro_counts
from cimc.multipliers import get as get_multiplier
from cimc.targets import get

TARGETS = ("daism", "daism-small", "dcim")
RTL = ("rtl/cimc_pkg.sv", "rtl/cimc_bank.sv", "rtl/cimc_core.sv")
OPENROAD_SCRIPTS = ("openroad.tcl", "macro_placement.tcl", "constraint.sdc", "sta.tcl")


@pytest.fixture(scope="module", params=TARGETS)
def target_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def texts(target_name: str) -> dict[str, str]:
    return flow_texts(get(target_name), RTL)


def test_flow_is_written_whole_and_deterministic(tmp_path: Path, texts: dict[str, str]) -> None:
    for name in ("a", "b"):
        written = write_flow(tmp_path / name, get("daism-small"), rtl_files=RTL)
        assert written == sorted(written)
        assert {p for p in (tmp_path / name).rglob("*") if p.is_file()} == set(written)
    for path in (tmp_path / "a").rglob("*.*"):
        twin = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == twin.read_bytes()


@pytest.mark.parametrize("script", OPENROAD_SCRIPTS)
def test_scripts_use_known_commands_and_options(texts: dict[str, str], script: str) -> None:
    assert tcl_faults(texts[script]) == []


def test_config_uses_known_variables(texts: dict[str, str]) -> None:
    assert config_faults(texts["config.mk"]) == []


def test_config_leaves_out_bodies_of_macros(texts: dict[str, str], target_name: str) -> None:
    files = config_variables(texts["config.mk"])["VERILOG_FILES"].split()
    # A bank of dcim is an ordinary memory with logic around it.
    bank = ["cimc_bank.sv"] if get(target_name).array == "dcim" else []
    expected = ["cimc_pkg.sv", *bank, "cimc_core.sv", "macros.sv"]
    assert [f.rsplit("/", 1)[1] for f in files] == expected


def test_abstracts_have_the_same_pins_and_area(texts: dict[str, str], target_name: str) -> None:
    for macro in macro_counts(get(target_name)):
        lef, lib = texts[f"lef/{macro.name}.lef"], texts[f"lib/{macro.name}.lib"]
        expected = dict.fromkeys(macro.pins("input"), "input")
        expected |= dict.fromkeys(macro.pins("output"), "output")
        expected |= {"VDD": "inout", "VSS": "inout"}
        assert lef_pins(lef) == expected
        assert liberty_pins(lib) == expected
        width, height = lef_size(lef)
        assert f"area : {round(width * height, 3)};" in lib


def test_lef_shapes_stay_inside_and_apart(texts: dict[str, str]) -> None:
    for name, text in texts.items():
        if not name.endswith(".lef"):
            continue
        width, height = lef_size(text)
        assert math.isclose(width / SITE_UM % 1, 0, abs_tol=1e-6) or width / SITE_UM % 1 > 1 - 1e-6
        rects = lef_rects(text)
        for layer, (x0, y0, x1, y1) in itertools.chain(*rects.values()):
            assert 0 <= x0 < x1 <= width, (name, layer)
            assert 0 <= y0 < y1 <= height, (name, layer)
        assert all(rects[supply] for supply in ("VDD", "VSS"))
        for side in ({0.0}, {round(width - 0.07, 3)}):
            low = sorted(
                y0
                for pin, shapes in rects.items()
                for layer, (x0, y0, _, _) in shapes
                if layer == "metal3" and pin != "OBS" and x0 in side
            )
            gaps = {round(b - a, 3) for a, b in itertools.pairwise(low)}
            assert gaps == {PIN_PITCH_UM}
        metal4 = sorted(r for shapes in rects.values() for layer, r in shapes if layer == "metal4")
        for a, b in itertools.combinations(metal4, 2):
            assert not _overlap(a, b), name


def _overlap(a: tuple[float, ...], b: tuple[float, ...], apart: float = 0.0) -> bool:
    return (
        a[0] < b[2] + apart and b[0] < a[2] + apart and a[1] < b[3] + apart and b[1] < a[3] + apart
    )


def test_macros_are_apart_by_the_supply_pitch(target_name: str) -> None:
    counts = macro_counts(get(target_name))
    plan = floorplan(counts, cell_area_um2=2e5)
    assert len(plan.placed) == sum(counts.values())
    boxes: list[tuple[float, ...]] = []
    x0, y0, x1, y1 = plan.core
    for p in plan.placed:
        size = estimate(p.macro)
        boxes.append((p.x, p.y, p.x + size.width_um, p.y + size.height_um))
        inside = (x0 <= p.x, y0 <= p.y, boxes[-1][2] <= x1, boxes[-1][3] <= y1)
        assert all(inside)
        assert math.isclose(round(p.y / ROW_UM) * ROW_UM, p.y, abs_tol=1e-6)
        assert math.isclose(round(p.x / SITE_UM) * SITE_UM, p.x, abs_tol=1e-6)
    for a, b in itertools.combinations(boxes, 2):
        assert not _overlap(a, b, CHANNEL_UM - 1e-6)
    blocks = sum((b[2] - b[0]) * (b[3] - b[1]) for b in boxes)
    assert ((x1 - x0) * (y1 - y0) - blocks) * CELL_DENSITY >= 2e5


def test_estimates_agree_with_published_memories() -> None:
    table = fixture("fakeram45.json")
    assert table["columns"] == [
        "rows",
        "columns",
        "area_um2",
        "access_ns",
        "access_fj",
        "leakage_nw",
    ]
    for rows, columns, area, access, energy, leakage in table["memories"]:
        bits = rows * columns
        assert array_area_um2(bits, ports=1) == pytest.approx(area, rel=0.25)
        assert access_ns(bits) == pytest.approx(access, rel=0.10)
        assert access_fj(rows, columns) == pytest.approx(energy, rel=0.25)
        # Small memories leak more: the periphery's share, which the fit leaves out.
        assert leakage_nw(bits) == pytest.approx(leakage, rel=0.25 if bits >= 4096 else 0.40)


def test_readme_says_when_the_clock_cannot_close() -> None:
    assert "strobe_16384x256 needs 2.322 ns" in flow_texts(get("daism"), RTL)["README.md"]


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("macro_placement -halo {1 1}", "unknown command macro_placement"),
        ("if {$a} {\n  repair_design -verbos2\n}", "repair_design: unknown option -verbos2"),
        ("set x [get_cells -hierarchicle *]", "get_cells: unknown option -hierarchicle"),
        ("global_placement -density [fancy 1]", "unknown command fancy"),
        ("proc p {a} { detailed_rout $a }\np 1", "unknown command detailed_rout"),
        ("place_macro -macro_name a \\\n  -place {1 2}", "place_macro: unknown option -place"),
    ],
)
def test_planted_tcl_faults_are_found(script: str, fault: str) -> None:
    assert tcl_faults(script) == [fault]


def test_tcl_checker_takes_unique_prefixes_and_negative_numbers() -> None:
    assert tcl_faults("repair_timing -setup_m -0.1 -hold ;# -comment\nset a -b\n") == []


def test_planted_config_faults_are_found(texts: dict[str, str]) -> None:
    wrong = texts["config.mk"] + "export MACRO_PLACE_CHANNEL = 1 1\nexport CORE_UTILIZATION = 30\n"
    assert config_faults(wrong.replace("export SDC_FILE", "SDC_FILE")) == [
        "unknown variable MACRO_PLACE_CHANNEL",
        "missing variable SDC_FILE",
        "floorplan must be given one way, not ['DIE_AREA', 'CORE_UTILIZATION']",
    ]


def test_planted_pin_name_is_found(texts: dict[str, str]) -> None:
    name = next(n for n in texts if n.endswith(".lib"))
    wrong = texts[name].replace("bus(wdata_i)", "bus(data_i)")
    assert liberty_pins(wrong) != liberty_pins(texts[name])
    with pytest.raises(ValueError, match="PIN and END"):
        lef_pins(texts[name.replace("lib", "lef")].replace("END re_i", "END re_o"))


def test_a_larger_multiplier_in_the_lanes_needs_a_larger_die() -> None:
    small, large = (
        cell_area_um2(replace(get("dcim"), multipliers=(name,)))
        for name in ("drum-k3", "openacm-log")
    )
    lanes = get("dcim").geometry.products_per_cycle
    gates = [get_multiplier(name).gates(8, 8) or 0 for name in ("drum-k3", "openacm-log")]
    assert large - small == pytest.approx(0.65 * lanes * (gates[1] - gates[0]))
