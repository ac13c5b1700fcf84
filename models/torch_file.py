"""Reads the tensors of a file that torch.save wrote before version 1.6; needs numpy only."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
STORED = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "IntStorage": np.dtype("<i4"),
    "LongStorage": np.dtype("<i8"),
}

Storage = NDArray[Any]


def read_state(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a state dictionary by name.

    Layout: pickles of magic number, protocol and machine; the dictionary, whose tensors refer to
    storages by key; the list of the keys; then of each storage its length as int64 and its
    elements. Only what a plain dictionary of tensors consists of is unpickled, so that a file
    cannot run code.

    Raises:
        ValueError: not such a file.
    """
    with path.open("rb") as file:
        if (_Unpickler(file).load(), _Unpickler(file).load()) != (MAGIC, PROTOCOL):
            raise ValueError(f"{path}: not a file of torch.save before 1.6")
        if not _Unpickler(file).load()["little_endian"]:
            raise ValueError(f"{path}: written on a big-endian machine")
        unpickler = _Unpickler(file)
        state = unpickler.load()
        for key in _Unpickler(file).load():
            fill(unpickler.storages[key], file)
    return dict(state)


def fill(storage: Storage, file: BufferedReader) -> None:
    """Read the elements of `storage`, which the tensors look into already."""
    count = int.from_bytes(file.read(8), "little")
    if count != storage.size or file.readinto(storage.data) != storage.nbytes:
        raise ValueError(f"{file.name}: a storage of {storage.size} elements is damaged")


class _Unpickler(pickle.Unpickler):
    """Makes numpy arrays of tensors; knows no other class than those of a plain dictionary."""

    def __init__(self, file: BufferedReader):
        super().__init__(file)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """The few names that are allowed; a storage class becomes the type of its elements."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return view
        if module == "torch" and name in STORED:
            return STORED[name]
        raise ValueError(f"a state dictionary does not need {module}.{name}")

    def persistent_load(self, pid: Any) -> Storage:
        """The storage that `pid` names: ("storage", type, key, device, elements, view)."""
        _, kind, key, _, count, _ = pid
        return self.storages.setdefault(key, np.empty(count, kind))


def view(
    storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> NDArray[Any]:
    """A tensor that looks into `storage`; offset and strides count elements."""
    steps = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps)
