"""Fashion-MNIST images, their sample, and preprocessing; needs numpy only."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

DEBIAN_ROOT = Path("/usr/share/datasets/fashion-mnist")
SAMPLE = Path(__file__).with_name("fashion_mnist_sample.npz")
FILE_PREFIX = {"train": "train", "test": "t10k"}
IMAGES_MAGIC, LABELS_MAGIC = 0x803, 0x801

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Preprocess:
    """x = (pad(image) * scale - mean) / std, NCHW float32.

    `pad` is [top, left, bottom, right] in pixels of raw zero; `channels` copies of the grey
    image are stacked; `mean` and `std` hold one value, or one a channel.
    """

    scale: float
    mean: list[float]
    std: list[float]
    pad: list[int]
    channels: int

    @staticmethod
    def read(path: Path) -> Preprocess:
        """Read a `.preprocess.json`; TypeError on missing or unknown keys."""
        return Preprocess(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        """Write the file that `read` reads."""
        path.write_text(json.dumps(asdict(self)) + "\n")

    def __call__(self, images: Images) -> NDArray[np.float32]:
        """uint8 [N,H,W] -> float32 [N,channels,top+H+bottom,left+W+right]."""
        top, left, bottom, right = self.pad
        padded = np.pad(images, ((0, 0), (top, bottom), (left, right)))[:, None]
        x = np.repeat(padded, self.channels, axis=1).astype(np.float32)
        mean = np.asarray(self.mean, np.float32).reshape(1, -1, 1, 1)
        std = np.asarray(self.std, np.float32).reshape(1, -1, 1, 1)
        return (x * np.float32(self.scale) - mean) / std


def preprocess_path(model: Path) -> Path:
    """The preprocessing file that lies beside `model`."""
    return model.with_suffix(".preprocess.json")


def load(split: Literal["train", "test"], root: Path = DEBIAN_ROOT) -> tuple[Images, Labels]:
    """Images [N,28,28] and labels [N] of a split (60,000 or 10,000).

    Reads the gzipped IDX files; FileNotFoundError when the Debian package
    dataset-fashion-mnist is not installed under `root`.
    """
    prefix = root / FILE_PREFIX[split]
    images = read_idx(Path(f"{prefix}-images-idx3-ubyte.gz"), IMAGES_MAGIC)
    labels = read_idx(Path(f"{prefix}-labels-idx1-ubyte.gz"), LABELS_MAGIC)
    return images, labels.astype(np.int64)


def load_sample() -> tuple[Images, Images, Labels]:
    """256 training images for calibration, then 256 test images with their labels."""
    with np.load(SAMPLE) as sample:
        return sample["calibration"], sample["images"], sample["labels"]


def read_idx(path: Path, magic: int) -> Images:
    """The uint8 tensor of a gzipped IDX file; ValueError if `magic` or the size is wrong."""
    data = gzip.decompress(path.read_bytes())
    if int.from_bytes(data[:4], "big") != magic:
        raise ValueError(f"{path}: not an IDX file with magic number {magic:#x}")
    rank = magic & 0xFF
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", rank, offset=4))
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)
