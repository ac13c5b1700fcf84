"""Runs the `.mlir` tests of this folder through lit, one pytest case a file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = sorted(path.relative_to(HERE).as_posix() for path in HERE.rglob("*.mlir"))


def run_lit(folder: Path, report: Path) -> dict[str, dict[str, str]]:
    """Result of each test below `folder`, by its path there."""
    start = [sys.executable, "-c", "from lit.main import main; main()"]
    command = [*start, "-q", "-j2", "-o", str(report), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert report.exists(), done.stdout + done.stderr
    tests = json.loads(report.read_text())["tests"]
    return {test["name"].rpartition(" :: ")[2].removeprefix("filecheck/"): test for test in tests}


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    return run_lit(HERE, tmp_path_factory.mktemp("lit") / "report.json")


@pytest.mark.parametrize("name", FILES)
def test_filecheck(name: str, results: dict[str, dict[str, str]]) -> None:
    assert results[name]["code"] == "PASS", results[name]["output"]


PLANTED = """\
// RUN: cimc-opt %s | filecheck %s
// CHECK: something.else
func.func @f() { func.return }
"""

CONFIG = """\
lit_config.load_config(config, {shared!r})
config.test_source_root = config.test_exec_root = {folder!r}
"""


def test_a_wrong_expectation_fails(tmp_path: Path) -> None:
    (tmp_path / "planted.mlir").write_text(PLANTED)
    shared = str(HERE.parent / "lit.cfg")
    (tmp_path / "lit.cfg").write_text(CONFIG.format(shared=shared, folder=str(tmp_path)))
    found = run_lit(tmp_path, tmp_path / "report.json")
    assert [test["code"] for test in found.values()] == ["FAIL"]
    assert "something.else" in found["planted.mlir"]["output"]
