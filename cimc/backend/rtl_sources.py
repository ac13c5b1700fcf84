"""The SystemVerilog of a target: hand-written sources, and what is generated for it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from xdsl.dialects.builtin import ModuleOp

from cimc import multipliers
from cimc.backend.rtl_package import rtl_package, tool_version
from cimc.backend.systemverilog import emit_files
from cimc.diagnostics import InvalidInput, ToolMissing
from cimc.targets import Target
from cimc.targets.base import MAGNITUDE_BITS

PACKAGE = "cimc_pkg.sv"
TEMPLATE = "cimc_multiplier.sv.j2"
LANE_MULTIPLIER = "cimc_multiplier"
"""The module that a lane instantiates, with the number of its bank group."""

_PACKAGE = Path(__file__).parents[1]


def rtl_dir() -> Path:
    """The folder of the RTL: ``rtl/`` of a checkout, else the copy inside the installed package.

    Raises:
        ToolMissing: neither is there, so the installation is incomplete.
    """
    for folder in (_PACKAGE.parent / "rtl", _PACKAGE / "data" / "rtl"):
        if (folder / "cimc_core.sv").is_file():
            return folder
    raise ToolMissing("the RTL is not part of this installation; install cimc again")


def rtl_files(target: Target) -> list[Path]:
    """Hand-written sources of `target`, packages first: the common ones, and those of its array."""
    found = [*rtl_dir().glob("*.sv"), *(rtl_dir() / target.array).glob("*.sv")]
    return sorted(found, key=lambda path: (not path.stem.endswith("_pkg"), path.name))


def rtl_texts(target: Target) -> dict[str, str]:
    """Every synthesizable source of `target` by file name, in the order that tools must read.

    Raises:
        CimcError: the geometry cannot be built.
        InvalidInput: two multipliers of users, or one and the RTL, have modules of one name.
    """
    texts = {PACKAGE: rtl_package(target)} | multiplier_texts(target)
    for path in rtl_files(target):
        if texts.setdefault(path.name, text := path.read_text("utf-8")) is not text:
            raise InvalidInput(f"a multiplier has the module name {path.stem}, as the RTL has")
    return texts


def multiplier_texts(target: Target) -> dict[str, str]:
    """The multipliers that are built into `target`, and the module that chooses by bank group.

    Raises:
        InvalidInput: circuits of users share a name.
    """
    if not target.multipliers:
        return {}
    bits = MAGNITUDE_BITS
    modules = [multipliers.get(name).module(bits, bits) for name in target.multipliers]
    template = (files("cimc.backend") / "templates" / TEMPLATE).read_text("utf-8")
    environment = Environment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, autoescape=False
    )
    names = [module.sym_name.data for module in modules]
    text = environment.from_string(template).render(
        version=tool_version(), target=target.name, names=names, bits=bits
    )
    return {f"{LANE_MULTIPLIER}.sv": text} | emit_files(ModuleOp([*modules]))
