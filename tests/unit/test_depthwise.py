"""Depthwise convolutions from ONNX: where they run, and what the report says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_onnx import model, node, random, save

import cimc
from cimc.passes.plan import LayerPlan, Plan

CHANNELS = 36
"""More than a beat, and not a multiple of one."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 1x1 convolution, then a 3x3 and a 5x5 depthwise one."""
    weights = {
        "a": random(CHANNELS, 3, 1, 1),
        "b": random(CHANNELS, 1, 3, 3, seed=1),
        "c": random(CHANNELS, 1, 5, 5, seed=2),
    }
    nodes = [
        node("Conv", ["x", "a"], "p"),
        node("Conv", ["p", "b"], "q", group=CHANNELS, pads=[1] * 4),
        node("Conv", ["q", "c"], "y", group=CHANNELS, pads=[2] * 4, strides=[2, 2]),
    ]
    return save(model(nodes, weights), tmp_path_factory.mktemp("depthwise"))


def layers(compiled: cimc.CompiledModel) -> list[dict[str, Any]]:
    return [layer for layer in compiled.report["layers"] if layer["macs"]]


def test_the_vector_unit_is_the_default(network: Path) -> None:
    compiled = cimc.compile(network, multiplier="daism-fla")
    point, first, second = layers(compiled)
    assert [layer["multiplier"] for layer in (point, first, second)] == [
        "daism-fla",
        "exact",
        "exact",
    ]
    assert point["products_per_cycle"] == 512
    expected = {
        "macs": 8 * 8 * CHANNELS * 9,
        "rows": None,
        "reads": 1,
        "weight_bits": 8,
        "activation_bits": 8,
        "tiles": 2,
        "products_per_cycle": 32,
        "ideal_cycles": 8 * 8 * CHANNELS * 9 // 32,
        "array_accesses": 0,
        "array_cycles": 0,
    }
    assert {key: first[key] for key in expected} == expected
    assert second["macs"] == 4 * 4 * CHANNELS * 25
    for layer in (first, second):
        assert layer["utilisation"] == round(layer["macs"] / (layer["cycles"] * 32), 4)
    assert compiled.verify()["errors"]["implementation"]["differing_bytes"] == 0


def test_a_plan_sends_one_to_the_array(network: Path) -> None:
    plan = Plan((LayerPlan("q_Conv", "daism-pc3-lj"),))
    compiled = cimc.compile(network, plan=plan)
    _, first, second = layers(compiled)
    assert (first["multiplier"], first["products_per_cycle"]) == ("daism-pc3-lj", 512)
    assert (second["multiplier"], second["products_per_cycle"]) == ("exact", 32)
    assert first["array_accesses"] > 0
    assert compiled.verify()["errors"]["implementation"]["differing_bytes"] == 0
