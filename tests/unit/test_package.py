"""The installed package is whole: RTL, templates, and the interface that is promised."""

from __future__ import annotations

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


@pytest.mark.slow
def test_wheel_contains_rtl_and_templates(tmp_path: Path) -> None:
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    done = subprocess.run(build, capture_output=True, text=True)
    if done.returncode != 0 and "No matching distribution" in done.stderr:
        pytest.skip("the build backend cannot be downloaded")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("cimc-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = next(n for n in names if n.endswith("entry_points.txt"))
        commands = archive.read(entry_points).decode()
    for source in (ROOT / "rtl").rglob("*.sv"):
        assert f"cimc/data/rtl/{source.relative_to(ROOT / 'rtl').as_posix()}" in names
    for template in (ROOT / "cimc").rglob("*.j2"):
        assert template.relative_to(ROOT).as_posix() in names
    assert "cimc/py.typed" in names
    assert "cimc = cimc.cli.main:main" in commands
    assert "cimc-opt = cimc.cli.opt:main" in commands
    assert not any(name.startswith(("tests/", "models/")) for name in names)
