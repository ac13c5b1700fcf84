"""Operators of models that onnxruntime has quantised: each layer, and the whole on the machine."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto
from onnx.helper import make_node
from ort_layers import compare, exact_session
from small_onnx import model, node, random
from test_quantised_models import models_module

from cimc import api

PADS = [1, 1, 1, 1]
FIRST, SECOND = node("Conv", ["x", "w"], "c", pads=PADS), node("Conv", ["x", "w2"], "d", pads=PADS)
LAST = node("Conv", ["s", "v"])

CONSTANTS: dict[str, NDArray[Any]] = {
    "w": random(8, 3, 3, 3),
    "w2": random(8, 3, 3, 3, seed=5),
    "v": random(8, 8, 1, 1, seed=1),
    "v2": random(8, 8, 1, 1, seed=9),
    "wide": random(8, 16, 1, 1, seed=2),
    "half": random(8, 4, 1, 1, seed=3),
    "scales": np.array([1, 1, 2, 2], np.float32),
    "sizes": np.array([4, 4]),
    "low": np.array(0, np.float32),
    "high": np.array(3, np.float32),
    "margins": np.array([0, 0, 1, 1, 0, 0, 2, 2]),
}
WINDOW = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": PADS}
NEAREST = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}
NETWORKS: dict[str, Sequence[NodeProto]] = {
    "sigmoid": [FIRST, node("Sigmoid", ["c"], "s"), LAST],
    "tanh": [FIRST, node("Tanh", ["c"], "s"), LAST],
    "leaky_relu": [FIRST, node("LeakyRelu", ["c"], "s", alpha=0.1), LAST],
    "hard_swish": [FIRST, node("HardSwish", ["c"], "s"), LAST],
    "clip": [FIRST, node("Clip", ["c", "low", "high"], "s"), LAST],
    "swish": [FIRST, node("Sigmoid", ["c"], "g"), node("Mul", ["c", "g"], "s"), LAST],
    "squeeze_excite": [
        FIRST,
        node("GlobalAveragePool", ["c"], "g"),
        node("Conv", ["g", "v2"], "h"),
        node("Sigmoid", ["h"], "i"),
        node("Mul", ["c", "i"], "s"),
        LAST,
    ],
    "concat": [
        FIRST,
        node("Relu", ["c"], "r"),
        SECOND,
        node("Concat", ["r", "d"], "s", axis=1),
        node("Conv", ["s", "wide"]),
    ],
    "sub": [FIRST, SECOND, node("Sub", ["c", "d"], "s"), LAST],
    "split": [
        FIRST,
        make_node("Split", ["c", "sizes"], ["a", "b"], name="split", axis=1),
        node("Add", ["a", "b"], "s"),
        node("Conv", ["s", "half"]),
    ],
    "resize": [FIRST, node("Resize", ["c", "", "scales"], "s", **NEAREST), LAST],
    "pad": [FIRST, node("Pad", ["c", "margins"], "s"), LAST],
    "global_max_pool": [FIRST, node("GlobalMaxPool", ["c"], "s"), LAST],
    "average_pool": [FIRST, node("AveragePool", ["c"], "s", **WINDOW), LAST],
}
X = random(16, 3, 8, 8)


def quantised(name: str, form: str, types: str, folder: Path) -> Path:
    """Network `name`, quantised by onnxruntime on `X`."""
    nodes = NETWORKS[name]
    used = {each for part in nodes for each in part.input}
    proto = model(nodes, {k: v for k, v in CONSTANTS.items() if k in used})
    path = folder / f"{name}.onnx"
    onnx.save(models_module("quantise_ort").quantise(proto, X, form, types=types), path)
    return path


@pytest.mark.parametrize("form", ["qdq", "qoperator"])
@pytest.mark.parametrize("types", ["u8s8", "s8s8"])
@pytest.mark.parametrize("name", NETWORKS)
def test_layers(name: str, types: str, form: str, tmp_path: Path) -> None:
    """At most one code apart. Means of 4 or 6 codes have halves, which floats break."""
    found = compare(quantised(name, form, types, tmp_path), X)
    assert len(found) >= 3
    assert max(each.largest for each in found) <= 1
    elements, different = (
        sum(getattr(each, key) for each in found) for key in ("elements", "different")
    )
    halves = name == "average_pool" and form == "qdq"
    assert different <= elements * (0.01 if halves else 1e-4), found


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"average_pool"}))
def test_whole_networks(name: str, tmp_path: Path) -> None:
    path = quantised(name, "qdq", "u8s8", tmp_path)
    compiled = api.compile(path, multiplier="exact", verify_each=True)
    expected = exact_session(path.read_bytes()).run(None, {"x": X})[0]
    assert np.allclose(compiled.run(None, {"x": X})[0], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.cosim
@pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("g++", "make", "perl")),
    reason="Verilator needs g++, make and perl",
)
def test_rtl_of_squeeze_excite(tmp_path: Path) -> None:
    compiled = api.compile(quantised("squeeze_excite", "qdq", "s8s8", tmp_path))
    report = compiled.verify("rtl", inputs={"x": X[:1]})
    assert report["errors"]["implementation"]["differing_bytes"] == 0
