"""The Python interface behaves like onnxruntime's, and its results are the machine's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from cimc import targets
from cimc.api import CompiledModel, compile
from cimc.diagnostics import InvalidInput
from cimc.frontend.data import load_calibration
from cimc.interp import nn as nn_level
from cimc.passes.plan import LayerPlan, Plan


@pytest.fixture(scope="module")
def x(lenet: CompiledModel) -> np.ndarray:
    calibration = lenet.compilation.ctx.calibration
    assert calibration is not None
    return calibration.arrays["input"][:5]


def test_run_is_the_interpreted_network(lenet: CompiledModel, x: np.ndarray) -> None:
    (y,) = lenet.run(None, {"input": x})
    compilation = lenet.compilation
    expected = nn_level.run(compilation.quantised, compilation.ctx.weights, {"input": x}).outputs
    assert y.dtype == np.float32
    assert np.array_equal(y, expected["output"])
    assert np.array_equal(lenet.run(["output"], {"input": x[1:2]})[0], y[1:2])


def test_run_is_close_to_onnxruntime(models: Path, x: np.ndarray) -> None:
    exact = compile(
        models / "lenet.onnx",
        calibration={"input": x},
        multiplier="exact",
    )
    (y,) = exact.run(None, {"input": x})
    (truth,) = onnxruntime.InferenceSession(models / "lenet.onnx").run(None, {"input": x})
    assert np.abs(y - truth).max() < 0.05 * np.abs(truth).max()
    assert exact.report["calibration"] == {
        "source": "arrays",
        "images": 5,
        "ranges_are_real": True,
        "note": "activation ranges from 5 images",
    }


def test_no_images_give_no_outputs(lenet: CompiledModel, x: np.ndarray) -> None:
    (y,) = lenet.run(None, {"input": x[:0]})
    assert y.shape == (0, 10)


@pytest.mark.parametrize(
    ("names", "inputs", "message"),
    [
        (["logits"], {"input": np.zeros((1, 1, 28, 28))}, "the model has no output 'logits'"),
        (None, {"image": np.zeros((1, 1, 28, 28))}, "the model's inputs are ['input']"),
        (None, {"input": np.zeros((1, 3, 28, 28))}, "input 'input' has shape (1, 3, 28, 28)"),
        (None, {"input": np.full((1, 1, 28, 28), np.nan)}, "input 'input' holds NaN"),
    ],
)
def test_bad_arguments(
    lenet: CompiledModel, names: list[str] | None, inputs: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        lenet.run(names, inputs)
    assert str(caught.value).startswith(message)


def test_stages(lenet: CompiledModel) -> None:
    assert "nn.conv" in lenet.ir("nn")
    assert "cim.conv" in lenet.ir("cim-scheduled")
    with pytest.raises(InvalidInput, match="unknown stage 'cims'; did you mean 'cim'"):
        lenet.ir("cims")


def test_plan_and_target_objects(models: Path) -> None:
    plan = Plan((LayerPlan("node_conv2d", multiplier="daism-fla"),))
    model = compile(models / "lenet.onnx", target=targets.get("daism-small"), plan=plan)
    assert model.report["target"]["name"] == "daism-small"
    used = [layer["multiplier"] for layer in model.report["layers"] if layer["multiplier"]]
    assert used == ["daism-fla", *["daism-pc3-lj"] * 4]


def test_saved_directory_is_complete(lenet: CompiledModel, tmp_path: Path) -> None:
    lenet.save(tmp_path / "out")
    assert (tmp_path / "out" / "report.json").is_file()


def test_calibration_paths_may_be_text(models: Path) -> None:
    sample = str(models / "fashion_mnist_sample.npz")
    model = compile(str(models / "lenet.onnx"), calibration=sample)
    arrays = load_calibration(model.compilation.model, Path(sample)).arrays
    given = model.compilation.ctx.calibration
    assert given is not None
    assert np.array_equal(given.arrays["input"], arrays["input"])
