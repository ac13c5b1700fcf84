"""Write fashion_mnist_sample.npz from the Debian package: python models/make_sample.py."""

from __future__ import annotations

import numpy as np
from data import SAMPLE, load

COUNT = 256


def main() -> None:
    """Keep the first images of each split; the licence lies beside the sample."""
    calibration, _ = load("train")
    images, labels = load("test")
    np.savez_compressed(
        SAMPLE, calibration=calibration[:COUNT], images=images[:COUNT], labels=labels[:COUNT]
    )


if __name__ == "__main__":
    main()
