"""The output directory: written whole or not at all.

Everything goes to a hidden sibling first; one rename puts it in place. Until then an earlier
output stays as it was, and on any exception or interrupt the sibling is removed. A manifest lists
what was written, so that a directory with anything else in it is never replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cimc.diagnostics import InvalidInput

MANIFEST = "manifest.json"

BY_PRODUCTS = {"sim_build", "__pycache__", "results.xml", ".pytest_cache"}
"""What running the cocotb test inside an output directory leaves there."""


def check_replaceable(out: Path) -> None:
    """Make sure, before any work, that `out` can be written.

    Nothing is created.

    Raises:
        InvalidInput: it is a file, holds anything that cimc did not write, or cannot be created.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InvalidInput(f"{out}: not a directory; choose another one with -o")
    if out.is_dir():
        foreign = _foreign_files(out)
        if foreign:
            shown = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
            raise InvalidInput(
                f"{out}: holds {len(foreign)} files that cimc did not write ({shown}); "
                "move them away or choose another directory with -o"
            )
    with _writable(out):
        existing = next(folder for folder in out.absolute().parents if folder.exists())
        if not existing.is_dir():
            raise FileExistsError
        with tempfile.TemporaryFile(dir=existing):
            pass


@contextmanager
def staged(out: Path) -> Generator[Path, None, None]:
    """An empty directory to write to; it becomes `out` when the block ends without exception.

    Raises:
        InvalidInput: `out` cannot be written (see `check_replaceable`), or the disk is full.
    """
    check_replaceable(out)
    with _writable(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        with _writable(out):
            yield stage
            _write_manifest(stage)
            stage.chmod(0o777 & ~_umask())
            _swap(stage, out)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def _writable(out: Path) -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        blocked = isinstance(error, FileExistsError)
        reason = "a parent is not a directory" if blocked else error.strerror or str(error)
        raise InvalidInput(
            f"{out}: cannot be written ({reason}); choose another directory with -o"
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _swap(stage: Path, out: Path) -> None:
    """Rename `stage` to `out`; an earlier `out` is put back if that fails."""
    if not out.exists():
        stage.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
    try:
        out.rename(old / out.name)
        stage.rename(out)
    except BaseException:
        if not out.exists():
            (old / out.name).rename(out)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _files(folder: Path) -> list[str]:
    """Relative names of all files below `folder`, sorted."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
    )


def _write_manifest(folder: Path) -> None:
    digests = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in _files(folder)
    }
    (folder / MANIFEST).write_text(json.dumps({"cimc": 1, "files": digests}, indent=1) + "\n")


def _foreign_files(folder: Path) -> list[str]:
    """Files below `folder` that its manifest does not list; edited ones do not count."""
    present = [name for name in _files(folder) if not BY_PRODUCTS.intersection(name.split("/"))]
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        known = {MANIFEST, *manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        known = set[str]()
    return [name for name in present if name not in known]
