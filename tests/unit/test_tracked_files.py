"""Nothing in the repository depends on the machine it was written on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Written so that this file does not match itself.
MACHINE = re.compile(
    r"[/]work/|[.][.]/shared|[/]home/\w|[/]root/|[/]tmp/\w"
    r"|pypi[.]org|files[.]pythonhosted|registry[.]npmjs|deb[.]debian[.]org|archive[.]ubuntu"
)
"""Absolute paths of a particular machine, and hosts of package registries."""

BINARY = {".onnx", ".npz", ".npy", ".data", ".png"}


def machine_references(text: str) -> list[str]:
    """What in `text` names a machine's own paths or a registry's host."""
    return MACHINE.findall(text)


def test_no_tracked_file_names_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    found: dict[str, list[str]] = {}
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in BINARY or not path.is_file():
            continue
        if hits := machine_references(path.read_text("utf-8")):
            found[name] = hits
    assert found == {}


@pytest.mark.parametrize(
    "parts", [("", "work", "main"), ("..", "shared", "x"), ("https:", "", "pypi" + ".org")]
)
def test_planted_references_are_found(parts: tuple[str, ...]) -> None:
    assert machine_references("see " + "/".join(parts))
