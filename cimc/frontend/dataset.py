"""Data sets to run a model on: images with or without labels, read part by part.

- `.npz` with ``images`` (or the name of the model's input) and perhaps ``labels``; `.npy`;
- a folder with a folder of images for each class, numbered in the order of their names;
- a folder of images, with ``labels.csv`` (lines of file name, class number) or without labels;
- a folder with test images and labels in the format of MNIST (``t10k-images-idx3-ubyte[.gz]``).
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.diagnostics import InvalidInput
from cimc.frontend.data import (
    IMAGE_SUFFIXES,
    Floats,
    as_input,
    read_image,
    read_input,
    read_preprocess,
)
from cimc.frontend.importer import ImportedModel, TensorInfo
from cimc.frontend.preprocess import Preprocess

Labels = NDArray[np.int64]
MNIST_IMAGES, MNIST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
_MAGIC = {MNIST_IMAGES: 0x803, MNIST_LABELS: 0x801}
LABELS_FILE = "labels.csv"


@dataclass(frozen=True)
class Dataset:
    """Images of one input."""

    names: Sequence[str]
    """What each image is called in results."""
    labels: Labels | None
    read: Callable[[slice], Floats]
    """Preprocessed images [n, ...] of a part."""

    def __len__(self) -> int:
        return len(self.names)

    def first(self, count: int | None) -> Dataset:
        """The first `count` images; all for None."""
        labels = None if self.labels is None else self.labels[:count]
        return Dataset(self.names[:count], labels, self.read)


def open_dataset(model: ImportedModel, path: Path, preprocess: Path | None = None) -> Dataset:
    """The data set in `path` for `model`.

    Raises:
        InvalidInput: it cannot be read, labels and images differ in number, or the model has
            several inputs.
    """
    if len(model.inputs) != 1:
        raise InvalidInput(f"{path}: data sets are for models with one input, not {model.inputs}")
    info, how = model.inputs[0], read_preprocess(model, preprocess)
    found = _folder(path, info, how) if path.is_dir() else _arrays(path, info, how)
    if not len(found):
        raise InvalidInput(f"{path}: holds no images")
    if found.labels is not None and len(found.labels) != len(found):
        raise InvalidInput(f"{path}: {len(found)} images but {len(found.labels)} labels")
    return found


def _of_array(
    images: NDArray[Any],
    labels: Labels | None,
    path: Path,
    info: TensorInfo,
    how: Preprocess | None,
) -> Dataset:
    def read(part: slice) -> Floats:
        return as_input(images[part], info, how, str(path), most=None)

    return Dataset([str(i) for i in range(len(images))], labels, read)


def _arrays(path: Path, info: TensorInfo, how: Preprocess | None) -> Dataset:
    images = read_input(path, info, how, 1, ("images", info.name))
    labels: Labels | None = None
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            if "labels" in arrays:
                labels = np.asarray(arrays["labels"]).astype(np.int64).reshape(-1)
    return _of_array(images, labels, path, info, how)


def _folder(folder: Path, info: TensorInfo, how: Preprocess | None) -> Dataset:
    if (images := _idx(folder, MNIST_IMAGES)) is not None:
        classes_of = _idx(folder, MNIST_LABELS)
        known = None if classes_of is None else classes_of.astype(np.int64)
        return _of_array(images, known, folder, info, how)
    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    files = _images_of(folder)
    labels: Labels | None = None
    if files:
        labels = _listed_labels(folder, files)
    else:
        by_class = [_images_of(entry) for entry in classes]
        files = [file for found in by_class for file in found]
        labels = np.repeat(np.arange(len(classes)), [len(found) for found in by_class])
    chosen = files

    def read(part: slice) -> Floats:
        return np.stack([read_image(file, info, how) for file in chosen[part]])

    return Dataset([file.relative_to(folder).as_posix() for file in files], labels, read)


def _images_of(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)


def _listed_labels(folder: Path, files: Sequence[Path]) -> Labels | None:
    listing = folder / LABELS_FILE
    if not listing.is_file():
        return None
    with listing.open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.reader(lines) if row]
    try:
        known = {name: int(label) for name, label in rows}
        return np.array([known[file.name] for file in files], np.int64)
    except (ValueError, KeyError) as e:
        raise InvalidInput(
            f"{listing}: every line must be a file name and a class number, for every image: {e}"
        ) from e


def _idx(folder: Path, name: str) -> NDArray[np.uint8] | None:
    """The array in MNIST's format in file `name`, packed or not; None when there is no such."""
    plain, packed = folder / name, folder / f"{name}.gz"
    if not plain.is_file() and not packed.is_file():
        return None
    path = plain if plain.is_file() else packed
    try:
        data = path.read_bytes() if path is plain else gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as e:
        raise InvalidInput(f"{path}: cannot be read: {e}") from e
    magic = int.from_bytes(data[:4], "big")
    sizes = [int.from_bytes(data[at : at + 4], "big") for at in range(4, 4 + 4 * (magic & 3), 4)]
    start = 4 + 4 * (magic & 3)
    if magic != _MAGIC[name] or len(data) - start != int(np.prod(sizes)):
        raise InvalidInput(f"{path}: not a file of MNIST's format")
    return np.frombuffer(data, np.uint8, offset=start).reshape(sizes)
