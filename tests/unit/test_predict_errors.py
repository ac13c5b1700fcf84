"""The closed form for layer errors against sums that are run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cimc import targets
from cimc.cost.error_model import Inputs, predict
from cimc.frontend import load
from cimc.frontend.data import load_calibration
from cimc.multipliers import get
from cimc.passes.context import CimContext
from cimc.passes.pipeline import PASSES, PIPELINE
from cimc.passes.predict_errors import sampled_layers
from cimc.passes.repair_fit import Moments
from cimc.passes.repair_samples import sums_of

MULTIPLIERS = ("daism-fla", "daism-pc2", "daism-pc3", "daism-pc3-lj", "daism-hla", "drum-k4")


@pytest.mark.parametrize("zero", [0, 3])
def test_all_combinations_of_independent_inputs(zero: int) -> None:
    """Two inputs with all pairs of values: the independent ones are exact. Inputs 0 and 2 agree."""
    one = np.array([0, 3, 3, 9, 77, 250])
    a, b = (v.ravel() for v in np.meshgrid(one, one[::2] + 1))
    windows = np.stack([a, b, a], axis=1).astype(np.uint8)
    codes = np.array([[-100, 37, 5], [1, 127, 90]], np.int8)
    table = get("daism-fla").table(8, 8)
    y, t = (
        sums_of(windows[:, None], codes, (zero, 0), products)
        for products in (table, get("exact").table(8, 8))
    )
    found = predict(Inputs.of(windows, zero), codes.astype(np.int64), table)
    assert np.allclose(found.mean_error, (y - t).mean(axis=0))
    assert np.allclose(found.y, y.astype(float).var(axis=0))
    assert np.allclose(found.t, t.astype(float).var(axis=0))
    measured = Moments.of(y, t, np.array([0.5, 2.0]))
    assert np.isclose(found.gain(measured.weight), measured.channel_offsets().gain[0])
    assert np.isclose(found.error(measured.weight), measured.error(measured.channel_offsets()))


def differences_db(model: Path, sample: Path, rows: int) -> list[float]:
    """Predicted less measured SNR of every layer with each of `MULTIPLIERS`.

    Histograms come from 64 images, measurements from 64 others.
    """
    imported = load(model)
    data = load_calibration(imported, sample)
    ((name, images),) = data.arrays.items()
    calibration = replace(data, arrays={name: images[:64]})
    ctx = CimContext(targets.get("daism"), imported.weights, calibration)
    for each in PIPELINE[: PIPELINE.index("repair")]:
        PASSES[each]()().apply(ctx, imported.module)
    halves = (
        sampled_layers(imported.module, ctx.weights, {name: part}, rows)
        for part in (images[:64], images[64:128])
    )
    found: list[float] = []
    for seen, other in zip(*halves, strict=True):
        inputs = seen.inputs()
        for multiplier in MULTIPLIERS:
            measured = other.measure(multiplier)
            snr = measured.snr_db(measured.channel_offsets())
            predicted = seen.predict(inputs, multiplier).snr_db(seen.weight, measured.signal())
            assert snr is not None
            assert predicted is not None
            found.append(predicted - snr)
    return found


def test_trained_network(models: Path) -> None:
    found = differences_db(models / "lenet.onnx", models / "fashion_mnist_sample.npz", 2048)
    assert len(found) == 5 * len(MULTIPLIERS)
    assert np.mean(np.abs(found) <= 1) >= 0.9
    assert np.abs(found).max() < 2


@pytest.mark.slow
def test_deeper_network(models: Path) -> None:
    found = differences_db(models / "resnet18_w16.onnx", models / "fashion_mnist_sample.npz", 4096)
    assert np.mean(np.abs(found) <= 1) >= 0.9
