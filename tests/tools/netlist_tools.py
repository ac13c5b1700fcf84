"""Yosys and OpenSTA for the tests: a tiny cell library, running the tools, reading their logs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

# Name: (area in um2 of the nangate45 cell of that name, function of Z by the inputs).
GATES = {
    "INV_X1": (0.532, "!A"),
    "BUF_X1": (0.798, "A"),
    "NAND2_X1": (0.798, "!(A & B)"),
    "NOR2_X1": (0.798, "!(A | B)"),
    "AND2_X1": (1.064, "A & B"),
    "OR2_X1": (1.064, "A | B"),
    "XOR2_X1": (1.596, "A ^ B"),
    "XNOR2_X1": (1.596, "!(A ^ B)"),
    "AOI21_X1": (1.064, "!((A & B) | C)"),
    "OAI21_X1": (1.064, "!((A | B) & C)"),
    "MUX2_X1": (1.862, "(S & B) | (!S & A)"),
    "LOGIC0_X1": (0.532, "0"),
    "LOGIC1_X1": (0.532, "1"),
}
# Name: (area, asynchronous control: pin and its Liberty attribute).
FLIP_FLOPS = {
    "DFF_X1": (4.522, None),
    "DFFR_X1": (5.320, ("RN", "clear")),
    "DFFS_X1": (5.320, ("SN", "preset")),
}

HEADER = """library(tiny) {
  delay_model : table_lookup;
  time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1uA"; leakage_power_unit : "1nW";
  pulling_resistance_unit : "1kohm"; capacitive_load_unit (1, ff);
  nom_process : 1; nom_temperature : 25; nom_voltage : 1.1;
  default_max_transition : 1;
  slew_lower_threshold_pct_fall : 20; slew_upper_threshold_pct_fall : 80;
  slew_lower_threshold_pct_rise : 20; slew_upper_threshold_pct_rise : 80;
  input_threshold_pct_fall : 50; input_threshold_pct_rise : 50;
  output_threshold_pct_fall : 50; output_threshold_pct_rise : 50;
"""


def _arc(pin: str, kind: str) -> str:
    return (
        f'      timing() {{ related_pin : "{pin}"; {kind}'
        ' cell_rise(scalar) { values ("0.02"); } cell_fall(scalar) { values ("0.02"); }'
        ' rise_transition(scalar) { values ("0.02"); } fall_transition(scalar) { values ("0.02"); }'
        " }\n"
    )


def _check(pin: str, kind: str) -> str:
    return (
        f'      timing() {{ related_pin : "{pin}"; timing_type : {kind};'
        ' rise_constraint(scalar) { values ("0.02"); } fall_constraint(scalar)'
        ' { values ("0.02"); } }\n'
    )


def _gate(name: str, area: float, function: str) -> str:
    pins = sorted(set(re.findall(r"[A-Z]", function)))
    text = f"  cell({name}) {{\n    area : {area};\n"
    for pin in pins:
        text += f"    pin({pin}) {{ direction : input; capacitance : 1; }}\n"
    text += f'    pin(Z) {{\n      direction : output; function : "{function}";\n'
    return text + "".join(_arc(pin, "") for pin in pins) + "    }\n  }\n"


def _flip_flop(name: str, area: float, control: tuple[str, str] | None) -> str:
    state = 'clocked_on : "CK"; next_state : "D";'
    if control is not None:
        state += f' {control[1]} : "!{control[0]}";'
    text = f"  cell({name}) {{\n    area : {area};\n    ff(IQ, IQN) {{ {state} }}\n"
    text += "    pin(CK) { direction : input; clock : true; capacitance : 1; }\n"
    checks = _check("CK", "setup_rising") + _check("CK", "hold_rising")
    text += f"    pin(D) {{\n      direction : input; capacitance : 1;\n{checks}    }}\n"
    arcs = _arc("CK", "timing_type : rising_edge;")
    if control is not None:
        pin, kind = control
        checks = _check("CK", "recovery_rising") + _check("CK", "removal_rising")
        text += f"    pin({pin}) {{\n      direction : input; capacitance : 1;\n{checks}    }}\n"
        sense = "positive_unate" if kind == "clear" else "negative_unate"
        arcs += _arc(pin, f"timing_type : {kind}; timing_sense : {sense};")
    for pin, function in (("Q", "IQ"), ("QN", "IQN")):
        text += (
            f'    pin({pin}) {{\n      direction : output; function : "{function}";\n{arcs}    }}\n'
        )
    return text + "  }\n"


def tiny_liberty() -> str:
    """A library of a dozen gates and three flip-flops; names are those of nangate45.

    The project ships no standard-cell library, so areas are right and all timing is made up.
    """
    gates = "".join(_gate(name, *cell) for name, cell in GATES.items())
    flip_flops = "".join(_flip_flop(name, *cell) for name, cell in FLIP_FLOPS.items())
    return HEADER + gates + flip_flops + "}\n"


def run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tool in `folder`; output and errors together in stdout."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def yosys(folder: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """Run Yosys commands in `folder`."""
    (folder / "script.ys").write_text("\n".join(commands) + "\n")
    return run(["yosys", "-s", "script.ys"], folder)
