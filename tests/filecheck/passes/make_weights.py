"""Writes weights/, the arrays behind the blobs of the `.mlir` files here; prints their keys."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cimc.weights import WeightStore

ARRAYS = {
    "w, two 1x1 filters": np.array([2, -1], np.float32).reshape(2, 1, 1, 1),
    "one value a channel": np.array([0.5, 4], np.float32),
    "variance": np.array([0.25, 4], np.float32),
    "gemm 2 to 2": np.array([[1, 2], [3, -4]], np.float32),
    "all-zero channel": np.array([[0, 0], [3, -4]], np.float32),
}

if __name__ == "__main__":
    store = WeightStore()
    for name, array in ARRAYS.items():
        print(store.put(array), array.shape, name)
    store.save(Path(__file__).parent / "weights")
