"""The installed package is whole: RTL, templates, and the interface that is promised."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import cimc

ROOT = Path(__file__).parents[2]


def test_exported_names() -> None:
    assert sorted(cimc.__all__) == ["CompiledModel", "__version__", "compile"]
    for name in cimc.__all__:
        assert getattr(cimc, name) is not None
    with pytest.raises(AttributeError, match="module 'cimc' has no attribute 'kompile'"):
        _ = cimc.kompile  # type: ignore[attr-defined]


def built_wheel(folder: Path, **environment: str) -> set[str]:
    """Files of the wheel of this checkout, built into `folder`."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder)]
    done = subprocess.run(
        [*command, str(ROOT)], capture_output=True, text=True, env={**os.environ, **environment}
    )
    if done.returncode != 0 and "No matching distribution" in done.stderr:
        pytest.skip("the build backend cannot be downloaded")
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("cimc-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "whole")
        return set(archive.namelist())


@pytest.mark.slow
def test_wheel_contains_rtl_and_templates(tmp_path: Path) -> None:
    names = built_wheel(tmp_path)
    (metadata,) = (tmp_path / "whole").glob("*.dist-info")
    commands = (metadata / "entry_points.txt").read_text("utf-8")
    for source in (ROOT / "rtl").rglob("*.sv"):
        assert f"cimc/data/rtl/{source.relative_to(ROOT / 'rtl').as_posix()}" in names
    for template in (ROOT / "cimc").rglob("*.j2"):
        assert template.relative_to(ROOT).as_posix() in names
    assert "cimc/py.typed" in names
    assert "cimc = cimc.cli.main:main" in commands
    assert "cimc-opt = cimc.cli.opt:main" in commands
    assert not any(name.startswith(("tests/", "models/", "rtl/", "docs/")) for name in names)
    assert not any("/native/" in name for name in names)
    if shutil.which("g++"):
        assert any(name.startswith("cimc/kernels/_native.") for name in names)


@pytest.mark.slow
def test_wheel_without_a_compiler_is_whole_but_for_the_kernels(tmp_path: Path) -> None:
    names = built_wheel(tmp_path, CXX="/nowhere/c++")
    assert "cimc/data/rtl/cimc_core.sv" in names
    assert "cimc/kernels/native.py" in names
    assert not any(name.startswith("cimc/kernels/_native.") for name in names)
    command = "from cimc.kernels import native; print(*native.available())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "whole")},
    )
    assert done.stdout.split() == ["numpy"], done.stderr
