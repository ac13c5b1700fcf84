"""Verilator's lint with all warnings on, over the RTL of every target; exit code 1 on any."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from cimc.backend.rtl_sources import rtl_texts
from cimc.sim.cosim.tools import simulator_environment
from cimc.sim.simulator import require_tools
from cimc.targets import Target, all_targets


def lint(target: Target) -> bool:
    """Whether the core of `target` is without warnings; prints them."""
    with tempfile.TemporaryDirectory() as folder, simulator_environment("verilator"):
        texts = rtl_texts(target)
        for name, text in texts.items():
            (Path(folder) / name).write_text(text, "utf-8")
        command = [
            "verilator",
            "--lint-only",
            "-Wall",
            "--quiet-stats",
            "--top-module",
            "cimc_core",
        ]
        return subprocess.run([*command, *texts], cwd=folder).returncode == 0


def main() -> None:
    """Lint all targets."""
    require_tools("verilator")
    results = {name: lint(target) for name, target in all_targets().items()}
    for name, clean in results.items():
        print(f"{name}: {'clean' if clean else 'has warnings'}")
    sys.exit(not all(results.values()))


if __name__ == "__main__":
    main()
