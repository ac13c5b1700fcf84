"""Large constants live here and not in the IR: one entry per distinct array.

A key is a hash of dtype, shape and bytes, so equal weights share an entry and printed IR changes
exactly when the weights do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.diagnostics import InvalidInput

Array = NDArray[Any]


class WeightStore:
    """Content-addressed read-only arrays: in memory, or memory-mapped `.npy` files of a folder."""

    def __init__(self) -> None:
        """An empty store."""
        self._arrays: dict[str, Array] = {}

    def copy(self) -> WeightStore:
        """A store with the same arrays; what is put into one is not in the other."""
        other = WeightStore()
        other._arrays = dict(self._arrays)
        return other

    def put(self, array: Array) -> str:
        """Store a copy of `array` (any shape and plain dtype); returns its 16-digit key."""
        key = _key(array)
        if key not in self._arrays:
            kept = array.copy(order="C")
            kept.flags.writeable = False
            self._arrays[key] = kept
        return key

    def get(self, key: str) -> Array:
        """The array behind `key`, read-only.

        Raises:
            InvalidInput: the store has no such key (IR text read without its weights).
        """
        if key not in self._arrays:
            raise InvalidInput(
                f"weights '{key}' are not in the store; load the folder beside the IR"
            )
        return self._arrays[key]

    def __contains__(self, key: str) -> bool:
        """Whether `key` is stored."""
        return key in self._arrays

    def __iter__(self) -> Iterator[str]:
        """Keys, sorted."""
        return iter(sorted(self._arrays))

    def __len__(self) -> int:
        """Number of distinct arrays."""
        return len(self._arrays)

    def save(self, folder: Path) -> None:
        """Write every array as `folder`/KEY.npy; files that exist already are left alone."""
        folder.mkdir(parents=True, exist_ok=True)
        for key, array in self._arrays.items():
            path = folder / f"{key}.npy"
            if not path.exists():
                np.save(path, array, allow_pickle=False)

    @staticmethod
    def load(folder: Path, *, check: bool = True) -> WeightStore:
        """The store saved in `folder`, memory-mapped; `check` reads all of it to verify the keys.

        Raises:
            InvalidInput: no such folder, or a file is damaged or does not match its name.
        """
        if not folder.is_dir():
            raise InvalidInput(f"{folder}: no folder of weights")
        store = WeightStore()
        for path in sorted(folder.glob("*.npy")):
            try:
                array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise InvalidInput(f"{path}: not a weight file ({error})") from error
            if check and _key(array) != path.stem:
                raise InvalidInput(
                    f"{path}: contents do not match the name; write the folder again"
                )
            store._arrays[path.stem] = array
        return store


def _key(array: Array) -> str:
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
