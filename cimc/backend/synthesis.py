"""Cell counts of generated logic, by Yosys."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp

from cimc.backend.systemverilog import emit_files
from cimc.diagnostics import InvalidInput, ToolMissing


def cell_count(module: hw.HWModuleOp) -> int:
    """Cells of `module` after ``synth -flatten``: Yosys' simple gates, a multiplexer one cell.

    Raises:
        ToolMissing: Yosys is not installed.
        InvalidInput: Yosys refuses the text (of a circuit that a user brought).
    """
    if which("yosys") is None:
        raise ToolMissing("counting cells needs yosys; apt install yosys")
    name = module.sym_name.data
    with TemporaryDirectory(prefix="cimc-") as work:
        files = emit_files(ModuleOp([module.clone()]))
        for file, text in files.items():
            (Path(work) / file).write_text(text, encoding="utf-8")
        script = f"read_verilog -sv {' '.join(files)}; synth -flatten -top {name}; stat"
        command = ["yosys", "-p", script]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    found = re.findall(r"Number of cells:\s+(\d+)", done.stdout)
    if done.returncode or not found:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise InvalidInput(f"{name}: Yosys cannot synthesise it: {' '.join(last)}")
    return int(found[-1])
