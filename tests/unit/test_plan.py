"""`plan.json`: read, written, checked against the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_onnx import model, node, random, save

from cimc import targets
from cimc.api import compile
from cimc.diagnostics import InvalidInput
from cimc.frontend import load
from cimc.passes.assign_multiplier import AssignMultiplierPass
from cimc.passes.assign_precision import AssignPrecisionPass
from cimc.passes.context import CimContext
from cimc.passes.plan import LayerPlan, Plan, named_layers


def test_round_trip(tmp_path: Path):
    plan = Plan((LayerPlan("a", "exact", 8, 7), LayerPlan("b", weight_bits=3)))
    plan.write(tmp_path / "plan.json")
    again = Plan.read(tmp_path / "plan.json")
    assert again.layers == plan.layers
    assert again.layer("b") == LayerPlan("b", None, 3, None)
    assert again.layer("c").multiplier is None


def assigned(models: Path, plan: Plan) -> dict[str, LayerPlan]:
    """Choices that LeNet's layers carry after both passes."""
    imported = load(models / "lenet.onnx")
    ctx = CimContext(targets.get("daism"), imported.weights, plan=plan)
    AssignPrecisionPass(weight_bits=6).apply(ctx, imported.module)
    AssignMultiplierPass("daism-fla").apply(ctx, imported.module)
    return {layer.node: layer for layer in Plan.of(imported.module).layers}


def test_a_plan_overrides_the_uniform_choice(models: Path):
    plan = Plan((LayerPlan("node_conv2d_1", "exact", activation_bits=4),))
    found = assigned(models, plan)
    assert found["node_conv2d_1"] == LayerPlan("node_conv2d_1", "exact", 6, 4)
    assert found["node_conv2d"] == LayerPlan("node_conv2d", "daism-fla", 6, 8)


def test_the_plan_of_a_module_can_be_given_back(models: Path):
    first = assigned(models, Plan())
    assert assigned(models, Plan(tuple(first.values()))) == first
    names = [name for name, _ in named_layers(load(models / "lenet.onnx").module)]
    assert list(first) == names


def test_unknown_layer(models: Path):
    with pytest.raises(InvalidInput) as caught:
        assigned(models, Plan((LayerPlan("node_conv2"),), "my/plan.json"))
    assert str(caught.value) == (
        "my/plan.json: the network has no layer 'node_conv2'; did you mean 'node_conv2d'?"
    )


BAD = {
    "not an object": ([], 'p: a plan is an object with a list "layers"'),
    "no layers": ({"layer": []}, 'p: a plan is an object with a list "layers"'),
    "layer": ({"layers": ["a"]}, 'p: layer 0 must be an object with a text "node"'),
    "no node": ({"layers": [{}]}, 'p: layer 0 must be an object with a text "node"'),
    "twice": ({"layers": [{"node": "a"}, {"node": "a"}]}, "p: layer 'a' appears twice"),
    "key": (
        {"layers": [{"node": "a", "weight_bit": 8}]},
        "p: layer 'a': unknown key 'weight_bit'; did you mean 'weight_bits'?",
    ),
    "bits": (
        {"layers": [{"node": "a", "weight_bits": 9}]},
        "p: layer 'a': weight_bits must be an integer from 2 to 8, got 9",
    ),
    "bits in text": (
        {"layers": [{"node": "a", "activation_bits": "8"}]},
        "p: layer 'a': activation_bits must be an integer from 2 to 8, got '8'",
    ),
    "bits true": (
        {"layers": [{"node": "a", "activation_bits": True}]},
        "p: layer 'a': activation_bits must be an integer from 2 to 8, got True",
    ),
    "multiplier": (
        {"layers": [{"node": "a", "multiplier": "daism-pc3-jl"}]},
        "p: layer 'a': unknown multiplier 'daism-pc3-jl'; did you mean 'daism-pc3-lj'?",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_plan(name: str):
    data, expected = BAD[name]
    with pytest.raises(InvalidInput) as caught:
        Plan.from_json(data, "p")
    assert str(caught.value) == expected


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe"])
def test_unreadable_plan(content: Any, tmp_path: Path):
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match=f"{path}: cannot read the plan: "):
        Plan.read(path)


def test_json_has_only_choices():
    assert json.dumps(Plan((LayerPlan("a", "exact"),)).to_json()) == (
        '{"layers": [{"node": "a", "multiplier": "exact"}]}'
    )


def test_a_layer_keeps_its_name_when_a_padding_joins_it(tmp_path: Path):
    nodes = [node("Pad", ["x", "p"], "a"), node("Conv", ["a", "w"])]
    constants = {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "w": random(4, 3, 3, 3)}
    plan = Plan((LayerPlan("y_Conv", "exact"),))
    compiled = compile(save(model(nodes, constants), tmp_path), plan=plan)
    assert [layer.node for layer in Plan.of(compiled.network.quantised).layers] == ["y_Conv"]
