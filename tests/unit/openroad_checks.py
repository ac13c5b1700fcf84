"""Readers and checkers for the files of the OpenROAD hand-over; each returns a list of faults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parents[1] / "fixtures" / "openroad"

# Position of the script arguments of Tcl's own commands that the scripts may use.
TCL_BODIES: dict[str, tuple[int, ...]] = {"foreach": (-1,), "proc": (-1,), "while": (-1,)}
TCL_CORE = {
    "error", "expr", "file", "foreach", "if", "info", "join", "lappend", "list", "llength",
    "lsearch", "lsort", "proc", "puts", "return", "set", "source", "string", "while",
}  # fmt: skip


@cache
def fixture(name: str) -> dict[str, Any]:
    """A table of tests/fixtures/openroad without its source note."""
    return {k: v for k, v in json.loads((FIXTURES / name).read_text()).items() if k != "_source"}


def _matching(text: str, at: int, opening: str, closing: str) -> int:
    """Index after the bracket that closes the one at `at`."""
    depth = 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == opening:
            depth += 1
        elif char == closing:
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    raise ValueError(f"unbalanced {opening} in Tcl")


def _word_end(text: str, at: int) -> int:
    if text[at] == "{":
        return _matching(text, at, "{", "}")
    if text[at] == '"':
        end = at + 1
        while text[end] != '"':
            end += 2 if text[end] == "\\" else 1
        return end + 1
    while at < len(text) and not text[at].isspace() and text[at] != ";":
        at = _matching(text, at, "[", "]") if text[at] == "[" else at + 1
    return at


def tcl_commands(script: str) -> Iterator[list[str]]:
    """Commands of a script as lists of raw words; comments and line continuations removed."""
    text = script.replace("\\\n", " ")
    at, words = 0, list[str]()
    while at < len(text):
        char = text[at]
        if char in "\n;":
            if words:
                yield words
            words, at = [], at + 1
        elif char.isspace():
            at += 1
        elif char == "#" and not words:
            at = text.find("\n", at) if "\n" in text[at:] else len(text)
        else:
            end = _word_end(text, at)
            words.append(text[at:end])
            at = end
    if words:
        yield words


def _nested(words: list[str]) -> Iterator[str]:
    """Scripts inside a command: bodies of control structures and [command] substitutions."""
    bodies = TCL_BODIES.get(words[0], ())
    if words[0] == "if":
        bodies = tuple(i for i in range(2, len(words)) if words[i].startswith("{"))
    body_words = {words[i] for i in bodies}
    yield from (word[1:-1] for word in body_words)
    for word in words:
        # Braces stop substitution, except in conditions and expressions.
        if word in body_words or (word.startswith("{") and words[0] not in {"if", "expr", "while"}):
            continue
        at = word.find("[")
        while at >= 0:
            end = _matching(word, at, "[", "]")
            yield word[at + 1 : end - 1]
            at = word.find("[", end)


def _option_faults(words: list[str], command: Mapping[str, Any]) -> Iterator[str]:
    known = [*command["keys"], *command["flags"]]
    skip = False
    for word in words[1:]:
        if skip:
            skip = False
            continue
        if not re.match(r"-[A-Za-z]", word):
            continue
        found = [word] if word in known else [k for k in known if k.startswith(word)]
        if len(found) != 1:
            yield f"{words[0]}: unknown option {word}"
        skip = bool(found) and found[0] in command["keys"]


def tcl_faults(script: str) -> list[str]:
    """Commands and options that neither Tcl nor OpenROAD/OpenSTA has."""
    commands = fixture("commands.json")
    faults: list[str] = []
    own = set(re.findall(r"^proc (\w+)", script, re.MULTILINE))

    def visit(text: str) -> None:
        for words in tcl_commands(text):
            if words[0] in commands and words[0] != "source":
                faults.extend(_option_faults(words, commands[words[0]]))
            elif words[0] not in TCL_CORE | own:
                faults.append(f"unknown command {words[0]}")
            for inner in _nested(words):
                visit(inner)

    visit(script)
    return faults


FLOORPLANS = ("DIE_AREA", "CORE_UTILIZATION", "FLOORPLAN_DEF", "FOOTPRINT")


def config_variables(text: str) -> dict[str, str]:
    """Exported variables of a config.mk."""
    joined = text.replace("\\\n", " ")
    found = re.findall(r"^export\s+(\w+)\s*[?:]?=\s*(.*)$", joined, re.MULTILINE)
    return {name: " ".join(value.split()) for name, value in found}


def config_faults(text: str) -> list[str]:
    """Variables that OpenROAD-flow-scripts does not have, or lacks, or that exclude each other."""
    table, variables = fixture("variables.json"), config_variables(text)
    faults = [f"unknown variable {name}" for name in variables if name not in table]
    required = [name for name, entry in table.items() if entry.get("required")]
    faults += [f"missing variable {name}" for name in required if name not in variables]
    plans = [name for name in FLOORPLANS if name in variables]
    if len(plans) != 1:
        faults.append(f"floorplan must be given one way, not {plans}")
    return faults


def lef_pins(text: str) -> dict[str, str]:
    """Direction of every pin of a LEF file by name, lower case."""
    found = re.findall(r"^  PIN (\S+)\n    DIRECTION (\w+) ;", text, re.MULTILINE)
    ends = re.findall(r"^  END (\S+)$", text, re.MULTILINE)
    if [name for name, _ in found] != ends:
        raise ValueError("LEF: PIN and END do not match")
    return {name: direction.lower() for name, direction in found}


def lef_rects(text: str) -> dict[str, list[tuple[str, tuple[float, ...]]]]:
    """(layer, rectangle) lists by pin name; obstructions under ``OBS``."""
    rects: dict[str, list[tuple[str, tuple[float, ...]]]] = {}
    owner = layer = ""
    for line in text.splitlines():
        match line.split():
            case ["PIN", name]:
                owner = name
            case ["OBS"]:
                owner = "OBS"
            case ["LAYER", name, ";"]:
                layer = name
            case ["RECT", *corners, ";"]:
                rects.setdefault(owner, []).append((layer, tuple(map(float, corners))))
            case _:
                pass
    return rects


def lef_size(text: str) -> tuple[float, float]:
    """Width and height of the only macro."""
    match = re.search(r"SIZE (\S+) BY (\S+) ;", text)
    assert match is not None
    return float(match[1]), float(match[2])


def liberty_pins(text: str) -> dict[str, str]:
    """Direction of every pin of a Liberty cell by name, buses bit by bit; supplies are inout."""
    widths = {
        name: int(width)
        for name, width in re.findall(r"type \((\w+)\) \{[^}]*?bit_width : (\d+);", text)
    }
    pins: dict[str, str] = {}
    group = re.compile(r"^    (pin|bus|pg_pin)\((\w+)\) \{(.*?)^    \}", re.MULTILINE | re.DOTALL)
    for kind, name, body in group.findall(text):
        if kind == "pg_pin":
            pins[name] = "inout"
            continue
        direction = re.search(r"direction : (\w+);", body)
        assert direction is not None, name
        bus = re.search(r"bus_type : (\w+);", body)
        bits = [name] if bus is None else [f"{name}[{i}]" for i in range(widths[bus[1]])]
        pins.update(dict.fromkeys(bits, direction[1]))
    return pins
