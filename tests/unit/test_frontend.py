"""Every operator form imports, and means what onnxruntime says it means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from forms_elementwise import ELEMENTWISE
from forms_layers import LAYERS, W
from forms_layout import LAYOUT
from onnx.helper import make_node
from small_onnx import model, node, onnxruntime_result, random, save

from cimc.diagnostics import loc_text, node_names
from cimc.dialects import nn
from cimc.frontend import load
from cimc.interp.nn import run

FORMS = LAYERS | ELEMENTWISE | LAYOUT


@pytest.mark.parametrize("name", FORMS)
def test_form_means_what_onnxruntime_says(name: str, tmp_path: Path):
    form = FORMS[name]
    path = save(model(form.nodes, form.constants, shape=form.shape, opset=form.opset), tmp_path)
    imported = load(path)
    x = random(2, *(int(n or 0) for n in imported.inputs[0].shape[1:]), seed=5)
    assert not [op.nodes.data for op in imported.module.walk() if isinstance(op, nn.HostOp)]
    expected = onnxruntime_result(path, {"x": x})
    got = run(imported.module, imported.weights, {"x": x}).outputs["y"]
    assert got.shape == expected.shape
    assert got.shape[1:] == imported.outputs[0].shape[1:]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_initialisers_as_inputs_are_not_inputs(tmp_path: Path):
    proto = model(
        [node("Conv", ["x", "w"])],
        {"w": W},
        opset=7,
        ir_version=3,
        constants_as_inputs=True,
    )
    assert [i.name for i in load(save(proto, tmp_path)).inputs] == ["x"]


@pytest.mark.parametrize("batch", ["N", None, 0, -1])
def test_dynamic_batch_becomes_one(batch: str | int | None, tmp_path: Path):
    path = save(model([node("Relu", ["x"])], shape=(batch, 3, 8, 8)), tmp_path)
    imported = load(path)
    assert imported.inputs[0].shape == (1, 3, 8, 8)
    assert imported.batch is None


def test_fixed_batch_is_remembered(tmp_path: Path):
    imported = load(save(model([node("Relu", ["x"])], shape=(7, 3, 8, 8)), tmp_path))
    assert (imported.inputs[0].shape, imported.batch) == ((1, 3, 8, 8), 7)


def test_locations_name_file_number_and_node(tmp_path: Path):
    nodes = [node("Conv", ["x", "w"], "c"), node("Relu", ["c"])]
    nodes[1].name = ""
    imported = load(save(model(nodes, {"w": W}), tmp_path))
    ops = [op for op in imported.module.walk() if isinstance(op, nn.NnOp)]
    assert [loc_text(op.location) for op in ops] == [
        "m.onnx node #0 'c_Conv'",
        "m.onnx node #1 'Relu_1'",
    ]


def test_repeated_node_names_are_told_apart(tmp_path: Path):
    nodes = [make_node("Relu", ["x"], ["a"], name="r"), make_node("Relu", ["a"], ["y"], name="r")]
    imported = load(save(model(nodes), tmp_path))
    names = [node_names(op.location) for op in imported.module.walk() if isinstance(op, nn.NnOp)]
    assert names == [["r"], ["r#1"]]


def test_two_outputs_keep_their_names(tmp_path: Path):
    proto = model([node("Relu", ["x"], "a"), node("Flatten", ["a"], "y")])
    proto.graph.output.add().CopyFrom(proto.graph.output[0])
    proto.graph.output[1].name = "a"
    imported = load(save(proto, tmp_path))
    result = run(imported.module, imported.weights, {"x": random(2, 3, 8, 8)})
    assert {name: y.shape for name, y in result.outputs.items()} == {
        "y": (2, 192),
        "a": (2, 3, 8, 8),
    }
