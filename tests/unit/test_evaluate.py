"""`cimc evaluate` and `cimc run`: data sets, scores, and what is written."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from cimc.api import CompiledModel
from cimc.cli.evaluate_command import bar
from cimc.cli.main import run
from cimc.diagnostics import InvalidInput
from cimc.frontend import load
from cimc.frontend.dataset import Dataset, open_dataset
from cimc.sim.evaluate import evaluate

MODELS = Path(__file__).parents[2] / "models"
LENET = MODELS / "lenet.onnx"
SAMPLE = MODELS / "fashion_mnist_sample.npz"
COUNT = 24


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray]:
    with np.load(SAMPLE) as arrays:
        return arrays["images"][:COUNT], arrays["labels"][:COUNT]


def opened(path: Path) -> Dataset:
    return open_dataset(load(LENET), path)


def idx(array: np.ndarray) -> bytes:
    head = (0x800 + array.ndim).to_bytes(4, "big")
    return head + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def save_images(folder: Path, images: np.ndarray, names: list[str]) -> None:
    for image, name in zip(images, names, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / name)


def test_every_form_of_a_data_set_reads_the_same(tmp_path: Path, sample) -> None:
    images, labels = sample
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    np.save(tmp_path / "b.npy", images)
    mnist, packed = tmp_path / "mnist", tmp_path / "packed"
    for folder, pack, end in ((mnist, bytes, ""), (packed, gzip.compress, ".gz")):
        folder.mkdir()
        (folder / f"t10k-images-idx3-ubyte{end}").write_bytes(pack(idx(images)))
        written = pack(idx(labels.astype(np.uint8)))
        (folder / f"t10k-labels-idx1-ubyte{end}").write_bytes(written)
    names = [f"{i:03}.png" for i in range(COUNT)]
    save_images(tmp_path / "flat", images, names)
    rows = "".join(f"{name},{label}\n" for name, label in zip(names, labels, strict=True))
    save_images(tmp_path / "listed", images, names)
    (tmp_path / "listed" / "labels.csv").write_text(rows)
    expected = opened(tmp_path / "a.npz").read(slice(None))
    for name in ("a.npz", "b.npy", "mnist", "packed", "flat", "listed"):
        found = opened(tmp_path / name)
        assert len(found) == COUNT
        np.testing.assert_array_equal(found.read(slice(5, 9)), expected[5:9])
        if name in ("b.npy", "flat"):
            assert found.labels is None
        else:
            np.testing.assert_array_equal(found.labels, labels)


def test_folders_of_classes(tmp_path: Path, sample) -> None:
    images, _ = sample
    save_images(tmp_path, images[:4], ["ant/1.png", "bee/0.png", "bee/1.png", "dog/x.png"])
    found = opened(tmp_path)
    assert found.names == ["ant/1.png", "bee/0.png", "bee/1.png", "dog/x.png"]
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1, 1, 2]
    assert len(found.first(2)) == 2


def test_bad_data_sets_are_refused(tmp_path: Path, sample) -> None:
    images, labels = sample
    np.savez(tmp_path / "short.npz", images=images, labels=labels[:-1])
    with pytest.raises(InvalidInput, match="24 images but 23 labels"):
        opened(tmp_path / "short.npz")
    with pytest.raises(InvalidInput, match="no such data file or folder"):
        opened(tmp_path / "none.npz")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InvalidInput, match="holds no images"):
        opened(empty)
    save_images(empty, images[:1], ["a.png"])
    (empty / "labels.csv").write_text("b.png,1\n")
    with pytest.raises(InvalidInput, match="every line must be a file name and a class number"):
        opened(empty)
    (empty / "t10k-images-idx3-ubyte").write_bytes(idx(images)[:-1])
    with pytest.raises(InvalidInput, match="not a file of MNIST's format"):
        opened(empty)


def test_scores_are_those_of_the_two_runs(lenet: CompiledModel) -> None:
    data = opened(SAMPLE).first(COUNT)
    steps: list[tuple[int, int]] = []
    found = evaluate(lenet.network, data, lambda done, total, _: steps.append((done, total)), 10)
    assert steps == [(0, 24), (10, 24), (20, 24), (24, 24)]
    x = data.read(slice(0, COUNT))
    (ours,) = lenet.run(None, {"input": x})
    session = onnxruntime.InferenceSession(LENET, providers=["CPUExecutionProvider"])
    theirs = np.asarray(session.run(None, {"input": x})[0]).astype(np.float64)
    summary = found.summary()
    assert data.labels is not None
    assert summary["top1"] == np.mean(ours.argmax(1) == data.labels)
    assert summary["float_top1"] == np.mean(theirs.argmax(1) == data.labels)
    assert summary["agreement"] == np.mean(ours.argmax(1) == theirs.argmax(1))
    fifth = np.sort(ours, axis=1)[:, -5]
    label_scores = ours[np.arange(COUNT), data.labels]
    assert summary["top5"] == pytest.approx(np.mean(label_scores >= fifth), abs=0.1)
    noise = np.square(ours - theirs).sum()
    assert summary["sqnr_db"] == pytest.approx(10 * np.log10(np.square(theirs).sum() / noise))
    # A wrong label is a wrong answer.
    wrong = Dataset(data.names, (data.labels + 1) % 10, data.read)
    assert evaluate(lenet.network, wrong, lambda *_: None).summary()["top1"] < 0.2


def test_commands_write_their_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usual = [str(LENET), "--calibration", str(SAMPLE), "--data", str(SAMPLE), "--images", "12"]
    assert run(["evaluate", *usual, "-o", str(tmp_path / "e.json")]) == 0
    printed = capsys.readouterr().out
    assert "top-1" in printed
    assert "(float " in printed
    assert run(["evaluate", *usual, "-o", str(tmp_path / "e.csv"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    written = json.loads((tmp_path / "e.json").read_text())
    assert written["summary"]["top1"] == summary["top1"]
    with (tmp_path / "e.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["found"]) for row in rows] == [image["found"] for image in written["images"]]
    hits = [row["found"] == row["label"] for row in rows]
    assert summary["top1"] == pytest.approx(sum(hits) / 12)
    assert run(["run", *usual, "-o", str(tmp_path / "y.npz")]) == 0
    assert "... 2 more" in capsys.readouterr().out
    with np.load(tmp_path / "y.npz") as arrays:
        (outputs,) = (arrays[name] for name in arrays.files)
    assert outputs.argmax(axis=1).tolist() == [int(row["found"]) for row in rows]


@pytest.mark.parametrize("command", ["run", "evaluate"])
def test_mistakes_are_one_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "none.onnx", "--data", str(SAMPLE)]) == 1
    assert capsys.readouterr().err == "error: none.onnx: no such model file\n"
    assert run([command, str(LENET), "--data", str(SAMPLE), "-o", "x.txt"]) == 2
    assert capsys.readouterr().err.startswith("error: -o x.txt: ")


def test_progress_bar() -> None:
    assert bar(0, 2000, 0.0) == "[" + "." * 30 + "] 0/2,000"
    assert bar(500, 2000, 2.0) == "[#######" + "." * 23 + "] 500/2,000  250 images/s  6 s left"
