"""The ResNet-18 generator: every form is the same network, and that is torchvision's."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
NEWEST_OPSET = onnx.defs.onnx_opset_version()
SMALL = {"width": 4, "size": 32, "classes": 10}


def models_module(name: str) -> ModuleType:
    """A script of models/, which are run from there and are no package."""
    sys.path.insert(0, str(ROOT / "models"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


graph = models_module("resnet_graph")
weights_of = models_module("resnet_weights").random_weights
maker = models_module("make_resnet18")


def combinations() -> list[dict[str, object]]:
    """Every value of every option of the form, at the opsets where operators changed."""
    options = itertools.product(
        ("fold", "keep"),
        (7, 9, 13, 14, 17, 18, 20),
        (False, True),
        ("gap", "reducemean"),
        ("flatten", "reshape"),
        (False, True),
    )
    names = ("bn", "opset", "ir3_inputs", "pool", "flatten", "dynamic_batch")
    return [dict(zip(names, values, strict=True)) for values in options]


@pytest.mark.parametrize("preactivation", [False, True])
def test_all_forms_are_one_network(preactivation: bool) -> None:
    network = graph.Form(**SMALL, preactivation=preactivation)
    weights = weights_of(network, seed=3)
    x = maker.random_images(network, 2, seed=4)
    literal = graph.Form("keep", **SMALL, preactivation=preactivation)
    expected = maker.run(graph.build(literal, weights), x)
    assert np.abs(expected[0] - expected[1]).max() > 0.02 * np.abs(expected).max()
    for options in combinations():
        form = graph.Form(**SMALL, **options, preactivation=preactivation)
        got = maker.run(graph.build(form, weights), x)
        np.testing.assert_allclose(got, expected, atol=1e-5, err_msg=str(form))


@pytest.mark.parametrize("opset", range(7, NEWEST_OPSET + 1))
def test_every_opset_by_the_reference_evaluator(opset: int) -> None:
    """Those too that are newer than onnxruntime."""
    form = graph.Form(
        width=4, size=8, classes=10, opset=opset, pool="reducemean", flatten="reshape"
    )
    weights = weights_of(form, seed=3)
    x = maker.random_images(form, 2, seed=4)
    literal = graph.Form("keep", width=4, size=8, classes=10)
    expected = maker.run(graph.build(literal, weights), x)
    model = graph.build(form, weights)
    assert model.opset_import[0].version == opset
    (got,) = ReferenceEvaluator(model).run(None, {"input": x})
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_full_size_is_torchvision_resnet18() -> None:
    form = graph.Form(bn="keep")
    weights = weights_of(form, seed=0)
    trained = [value.size for name, value in weights.items() if "running" not in name]
    assert sum(trained) == 11_689_512
    model = onnx.shape_inference.infer_shapes(graph.build(form, weights))
    shapes = {
        info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        for info in model.graph.value_info
    }
    ops = Counter(node.op_type for node in model.graph.node)
    assert ops == {
        "Conv": 20,
        "BatchNormalization": 20,
        "Relu": 17,
        "Add": 8,
        "MaxPool": 1,
        "GlobalAveragePool": 1,
        "Flatten": 1,
        "Gemm": 1,
    }
    macs = form.features * form.classes
    for node in model.graph.node:
        if node.op_type == "Conv":
            height, width = shapes[node.output[0]][2:]
            macs += weights[node.input[1]].size * height * width
    assert macs == 1_814_073_344


@pytest.mark.parametrize("exported", ["torchscript_bn_opset17", "torchscript_bn_opset9"])
def test_graph_with_exported_weights_computes_what_torch_computed(exported: str) -> None:
    source = onnx.load(FIXTURES / f"{exported}.onnx")
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in source.graph.initializer}
    model = graph.build(graph.Form(width=4, size=32, classes=10, blocks=(1, 1)), weights)
    with np.load(FIXTURES / f"{exported}.npz") as data:
        np.testing.assert_allclose(maker.run(model, data["x"]), data["y"], atol=1e-5)


@pytest.mark.parametrize("kind", ["qdq", "qoperator"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_quantised_forms(kind: str, tmp_path: Path) -> None:
    quantise = models_module("quantise_ort").quantise
    form = graph.Form(**SMALL)
    weights = weights_of(form, seed=0)
    model = quantise(graph.build(form, weights), maker.random_images(form, 8, seed=2), kind)
    ops = Counter(node.op_type for node in model.graph.node)
    assert ops["QLinearConv" if kind == "qoperator" else "Conv"] == 20
    assert ops["Relu"] == 0
    maker.save(model, tmp_path / "int8.onnx", external_data=False)
    maker.check(tmp_path / "int8.onnx", form, weights, maker.INT8_TOLERANCE)


def test_quantiser_refuses_old_opsets() -> None:
    form = graph.Form(**SMALL, opset=12)
    model = graph.build(form, weights_of(form, seed=0))
    with pytest.raises(ValueError, match="opset 12: per-channel scales need opset 13"):
        models_module("quantise_ort").quantise(model, maker.random_images(form, 1, 2), "qdq")


def test_external_data_is_written_once(tmp_path: Path) -> None:
    form = graph.Form(**SMALL)
    model = graph.build(form, weights_of(form, seed=0))
    path = tmp_path / "r.onnx"
    sizes = []
    for _ in range(2):
        maker.save(model, path, external_data=True)
        sizes.append((tmp_path / "r.onnx.data").stat().st_size)
    assert sizes[0] == sizes[1] > path.stat().st_size


def test_same_seed_same_bytes() -> None:
    form = graph.Form(**SMALL)
    first, second, other = (
        graph.build(form, weights_of(form, seed)).SerializeToString() for seed in (1, 1, 2)
    )
    assert first == second != other


def test_check_catches_a_wrong_network(tmp_path: Path) -> None:
    form = graph.Form(**SMALL)
    weights = weights_of(form, seed=0)
    changed = dict(weights)
    changed["layer4.1.bn2.bias"] = weights["layer4.1.bn2.bias"] + np.float32(0.1)
    path = tmp_path / "r.onnx"
    maker.save(graph.build(form, changed), path, external_data=False)
    with pytest.raises(ValueError, match="differs from the literal form"):
        maker.check(path, form, weights, maker.FLOAT_TOLERANCE)


def test_check_catches_a_constant_network(tmp_path: Path) -> None:
    form = graph.Form(**SMALL)
    weights = weights_of(form, seed=0)
    weights["fc.weight"] = np.zeros_like(weights["fc.weight"])
    path = tmp_path / "r.onnx"
    maker.save(graph.build(form, weights), path, external_data=False)
    with pytest.raises(ValueError, match="two images give the same output"):
        maker.check(path, form, weights, maker.FLOAT_TOLERANCE)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the generator as its users do."""
    script = str(ROOT / "models" / "make_resnet18.py")
    return subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, check=False
    )


def test_command_writes_and_checks(tmp_path: Path) -> None:
    path = tmp_path / "r.onnx"
    form = "--bn keep --opset 20 --pool reducemean --flatten reshape --batch 1 --external-data"
    size = "--width 4 --size 32 --classes 10 --seed 5 --check"
    done = command(str(path), *form.split(), *size.split())
    assert done.returncode == 0, done.stderr
    assert "opset 20, 69 nodes" in done.stdout
    assert {entry.name for entry in tmp_path.iterdir()} == {"r.onnx", "r.onnx.data"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--opset", "6"], f"error: opset 6 is not in 7..{NEWEST_OPSET}\n"),
        (["--size", "0"], "error: width, classes, size and blocks must be positive\n"),
    ],
)
def test_command_refuses(options: list[str], message: str, tmp_path: Path) -> None:
    done = command(str(tmp_path / "r.onnx"), *options)
    assert (done.returncode, done.stderr) == (1, message)
    assert not list(tmp_path.iterdir())
