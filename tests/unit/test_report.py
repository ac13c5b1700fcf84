"""The report has exactly the keys and types that docs/report.md documents."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_onnx import model, node, save

from cimc.api import CompiledModel, compile
from cimc.backend.report import SignalToNoise
from cimc.backend.terminal_table import report_text

DOC = Path(__file__).parents[2] / "docs" / "report.md"

TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def documented() -> dict[str, str]:
    """Type of every documented key."""
    rows = re.findall(r"^\| `([\w.\[\]]+)` \| ([a-z ]+) \|", DOC.read_text("utf-8"), re.MULTILINE)
    return {key: kind for key, kind in rows if "/" not in key}


def flattened(value: Any, schema: dict[str, str], key: str = "") -> dict[str, list[Any]]:
    """Values by key path, ``layers[].node`` for lists of objects; documented objects whole."""
    found: dict[str, list[Any]] = {}
    if isinstance(value, dict) and schema.get(key) != "object":
        parts = [(f"{key}.{name}" if key else name, v) for name, v in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        parts = [(f"{key}[]", v) for v in value]
    elif value == [] and any(path.startswith(f"{key}[]") for path in schema):
        return {path: [] for path in schema if path.startswith(f"{key}[]")}
    else:
        return {key: [value]}
    for name, part in parts:
        for path, values in flattened(part, schema, name).items():
            found.setdefault(path, []).extend(values)
    return found


def schema_problems(report: dict[str, Any], schema: dict[str, str]) -> list[str]:
    """Keys that are missing, undocumented or of another type."""
    found = flattened(report, schema)
    problems = [f"missing {key}" for key in schema if key not in found]
    for key, values in found.items():
        if key not in schema:
            problems.append(f"undocumented {key}")
            continue
        allowed = tuple(t for kind in schema[key].split(" or ") for t in TYPES[kind])
        # bool is an int in Python, but not in JSON
        problems += [
            f"{key} is {value!r}"
            for value in values
            if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)
        ]
    return problems


@pytest.fixture(scope="module")
def report(models: Path) -> dict[str, Any]:
    network = compile(models / "lenet.onnx", calibration=models / "fashion_mnist_sample.npz")
    return network.verify("emulate", images=2)


def test_documented_keys_and_types(report: dict[str, Any]) -> None:
    assert schema_problems(json.loads(json.dumps(report, allow_nan=False)), documented()) == []


def test_documented_keys_with_parts_on_the_host(tmp_path: Path) -> None:
    nodes = [node("GlobalAveragePool", ["x"], "g"), node("Flatten", ["g"], "f")]
    network = compile(save(model([*nodes, node("Softmax", ["f"])]), tmp_path))
    assert len(network.report["host"]) == 1
    assert schema_problems(network.report, documented()) == []


def test_unverified_report_has_the_same_keys(lenet: CompiledModel) -> None:
    assert schema_problems(lenet.report, documented()) == []
    assert lenet.report["errors"]["implementation"]["differing_bytes"] is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda r: r["cycles"].pop("rtl"), "missing cycles.rtl"),
        (lambda r: r["layers"][0].update(time=1), "undocumented layers[].time"),
        (lambda r: r.update(macs="many"), "macs is 'many'"),
        (lambda r: r["cycles"].update(ideal=True), "cycles.ideal is True"),
    ],
)
def test_planted_changes_are_found(report: dict[str, Any], change: Any, problem: str) -> None:
    broken = copy.deepcopy(report)
    change(broken)
    assert problem in schema_problems(broken, documented())


def test_figures_of_lenet(report: dict[str, Any]) -> None:
    layers = report["layers"]
    assert [layer["macs"] for layer in layers if layer["macs"]] == [
        28 * 28 * 6 * 25,
        10 * 10 * 16 * 25 * 6,
        400 * 120,
        120 * 84,
        84 * 10,
    ]
    assert report["macs"] == sum(layer["macs"] for layer in layers)
    assert sum(layer["cycles"] for layer in layers) <= report["cycles"]["estimated"]
    for layer in layers:
        if layer["macs"]:
            assert layer["ideal_cycles"] <= layer["array_accesses"] <= layer["array_cycles"]
            assert layer["multiplier"] == "daism-pc3-lj"
    assert report["errors"]["implementation"]["differing_bytes"] == 0
    assert report["errors"]["quantisation"]["sqnr_db"] > 25


def test_equal_inputs_give_equal_reports(models: Path, lenet: CompiledModel) -> None:
    again = compile(models / "lenet.onnx", calibration=models / "fashion_mnist_sample.npz")
    assert again.report == lenet.report


def test_noise_is_noted_loudly(models: Path) -> None:
    network = compile(models / "lenet.onnx")
    assert not network.report["calibration"]["ranges_are_real"]
    assert "RANGES ARE NOT REAL" in report_text(network.report)


def test_table_shows_every_layer_and_the_three_errors(report: dict[str, Any]) -> None:
    text = report_text(report)
    for layer in report["layers"]:
        assert layer["node"] in text
    for error in ("quantisation", "approximation", "implementation  0 of"):
        assert f"\n{error}" in text


def test_signal_to_noise() -> None:
    clean = np.array([3.0, 4.0])
    assert SignalToNoise.of([clean], [clean]) == SignalToNoise(None, 0.0, True)
    noisy = SignalToNoise.of([clean], [clean + np.array([0.05, 0.0])])
    assert noisy.sqnr_db == pytest.approx(40.0, abs=1e-3)
    assert noisy.max_abs == pytest.approx(0.05)
    assert SignalToNoise.of([np.zeros(2)], [clean]).sqnr_db == -999.0
