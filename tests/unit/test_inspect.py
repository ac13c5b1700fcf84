"""`cimc inspect`: what becomes of each node."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_onnx import model, node, save

from cimc.api import CompiledModel
from cimc.backend.inspection import inspect
from cimc.cli.main import run
from cimc.targets import get

RNG = np.random.default_rng(5)
WEIGHTS = {"w": RNG.normal(0, 0.2, (6, 3, 3, 3)).astype(np.float32), "two": np.float32([2.0])}


def test_figures_are_those_of_the_compiler(lenet: CompiledModel, models: Path) -> None:
    found = inspect(models / "lenet.onnx", get("daism"), None, None)
    layers = {layer["node"]: layer for layer in lenet.report["layers"] if layer["macs"]}
    nodes = {each.node: each for each in found.nodes}
    assert found.compiles
    assert len(layers) == 5
    for name, layer in layers.items():
        assert (nodes[name].macs, nodes[name].cycles) == (layer["macs"], layer["cycles"])
        assert nodes[name].buffer_bytes == np.prod(layer["output_shape"])
    relu = nodes["node_relu"]
    assert (relu.outcome, relu.into) == ("folded", "node_conv2d")
    assert sum(each.parameters for each in found.nodes) == 61_706


def test_host_folded_and_mapped(tmp_path: Path) -> None:
    nodes = [
        node("Mul", ["two", "two"], "four"),
        node("Conv", ["x", "w"], "c"),
        node("LRN", ["c"], "n", size=3),
        node("Mul", ["n", "four"], "y"),
    ]
    found = inspect(save(model(nodes, WEIGHTS), tmp_path), get("daism"), None, None)
    outcomes = {each.node: each.outcome for each in found.nodes}
    assert outcomes == {
        "four_Mul": "folded",
        "c_Conv": "mapped",
        "n_LRN": "host",
        "y_Mul": "mapped",
    }
    assert "operator LRN has no unit on the machine" in found.nodes[2].reason


def test_unsupported_nodes_are_listed_with_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [
        node("Conv", ["x", "w"], "c"),
        node("Nope", ["c"], "n"),
        node("Loop", ["", ""], "l"),
        node("Relu", ["c"], "y"),
    ]
    path = save(model(nodes, WEIGHTS), tmp_path)
    assert run(["inspect", str(path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["compiles"]
    outcomes = [each["outcome"] for each in told["nodes"]]
    assert outcomes[0] == outcomes[3] == "mapped"
    assert outcomes[1] == "unsupported"
    assert "Nope" in told["nodes"][1]["reason"]


def test_results_that_wait_in_dram_are_marked(tmp_path: Path) -> None:
    shape = ("N", 3, 900, 900)
    nodes = [node("Conv", ["x", "w"], "c"), node("MaxPool", ["c"], "y", kernel_shape=[2, 2])]
    found = inspect(save(model(nodes, WEIGHTS, shape=shape), tmp_path), get("daism"), None, None)
    assert found.compiles
    assert found.nodes[0].in_dram
    assert found.nodes[0].buffer_bytes == 6 * 898 * 898


def test_text(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(models / "lenet.onnx")]) == 0
    text = capsys.readouterr().out
    assert "part of node_conv2d" in text
    assert "parameters  61,706" in text
    assert "cycles      5,678 (815 at peak" in text


def test_bad_files_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.onnx").write_bytes(b"nonsense")
    assert run(["inspect", str(tmp_path / "m.onnx")]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert run(["inspect", str(tmp_path / "none.onnx")]) == 1
    assert "none.onnx" in capsys.readouterr().err
