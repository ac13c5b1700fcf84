"""Where the hand-written SystemVerilog is, and the order in which tools must read it."""

from __future__ import annotations

from pathlib import Path

from cimc.diagnostics import ToolMissing

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


def rtl_files() -> list[Path]:
    """Synthesizable sources, packages first; the generated cimc_pkg.sv comes before all of them."""
    return sorted(
        rtl_dir().glob("*.sv"), key=lambda path: (not path.stem.endswith("_pkg"), path.name)
    )
