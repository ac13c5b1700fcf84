"""Calibration data: arrays or images of a user, or noise when there are none."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cimc.diagnostics import InvalidInput
from cimc.frontend.importer import ImportedModel, TensorInfo
from cimc.frontend.preprocess import Preprocess

Floats = NDArray[np.float32]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm")
ARRAY_NAMES = ("calibration", "images")
NOISE_IMAGES = 4
MOST_IMAGES = 256
"""More calibration images than this are left out."""
NEEDS_PREPROCESS = (
    "integer images need a preprocessing; give --preprocess FILE or write MODEL.preprocess.json"
)


@dataclass(frozen=True)
class Calibration:
    """Float32 arrays [N, ...] by input name."""

    arrays: Mapping[str, Floats]
    source: str
    """Where they come from, for the report."""
    ranges_are_real: bool = True
    """False for noise: ranges found on it say nothing about real images."""


def noise(inputs: Mapping[str, tuple[int, ...]], count: int = NOISE_IMAGES) -> Calibration:
    """Standard normal noise of a fixed seed for inputs of the given shapes [1, ...]."""
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.standard_normal((count, *shape[1:])).astype(np.float32)
        for name, shape in inputs.items()
    }
    return Calibration(arrays, f"{count} tensors of seeded noise", ranges_are_real=False)


def load_calibration(
    model: ImportedModel,
    data: Path | Mapping[str, Any] | None,
    preprocess: Path | None = None,
) -> Calibration:
    """Calibration data for `model` from a file, a folder, arrays by input name, or noise (None).

    Without `preprocess`, the file beside the model is used if there is one.

    Raises:
        InvalidInput: the data cannot be read or do not fit the model's inputs.
    """
    if data is None:
        return noise({info.name: info.shape for info in model.inputs})
    how = read_preprocess(model, preprocess)
    if isinstance(data, Path):
        given = {i.name: read_input(data, i, how, len(model.inputs)) for i in model.inputs}
        source = str(data)
    else:
        check_names(model, data)
        given = {i.name: np.asarray(data[i.name]) for i in model.inputs}
        source = "arrays"
    arrays = {i.name: as_input(given[i.name], i, how, source) for i in model.inputs}
    counts = {len(array) for array in arrays.values()}
    if len(counts) > 1 or 0 in counts:
        raise InvalidInput(f"{source}: inputs have {sorted(counts)} images; need equal, above 0")
    return Calibration(arrays, source)


def read_preprocess(model: ImportedModel, path: Path | None) -> Preprocess | None:
    """The preprocessing in `path`, or beside the model; None when there is none."""
    if path is not None:
        return Preprocess.read(path)
    beside = Preprocess.beside(model.path)
    return Preprocess.read(beside) if beside.is_file() else None


def check_names(model: ImportedModel, data: Mapping[str, Any]) -> None:
    """Every input of `model` has an array, and nothing else has."""
    wanted = [info.name for info in model.inputs]
    if sorted(wanted) != sorted(data):
        raise InvalidInput(f"calibration is for {sorted(data)}, the model's inputs are {wanted}")


def read_input(
    path: Path,
    info: TensorInfo,
    how: Preprocess | None,
    inputs: int,
    names: Sequence[str] | None = None,
) -> NDArray[Any]:
    """The array for input `info` in `path`: .npy, .npz or a folder of images.

    `names` are what the only input's array of an .npz may be called, the preferred one first.
    """
    what = "calibration" if names is None else "data"
    if path.is_dir():
        return read_images(path, info, how)
    if not path.exists():
        raise InvalidInput(f"{path}: no such {what} file or folder")
    if path.suffix not in (".npy", ".npz"):
        raise InvalidInput(f"{path}: {what} must be .npy, .npz or a folder of images")
    try:
        found: Any = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            if inputs > 1:
                raise InvalidInput(f"{path}: {inputs} inputs need an .npz, one array each")
            return found
        with found:
            return found[array_name(path, list(found.files), info, inputs, names)]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as e:
        reason = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise InvalidInput(f"{path}: not a readable array file: {reason}") from e


def array_name(
    path: Path,
    names: list[str],
    info: TensorInfo,
    inputs: int,
    preferred: Sequence[str] | None = None,
) -> str:
    """Which array of an .npz is for input `info`."""
    usual = (info.name, *ARRAY_NAMES) if inputs == 1 else (info.name,)
    for name in preferred or usual:
        if name in names:
            return name
    if inputs == 1 and len(names) == 1:
        return names[0]
    raise InvalidInput(
        f"{path}: holds {', '.join(sorted(names)) or 'nothing'}; expected an array '{info.name}'"
    )


def read_images(folder: Path, info: TensorInfo, how: Preprocess | None) -> Floats:
    """Preprocessed images of `folder`, sorted by file name."""
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise InvalidInput(f"{folder}: holds no images ({', '.join(IMAGE_SUFFIXES)})")
    if how is None:
        raise InvalidInput(f"{folder}: {NEEDS_PREPROCESS}")
    return np.stack([read_image(file, info, how) for file in files[:MOST_IMAGES]])


def read_image(file: Path, info: TensorInfo, how: Preprocess | None) -> Floats:
    """The preprocessed image in `file`: [C, H, W]."""
    if how is None:
        raise InvalidInput(f"{file}: {NEEDS_PREPROCESS}")
    mode = "L" if how.channels == 1 or info.shape[1] == 1 else "RGB"
    try:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert(mode))
    except (OSError, ValueError, Image.DecompressionBombError) as e:
        raise InvalidInput(f"{file}: not a readable image: {e}") from e
    x = how(pixels.reshape(1, *pixels.shape[:2], -1))
    check_shape(x, info, f"{file} after preprocessing")
    return x[0]


def as_input(
    array: NDArray[Any],
    info: TensorInfo,
    how: Preprocess | None,
    source: str,
    most: int | None = MOST_IMAGES,
) -> Floats:
    """Float arrays as they are, integer arrays preprocessed; at most `most`, if that is given.

    Integer images are [N, H, W], [N, C, H, W] or [N, H, W, C].
    """
    what = f"{source}: {'calibration' if most else 'data'} for input '{info.name}'"
    array = array[:most] if array.ndim else array
    if array.dtype.kind == "f":
        x = array.astype(np.float32)
    elif array.dtype.kind in "iu":
        if how is None:
            raise InvalidInput(f"{what}: {NEEDS_PREPROCESS}")
        x = how(channels_last(array, info, what))
    else:
        raise InvalidInput(f"{what} has type {array.dtype}; expected floats or integer images")
    check_shape(x, info, what)
    if not np.isfinite(x).all():
        raise InvalidInput(f"{what} holds NaN or infinite values")
    return x


def channels_last(images: NDArray[Any], info: TensorInfo, what: str) -> NDArray[Any]:
    """Integer images as [N, H, W, C]."""
    if images.ndim == 3:
        return images[..., None]
    if images.ndim != 4 or len(info.shape) != 4:
        raise InvalidInput(
            f"{what} has shape {list(images.shape)} of {images.dtype}; expected images [N,H,W], "
            f"[N,C,H,W] or [N,H,W,C] for an input of {list(info.shape)}"
        )
    return images if images.shape[1] not in (1, 3) else images.transpose(0, 2, 3, 1)


def check_shape(x: Floats, info: TensorInfo, what: str) -> None:
    """Check the shape of a batch for input `info`."""
    if x.ndim != len(info.shape) or x.shape[1:] != info.shape[1:]:
        wanted = ", ".join(str(n) for n in info.shape[1:])
        raise InvalidInput(f"{what} has shape {list(x.shape)}, expected [N, {wanted}]")
