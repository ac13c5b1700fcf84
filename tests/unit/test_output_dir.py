"""An output directory is written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cimc.backend.output_dir import check_replaceable, staged
from cimc.diagnostics import InvalidInput


def write(out: Path, text: str) -> None:
    with staged(out) as stage:
        (stage / "ir").mkdir()
        (stage / "ir" / "nn.mlir").write_text(text)


def only_entry(folder: Path) -> str:
    (entry,) = folder.iterdir()
    return entry.name


def test_writes_and_replaces(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    write(out, "one")
    write(out, "two")
    assert (out / "ir" / "nn.mlir").read_text() == "two"
    assert list(json.loads((out / "manifest.json").read_text())["files"]) == ["ir/nn.mlir"]
    assert only_entry(out.parent) == "out"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_failure_keeps_the_earlier_output(tmp_path: Path, error: type[BaseException]) -> None:
    out = tmp_path / "out"
    write(out, "good")

    def fail() -> None:
        with staged(out) as stage:
            (stage / "half").write_text("x")
            raise error

    with pytest.raises(error):
        fail()
    assert (out / "ir" / "nn.mlir").read_text() == "good"
    assert not (out / "half").exists()
    assert only_entry(tmp_path) == "out"


def test_failure_leaves_nothing_new(tmp_path: Path) -> None:
    def fail() -> None:
        with staged(tmp_path / "out"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_failed_rename_puts_the_earlier_output_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write(out, "good")
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if target == out and self.parent == tmp_path:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(out, "new")
    assert (out / "ir" / "nn.mlir").read_text() == "good"
    assert only_entry(tmp_path) == "out"


def test_edited_files_and_simulation_results_may_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, "one")
    (out / "ir" / "nn.mlir").write_text("edited")
    (out / "sim_build").mkdir()
    (out / "sim_build" / "Vtop.o").write_text("x")
    write(out, "two")
    assert not (out / "sim_build").exists()


@pytest.mark.parametrize("manifest", [None, "{}", "garbage", '{"files": ["other"]}'])
def test_refuses_a_directory_that_is_not_ours(tmp_path: Path, manifest: str | None) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(InvalidInput, match=r"files that cimc did not write \(.*thesis\.tex"):
        check_replaceable(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_refuses_foreign_files_in_our_directory(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, "one")
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInput) as caught:
        write(out, "two")
    assert str(caught.value) == (
        f"{out}: holds 1 files that cimc did not write (notes.txt); "
        "move them away or choose another directory with -o"
    )


def test_an_empty_directory_is_fine(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", "one")
    assert (tmp_path / "out" / "ir" / "nn.mlir").read_text() == "one"


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidInput, match="not a directory; choose another one with -o"):
        check_replaceable(tmp_path / "file")
    with pytest.raises(InvalidInput, match=r"cannot be written \(a parent is not a directory\)"):
        check_replaceable(tmp_path / "file" / "out")


def test_full_disk_is_one_line(tmp_path: Path) -> None:
    def fill() -> None:
        with staged(tmp_path / "out"):
            raise OSError(28, "No space left on device")

    with pytest.raises(InvalidInput, match=r"cannot be written \(No space left on device\)"):
        fill()
    assert list(tmp_path.iterdir()) == []
