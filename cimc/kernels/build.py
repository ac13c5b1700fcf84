"""Builds the compiled kernels into this checkout, for work on them: python -m cimc.kernels.build.

Needs CMake, a C++ compiler and the Python package nanobind. An installed cimc has them built.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cimc.diagnostics import ToolMissing

ROOT = Path(__file__).parents[2]
LIBRARY = f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"


def build(folder: Path, options: Sequence[str] = (), root: Path = ROOT) -> Path:
    """Build checkout `root` into `folder` with CMake `options`; returns the library's path.

    Raises:
        ToolMissing: this is no checkout, or CMake is not installed.
        CalledProcessError: a step failed; what it printed is on standard error.
    """
    if not (root / "CMakeLists.txt").is_file():
        raise ToolMissing(f"{root} is not a checkout of cimc; an installed cimc cannot be rebuilt")
    cmake = shutil.which("cmake", path=str(Path(sys.executable).parent)) or shutil.which("cmake")
    if cmake is None:
        raise ToolMissing("cmake is not installed; pip install cmake ninja nanobind")
    configure = [cmake, "-S", str(root), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release"]
    where = f"-DPython_EXECUTABLE={sys.executable}"
    subprocess.run([*configure, where, *options], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(
        [cmake, "--build", str(folder), "--parallel", "2"], check=True, stdout=subprocess.DEVNULL
    )
    return folder / LIBRARY


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="keep CMake's files there, to build faster")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        library = build(args.folder or Path(temporary))
        # A new file beside the old one, then a rename: a running process keeps the old one.
        target = Path(__file__).parent / LIBRARY
        fresh = target.with_suffix(".new")
        shutil.copyfile(library, fresh)
        fresh.rename(target)
    print(target)


if __name__ == "__main__":
    main()
