"""Imports go one way: diagnostics first, the command line last."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LEVELS = (
    {"diagnostics"},
    {"quant", "weights"},
    {"targets", "dialects.bit"},
    {"interp.bit"},
    {"multipliers"},
    {"dialects"},
    {"kernels", "cost"},
    {"interp"},
    {"frontend"},
    {"passes"},
    {"backend"},
    {"sim"},
    {"api"},
    {"onnx_backend"},
    {"cli"},
)
"""A file imports from its own part of the package and from levels before its own.

A multiplier is a module of the bit level, so that dialect and its interpreter come before it.
"""

LEVEL_OF = {part: level for level, parts in enumerate(LEVELS) for part in parts}


def part_of(module: str) -> str:
    """The part that dotted `module` belongs to: ``dialects.bit.RowOp`` to ``dialects.bit``."""
    words = module.split(".")
    two = ".".join(words[:2])
    return two if two in LEVEL_OF else words[0]


def imported_modules(source: str) -> Iterator[tuple[int, str]]:
    """Line and part of cimc of every import in `source`, at any depth."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), level=0, names=names):
                modules = [f"{module}.{alias.name}" for alias in names]
            case ast.ImportFrom(level=level) if level > 0:
                yield node.lineno, "(relative)"
                continue
            case _:
                continue
        for module in modules:
            top, _, rest = module.partition(".")
            if top == "cimc" and rest:
                yield node.lineno, part_of(rest)


ALONE = "sim/cosim/"
"""A copy of this folder runs without cimc: it imports only itself, relatively."""


def violations(path: str, source: str) -> list[str]:
    """Imports of file `path` (relative to cimc/) that go against the order."""
    if path.startswith(ALONE):
        return [
            f"cimc/{path}:{line}: {ALONE} must not import cimc.{name}"
            for line, name in imported_modules(source)
            if name != "(relative)"
        ]
    part = part_of(".".join(Path(path).with_suffix("").parts))
    if part == "__init__":
        allowed = {"api", "diagnostics"}
    else:
        below = (p for p, level in LEVEL_OF.items() if level < LEVEL_OF[part])
        allowed = {part, "__version__", *below}
    return [
        f"cimc/{path}:{line}: {part} must not import {name}"
        for line, name in imported_modules(source)
        if name not in allowed
    ]


def test_every_part_has_a_level() -> None:
    parts = {p.name.removesuffix(".py") for p in (ROOT / "cimc").iterdir()}
    assert parts - {"__init__", "__pycache__", "py.typed", "data"} <= set(LEVEL_OF)


def test_imports_go_one_way() -> None:
    package = ROOT / "cimc"
    found = [
        problem
        for path in sorted(package.rglob("*.py"))
        for problem in violations(str(path.relative_to(package)), path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        (
            "passes/tile.py",
            "def f():\n    from cimc.backend import image\n",
            ["cimc/passes/tile.py:2: passes must not import backend"],
        ),
        (
            "quant.py",
            "import cimc.cost.cycles\n",
            ["cimc/quant.py:1: quant must not import cost"],
        ),
        ("sim/x.py", "from cimc import cli\n", ["cimc/sim/x.py:1: sim must not import cli"]),
        (
            "interp/nn.py",
            "from .helpers import f\n",
            ["cimc/interp/nn.py:1: interp must not import (relative)"],
        ),
        ("interp/nn.py", "from cimc.kernels import approx_matmul\nimport numpy\n", []),
        (
            "sim/cosim/files.py",
            "from .tools import run\nfrom cimc.quant import quantise\n",
            ["cimc/sim/cosim/files.py:2: sim/cosim/ must not import cimc.quant"],
        ),
    ],
)
def test_planted_imports_are_judged(path: str, source: str, expected: list[str]) -> None:
    assert violations(path, source) == expected
