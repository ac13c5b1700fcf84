"""The compiled kernels under AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cimc.kernels import native
from cimc.kernels.build import LIBRARY, build

ROOT = Path(__file__).parents[2]
PRODUCT = """
import numpy as np
from cimc.kernels import Operand, TableProduct
from cimc.kernels.operand import alphabet

table = np.arange(1 << 15, dtype=np.uint32).reshape(128, 256)
codes = np.full((300, 300), 7, np.uint8)
print(TableProduct(table)(Operand(codes, alphabet(0)), Operand(codes, alphabet(-8))).sum())
"""


def run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the sanitised package of `folder`."""
    preloaded = [
        subprocess.run(
            ["g++", f"-print-file-name={name}.so"], capture_output=True, text=True
        ).stdout.strip()
        for name in ("libasan", "libstdc++")
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "LD_PRELOAD": " ".join(preloaded),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python keeps memory at exit
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-P", *command],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
    )


def sanitised(folder: Path, file: str = "row_gather.h", old: str = "", new: str = "") -> Path:
    """A copy of the package with kernels that check themselves, `old` in `file` made `new`."""
    for name in ("nanobind", "cmake"):
        if importlib.util.find_spec(name) is None and shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    shutil.copytree(ROOT / "cimc", folder / "cimc", ignore=shutil.ignore_patterns("_native.*"))
    shutil.copyfile(ROOT / "CMakeLists.txt", folder / "CMakeLists.txt")
    source = folder / "cimc" / "kernels" / "native" / file
    text = source.read_text("utf-8")
    assert old in text
    source.write_text(text.replace(old, new) if old else text, "utf-8")
    library = build(folder / "build", ["-DCIMC_SANITIZE=ON"], folder)
    shutil.copyfile(library, folder / "cimc" / "kernels" / LIBRARY)
    return folder


@pytest.mark.slow
def test_no_invalid_access_or_undefined_behaviour(tmp_path: Path) -> None:
    tests = [str(ROOT / "tests" / "unit" / f"test_compiled_{n}.py") for n in ("kernels", "layers")]
    command = [
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-c",
        str(ROOT / "pyproject.toml"),
    ]
    folder = sanitised(tmp_path)
    chosen = "compiled_equals or blocks or longest or layers_equal or meet"
    done = run([*command, "-k", chosen, *tests], folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kernels", "file", "size", "less"),
    [
        ("portable", "row_gather.h", "workspace.get(total)", "workspace.get(total / 2)"),
        ("avx512vbmi", "lanes_pairs.h", "columns * 4 + all * 4", "columns * 4"),
    ],
)
def test_a_planted_overrun_is_found(
    kernels: str, file: str, size: str, less: str, tmp_path: Path
) -> None:
    if kernels not in native.available():
        pytest.skip(f"{kernels} cannot run")
    folder = sanitised(tmp_path, file, size, less)
    found = run(["-c", PRODUCT], folder, CIMC_KERNELS=kernels).stderr
    assert "heap-buffer-overflow" in found
