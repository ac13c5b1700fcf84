"""The nn level against onnxruntime, before and after every float pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_onnx import model, node, onnxruntime_result, random, save
from xdsl.passes import ModulePass

from cimc import targets
from cimc.dialects import nn
from cimc.frontend import ImportedModel, load
from cimc.interp.nn import run
from cimc.passes.canonicalise_nn import CanonicaliseNnPass
from cimc.passes.context import CimContext
from cimc.passes.fold_batch_norm import FoldBatchNormPass

FIXTURES = Path(__file__).parents[1] / "fixtures"
FORMS = sorted(path.stem for path in FIXTURES.glob("*.onnx") if not path.stem.startswith("ort_"))
PASSES: tuple[ModulePass, ...] = (FoldBatchNormPass(), CanonicaliseNnPass())


def outputs(imported: ImportedModel, x: np.ndarray) -> np.ndarray:
    """The only output on input `x`."""
    name, inputs = imported.outputs[0].name, {imported.inputs[0].name: x}
    return run(imported.module, imported.weights, inputs).outputs[name]


def check_passes(imported: ImportedModel, x: np.ndarray, expected: np.ndarray) -> None:
    """Values before and after each pass are `expected`, within float32 rounding."""
    ctx = CimContext(targets.get("daism"), imported.weights)
    largest = np.abs(expected).max()
    np.testing.assert_allclose(outputs(imported, x) / largest, expected / largest, atol=1e-5)
    for each in PASSES:
        each.apply(ctx, imported.module)
        imported.module.verify()
        found = outputs(imported, x)
        np.testing.assert_allclose(found / largest, expected / largest, atol=1e-5)


def kinds(imported: ImportedModel) -> list[str]:
    """Names of the operations, in order."""
    return [op.name for op in imported.module.walk() if isinstance(op, nn.NnOp)]


@pytest.mark.parametrize("form", FORMS)
def test_exported_forms(form: str):
    stored = np.load(FIXTURES / f"{form}.npz")
    imported = load(FIXTURES / f"{form}.onnx")
    check_passes(imported, stored["x"], stored["y"])
    layers = {"nn.conv", "nn.gemm", "nn.add", "nn.flatten"}
    assert set(kinds(imported)) == layers | {"nn.max_pool", "nn.global_average_pool"}


def test_the_forms_of_one_network_import_alike():
    """Exporters write the same network in many ways; import leaves nothing of that."""
    ctx = CimContext(targets.get("daism"))
    found: set[tuple[str, ...]] = set()
    for form in FORMS:
        if form == "graph_preactivation":
            continue
        imported = load(FIXTURES / f"{form}.onnx")
        ctx.weights = imported.weights
        for each in PASSES:
            each.apply(ctx, imported.module)
        found.add(tuple(kinds(imported)))
    assert len(found) == 1


@pytest.mark.parametrize("name", ["lenet", "resnet8", "resnet18_w16"])
def test_trained_models(name: str, models: Path):
    path = models / f"{name}.onnx"
    imported = load(path)
    x = random(3, *imported.inputs[0].shape[1:])
    check_passes(imported, x, onnxruntime_result(path, {"input": x}))


W3, W1 = random(4, 3, 3, 3, seed=1), random(3, 3, 1, 1, seed=2)
NORM = {
    "s": random(3, seed=3),
    "b": random(3, seed=4),
    "m": random(3, seed=5),
    "v": np.abs(random(3, seed=6)) + np.float32(0.1),
}
BATCH_NORM = ["s", "b", "m", "v"]
PADS = np.array([0, 0, 1, 2, 0, 0, 2, 1], np.int64)

NETWORKS = {
    "normalised input": [
        node("BatchNormalization", ["x", *BATCH_NORM], "n"),
        node("Conv", ["n", "w3"], pads=[1, 1, 1, 1]),
    ],
    "conv read twice": [
        node("Conv", ["x", "w1"], "c"),
        node("BatchNormalization", ["c", *BATCH_NORM], "n"),
        node("Relu", ["n"], "r"),
        node("Add", ["c", "r"]),
    ],
    "constants one after another": [
        node("Conv", ["x", "w1"], "c"),
        node("Mul", ["c", "k"], "p"),
        node("Sub", ["p", "k"], "d"),
        node("Relu", ["d"]),
    ],
    "norm behind add": [
        node("Relu", ["x"], "r"),
        node("Add", ["x", "r"], "a"),
        node("BatchNormalization", ["a", *BATCH_NORM], "n"),
        node("Relu", ["n"]),
    ],
    "clips": [
        node("Conv", ["x", "w1"], "c"),
        node("Clip", ["c", "low"], "c1"),
        node("Clip", ["c1", "", "high"], "c2"),
        node("Relu", ["c2"]),
    ],
    "relu behind pool": [
        node("Conv", ["x", "w1"], "c"),
        node("MaxPool", ["c"], "p", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["p"]),
    ],
    "pad into conv": [
        node("Pad", ["x", "pads"], "p"),
        node("Conv", ["p", "w3"], pads=[1, 0, 0, 1], strides=[2, 2]),
    ],
    "pad into mean": [
        node("Pad", ["x", "pads"], "p"),
        node("AveragePool", ["p"], kernel_shape=[3, 3], strides=[2, 2]),
    ],
    "pad too wide for mean": [
        node("Pad", ["x", "pads"], "p"),
        node("AveragePool", ["p"], kernel_shape=[2, 2]),
    ],
    "pad into max": [
        node("Relu", ["x"], "r"),
        node("Pad", ["r", "pads"], "p"),
        node("MaxPool", ["p"], kernel_shape=[3, 3], strides=[2, 2]),
    ],
    "pad before max of any sign": [
        node("Pad", ["x", "pads"], "p"),
        node("MaxPool", ["p"], kernel_shape=[3, 3], strides=[2, 2]),
    ],
    "pad read twice": [
        node("Pad", ["x", "pads"], "p"),
        node("Conv", ["p", "w1"], "c"),
        node("Add", ["p", "c"]),
    ],
    "pools of one cell": [
        node("Relu", ["x"], "r"),
        node("MaxPool", ["r"], "p", kernel_shape=[1, 1]),
        node("AveragePool", ["p"], kernel_shape=[1, 1]),
    ],
    "vector": [
        node("GlobalAveragePool", ["x"], "g"),
        node("Flatten", ["g"], "f"),
        node("Relu", ["f"], "r"),
        node("Mul", ["r", "vector"], "v1"),
        node("Gemm", ["v1", "square"], "h"),
        node("Relu", ["h"], "h1"),
        node("Add", ["h", "h1"]),
    ],
    "depthwise": [
        node("Conv", ["x", "depthwise"], "c", group=3, pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c", *BATCH_NORM], "n"),
        node("Clip", ["n", "low", "high"]),
    ],
}

CONSTANTS = NORM | {
    "w3": W3,
    "w1": W1,
    "k": random(3, 1, 1, seed=7),
    "low": np.float32(-0.25),
    "high": np.float32(0.75),
    "pads": PADS,
    "vector": random(3, seed=8),
    "square": random(3, 3, seed=9),
    "depthwise": random(3, 1, 3, 3, seed=10),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_passes_keep_values(name: str, tmp_path: Path):
    nodes = NETWORKS[name]
    used = {i for n in nodes for i in n.input}
    path = save(model(nodes, {k: v for k, v in CONSTANTS.items() if k in used}), tmp_path)
    x = random(3, 3, 8, 8, seed=11)
    imported = load(path)
    check_passes(imported, x, onnxruntime_result(path, {"x": x}))
    assert not {"nn.batch_norm", "nn.pad"} & set(kinds(imported))


def test_a_wrong_fold_would_be_seen():
    """The comparison fails when one weight is off by a thousandth of the largest."""
    form = "torchscript_bn_opset17"
    stored = np.load(FIXTURES / f"{form}.npz")
    imported = load(FIXTURES / f"{form}.onnx")
    norm = next(op for op in imported.module.walk() if isinstance(op, nn.BatchNormOp))
    scale = imported.weights.get(norm.scale.key.data) * np.float32(1.001)
    norm.scale = nn.store_blob(imported.weights, scale)
    with pytest.raises(AssertionError):
        check_passes(imported, stored["x"], stored["y"])


def test_intermediates_are_those_of_onnxruntime(tmp_path: Path):
    nodes = [
        node("Conv", ["x", "w3"], "c"),
        node("Relu", ["c"], "r"),
        node("Relu", ["r"]),
    ]
    proto = model(nodes, {"w3": W3})
    imported = load(save(proto, tmp_path))
    x = random(2, 3, 8, 8)
    found = run(imported.module, imported.weights, {"x": x}, intermediates=True)
    proto.graph.output[0].name = "c"
    expected = onnxruntime_result(save(proto, tmp_path, "c.onnx"), {"x": x})
    first = next(op for op in found.tensors if isinstance(op, nn.ConvOp))
    np.testing.assert_allclose(found.tensors[first], expected, rtol=1e-5, atol=1e-5)
    assert [op.name for op in found.tensors] == ["nn.conv", "nn.relu", "nn.relu"]
