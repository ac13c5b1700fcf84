"""Files of torch.save before 1.6, read without torch: made here byte by byte by pickle."""

from __future__ import annotations

import io
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

MODELS = Path(__file__).parents[2] / "models"
sys.path.insert(0, str(MODELS))
try:
    from torch_file import MAGIC, PROTOCOL, read_state
finally:
    sys.path.pop(0)

STORAGE = np.arange(24, dtype=np.float32)


class Tensor:
    """Pickled as torch pickles a tensor that looks into storage "7"."""

    def __init__(self, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]):
        self.place = (offset, shape, strides)

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (Storage(), *self.place, False, OrderedDict())


class Storage:
    """Pickled as a reference to storage "7"."""


class Pickler(pickle.Pickler):
    """Writes storages as references."""

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, Storage):
            return None
        return ("storage", sys.modules["torch"].FloatStorage, "7", "cpu", STORAGE.size, None)


def torch_like(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules under whose names pickle finds the stand-ins."""

    for name, member in (("torch", "FloatStorage"), ("torch._utils", "_rebuild_tensor_v2")):
        module = ModuleType(name)
        setattr(module, member, type(member, (), {"__module__": name}))
        monkeypatch.setitem(sys.modules, name, module)


def written(path: Path, state: Any, elements: bytes = STORAGE.tobytes()) -> Path:
    """A file with `state` and the one storage."""
    out = io.BytesIO()
    for part in (MAGIC, PROTOCOL, {"little_endian": True}, state, ["7"]):
        Pickler(out, protocol=2).dump(part)
    path.write_bytes(out.getvalue() + STORAGE.size.to_bytes(8, "little") + elements)
    return path


def test_tensors_look_into_their_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch_like(monkeypatch)
    state = OrderedDict(
        a=Tensor(0, (2, 3), (3, 1)), b=Tensor(6, (3, 2), (1, 3)), c=Tensor(5, (), ())
    )
    read = read_state(written(tmp_path / "x.pth", state))
    assert list(read) == ["a", "b", "c"]
    assert np.array_equal(read["a"], STORAGE[:6].reshape(2, 3))
    assert np.array_equal(read["b"], STORAGE[6:12].reshape(2, 3).T)
    assert read["c"] == STORAGE[5]


def test_truncated_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch_like(monkeypatch)
    path = written(tmp_path / "x.pth", {"a": Tensor(0, (2,), (1,))}, STORAGE.tobytes()[:-1])
    with pytest.raises(ValueError, match="a storage of 24 elements is damaged"):
        read_state(path)


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(pickle.dumps(1, 2) * 2)
    with pytest.raises(ValueError, match=r"not a file of torch\.save before 1\.6"):
        read_state(path)


def test_a_file_cannot_run_code(tmp_path: Path) -> None:
    class Call:
        def __reduce__(self) -> tuple[Any, ...]:
            return print, ("run",)

    path = written(tmp_path / "x.pth", {"a": Call()})
    with pytest.raises(ValueError, match=r"does not need __builtin__\.print"):
        read_state(path)
