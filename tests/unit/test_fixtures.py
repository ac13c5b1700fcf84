"""The ONNX fixtures compute what their .npz files say, by two executors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

FIXTURES = Path(__file__).parents[1] / "fixtures"
FORMS = sorted(path.stem for path in FIXTURES.glob("*.onnx"))
INT8_FORMS = {"ort_qdq", "ort_qoperator"}
OTHER_NETWORKS = {"graph_preactivation"}
FLOAT_FORMS = sorted(set(FORMS) - INT8_FORMS)
MAX_BYTES = 60_000
# A part of the largest output. Sums of int8 products saturate on processors without VNNI.
FLOAT_TOLERANCE, INT8_TOLERANCE = 1e-5, 0.1

Array = NDArray[np.float32]


def expected(form: str) -> tuple[Array, Array]:
    """x [2,3,32,32] and y [2,10] of a fixture."""
    with np.load(FIXTURES / f"{form}.npz") as data:
        return data["x"], data["y"]


def load(form: str) -> onnx.ModelProto:
    """The model with its external data."""
    return onnx.load(FIXTURES / f"{form}.onnx")


def image_input(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The only graph input that is no initialiser."""
    known = {tensor.name for tensor in model.graph.initializer}
    (entry,) = (entry for entry in model.graph.input if entry.name not in known)
    return entry


def run_onnxruntime(model: onnx.ModelProto, x: Array) -> Array:
    """Output for `x`, image by image where the batch is fixed."""
    entry = image_input(model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fixed = entry.type.tensor_type.shape.dim[0].dim_value == 1
    parts = np.split(x, len(x)) if fixed else [x]
    return np.concatenate([session.run(None, {entry.name: part})[0] for part in parts])


def error(got: Array, y: Array) -> float:
    """Largest difference as a part of the largest output."""
    assert got.shape == y.shape
    return float(np.abs(got - y).max() / np.abs(y).max())


def test_every_form_is_there() -> None:
    assert len(FORMS) == 16
    assert INT8_FORMS | OTHER_NETWORKS <= set(FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_onnxruntime_agrees(form: str) -> None:
    x, y = expected(form)
    tolerance = INT8_TOLERANCE if form in INT8_FORMS else FLOAT_TOLERANCE
    assert error(run_onnxruntime(load(form), x), y) <= tolerance


def for_reference(form: str) -> onnx.ModelProto:
    """The model under a newer opset, in which its operators mean the same.

    onnx.reference lacks DequantizeLinear before 19, and its BatchNormalization before 14 takes
    the statistics of the batch.
    """
    model = load(form)
    oldest = 19 if form == "ort_qdq" else 17
    for entry in model.opset_import:
        if not entry.domain:
            entry.version = max(entry.version, oldest)
    return model


@pytest.mark.parametrize("form", [*FLOAT_FORMS, "ort_qdq"])
def test_reference_evaluator_agrees(form: str) -> None:
    x, y = expected(form)
    model = for_reference(form)
    evaluator, name = ReferenceEvaluator(model), image_input(model).name
    got = np.concatenate([evaluator.run(None, {name: image[None]})[0] for image in x])
    tolerance = 0.02 if form in INT8_FORMS else FLOAT_TOLERANCE
    assert error(got, y) <= tolerance


@pytest.mark.parametrize("form", FORMS)
def test_two_images_give_two_outputs(form: str) -> None:
    x, y = expected(form)
    assert error(y[:1], y[1:]) > 0.1
    got = run_onnxruntime(load(form), x)
    assert error(got[:1], got[1:]) > 0.1


@pytest.mark.parametrize("form", sorted(set(FORMS) - INT8_FORMS - OTHER_NETWORKS))
def test_float_forms_are_one_network(form: str) -> None:
    x, y = expected("torchscript_opset17")
    form_x, form_y = expected(form)
    assert np.array_equal(form_x, x)
    assert np.array_equal(form_y, y)


@pytest.mark.parametrize("form", sorted(INT8_FORMS))
def test_int8_forms_are_near_the_float_network(form: str) -> None:
    _, y = expected("torchscript_opset17")
    got = expected(form)[1]
    assert 0 < error(got, y) < 0.1


def test_a_changed_weight_is_noticed() -> None:
    x, y = expected("torchscript_opset17")
    model = load("torchscript_opset17")
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[0] += 0.5
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    assert error(run_onnxruntime(model, x), y) > FLOAT_TOLERANCE


def properties(form: str) -> tuple[int, int, int, int]:
    """IR version, opset, BatchNormalization nodes, initialisers listed as inputs."""
    model = load(form)
    opset = next(entry.version for entry in model.opset_import if not entry.domain)
    norms = sum(node.op_type == "BatchNormalization" for node in model.graph.node)
    return model.ir_version, opset, norms, len(model.graph.input) - 1


@pytest.mark.parametrize(
    ("form", "ir", "opset", "norms", "listed"),
    [
        ("dynamo_batch1", 10, 20, 0, 0),
        ("dynamo_external", 10, 20, 0, 0),
        ("dynamo_opset20", 10, 20, 0, 0),
        ("dynamo_unoptimised", 10, 20, 6, 0),
        ("torchscript_opset17", 8, 17, 0, 0),
        ("torchscript_opset11", 6, 11, 0, 0),
        ("torchscript_bn_opset17", 8, 17, 6, 0),
        ("torchscript_bn_opset9", 4, 9, 6, 0),
        ("torchscript_bn_opset7_ir3", 3, 7, 6, 32),
        ("graph_bn_opset7_ir3", 3, 7, 6, 32),
        ("graph_ir3_opset9", 3, 9, 0, 14),
        ("graph_reducemean_opset13", 7, 13, 0, 0),
        ("graph_reducemean_opset26", 13, 26, 0, 0),
        ("graph_preactivation", 8, 17, 4, 0),
        ("ort_qdq", 8, 17, 0, 0),
        ("ort_qoperator", 8, 17, 0, 0),
    ],
)
def test_form_is_what_its_name_says(
    form: str, ir: int, opset: int, norms: int, listed: int
) -> None:
    assert properties(form) == (ir, opset, norms, listed)


def test_external_weights_are_outside() -> None:
    model = onnx.load(FIXTURES / "dynamo_external.onnx", load_external_data=False)
    outside = [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    ]
    assert sum(np.prod(tensor.dims) for tensor in outside) > 1000


def test_files_are_small_and_private() -> None:
    for path in FIXTURES.glob("*.onnx"):
        content = path.read_bytes()
        assert len(content) < MAX_BYTES, path.name
        assert b"site-packages" not in content, path.name
        assert b".py" not in content, path.name
