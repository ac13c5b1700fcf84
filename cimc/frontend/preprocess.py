"""From raw images to network input: x = (pad(crop(resize(image))) * scale - mean) / std."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cimc.diagnostics import InvalidInput, did_you_mean

Images = NDArray[Any]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Preprocess:
    """What a network was trained on; every step is optional."""

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    """Subtracted after scaling: one value, or one a channel."""
    std: tuple[float, ...] = (1.0,)
    pad: tuple[int, ...] = (0, 0, 0, 0)
    """Top, left, bottom, right, in cells of raw 0."""
    channels: int | None = None
    """1 makes colour images grey, 3 copies grey ones; None leaves them as they are."""
    resize: tuple[int, ...] | None = None
    """Height and width, or only the length of the shorter side; bilinear."""
    crop: tuple[int, ...] | None = None
    """Height and width cut from the centre; one value for a square."""

    @staticmethod
    def read(path: Path) -> Preprocess:
        """The preprocessing that JSON file `path` states.

        Raises:
            InvalidInput: unreadable, not JSON, an unknown key or a value of the wrong type.
        """
        try:
            data = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as e:
            reason = e.strerror if isinstance(e, OSError) else f"not JSON: {e}"
            raise InvalidInput(f"{path}: cannot read the preprocessing: {reason}") from e
        if not isinstance(data, dict):
            raise InvalidInput(f"{path}: preprocessing must be an object")
        known = [field.name for field in fields(Preprocess)]
        for key in data:
            if key not in known:
                raise InvalidInput(f"{path}: unknown key '{key}'{did_you_mean(key, known)}")
        return Preprocess(**{key: _checked(path, key, value) for key, value in data.items()})

    @staticmethod
    def beside(model: Path) -> Path:
        """Where the preprocessing of `model` lies: ``lenet.preprocess.json`` by ``lenet.onnx``."""
        return model.with_suffix(".preprocess.json")

    def __call__(self, images: Images) -> Floats:
        """Integer images [N, H, W, C] to float32 [N, C, H, W].

        Raises:
            InvalidInput: channels, or number of means, do not go together; crop is too large.
        """
        images = self._geometry(self._channels(images))
        x = images.transpose(0, 3, 1, 2).astype(np.float32) * np.float32(self.scale)
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, x.shape[1]):
                raise InvalidInput(
                    f"preprocessing: {len(values)} values of {name} for {x.shape[1]} channels"
                )
        mean, std = (np.array(v, np.float32)[:, None, None] for v in (self.mean, self.std))
        return (x - mean) / std

    def _channels(self, images: Images) -> Images:
        """[N, H, W, C] with the wanted number of channels."""
        found = images.shape[3]
        if self.channels is None or self.channels == found:
            return images
        if found != 1:
            raise InvalidInput(
                f"preprocessing: images have {found} channels, channels={self.channels} is wanted"
            )
        return np.repeat(images, self.channels, axis=3)

    def _geometry(self, images: Images) -> Images:
        """Resized, cropped, padded."""
        if self.resize is not None:
            images = np.stack([resized(image, self.resize) for image in images])
        if self.crop is not None:
            images = centre(images, self.crop)
        top, left, bottom, right = self.pad
        return np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)))


def resized(image: Images, size: tuple[int, ...]) -> Images:
    """`image` [H, W, C] of bytes in another size, bilinear; one value: of the shorter side."""
    if image.dtype != np.uint8:
        raise InvalidInput(f"preprocessing: resize needs uint8 images, got {image.dtype}")
    height, width = image.shape[:2]
    if len(size) == 1:
        factor = size[0] / min(height, width)
        target = (max(1, round(height * factor)), max(1, round(width * factor)))
    else:
        target = (size[0], size[1])
    planes = [
        np.asarray(Image.fromarray(plane).resize((target[1], target[0]), Image.Resampling.BILINEAR))
        for plane in np.moveaxis(image, 2, 0)
    ]
    return np.stack(planes, axis=2)


def centre(images: Images, size: tuple[int, ...]) -> Images:
    """The middle of each image [N, H, W, C]."""
    height, width = size if len(size) == 2 else size * 2
    if images.shape[1] < height or images.shape[2] < width:
        raise InvalidInput(
            f"preprocessing: crop {height}x{width} of images of {images.shape[1]}x{images.shape[2]}"
        )
    top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
    return images[:, top : top + height, left : left + width]


def _checked(path: Path, key: str, value: Any) -> Any:
    """Value of `key` in its type; a single number stands for a list of one."""
    if key == "channels" and (value is None or (type(value) is int and value in (1, 3))):
        return value
    if key == "scale" and _number(value, float):
        return float(value)
    if key in ("resize", "crop") and value is None:
        return None
    kind = float if key in ("mean", "std") else int
    values = value if isinstance(value, list) else [value]
    counts = {"pad": (4,), "resize": (1, 2), "crop": (1, 2)}.get(key)
    good = all(_number(v, kind) for v in values) and len(values) > 0
    if key in ("scale", "channels") or not good or (counts and len(values) not in counts):
        raise InvalidInput(f"{path}: bad value {value!r} for '{key}'")
    least = {"pad": 0, "resize": 1, "crop": 1}.get(key)
    if (least is not None and min(values) < least) or (key == "std" and 0 in values):
        raise InvalidInput(f"{path}: value {value!r} for '{key}' is out of range")
    return tuple(values)


def _number(value: Any, kind: type) -> bool:
    """`value` is a finite number of `kind` (an integer is also a float)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return np.isfinite(value).item() and (kind is float or isinstance(value, int))
