"""The content-addressed weight store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimc.diagnostics import InvalidInput
from cimc.weights import WeightStore


def test_equal_contents_share_a_key() -> None:
    store = WeightStore()
    a = np.arange(6, dtype=np.int8).reshape(2, 3)
    key = store.put(a)
    assert store.put(a.copy()) == key
    assert store.put(np.asfortranarray(a)) == key
    others = [store.put(a.reshape(3, 2)), store.put(a.astype(np.int16)), store.put(a + 1)]
    assert len({key, *others}) == 4
    assert len(store) == 4
    assert list(store) == sorted({key, *others})


def test_arrays_are_kept_apart_from_the_callers() -> None:
    store = WeightStore()
    a = np.zeros(3, np.float32)
    key = store.put(a)
    a[0] = 1
    assert store.get(key).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="read-only"):
        store.get(key)[0] = 1


def test_save_and_load(tmp_path: Path) -> None:
    store = WeightStore()
    arrays = [np.float64(3.5), np.zeros((0, 2), np.int32), np.arange(4, dtype=">u2")]
    keys = [store.put(np.asarray(a)) for a in arrays]
    store.save(tmp_path / "weights")
    store.save(tmp_path / "weights")
    again = WeightStore.load(tmp_path / "weights")
    assert list(again) == list(store)
    for key, array in zip(keys, arrays, strict=True):
        np.testing.assert_array_equal(again.get(key), array)
        assert again.get(key).dtype == np.asarray(array).dtype
        assert key in again


def test_missing_key_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="weights 'abc' are not in the store"):
        WeightStore().get("abc")
    with pytest.raises(InvalidInput, match="no folder of weights"):
        WeightStore.load(tmp_path / "none")


def test_damaged_files_are_found(tmp_path: Path) -> None:
    store = WeightStore()
    path = tmp_path / f"{store.put(np.arange(100))}.npy"
    store.save(tmp_path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match="do not match the name"):
        WeightStore.load(tmp_path)
    path.write_bytes(data[:150])
    with pytest.raises(InvalidInput, match="not a weight file"):
        WeightStore.load(tmp_path)
