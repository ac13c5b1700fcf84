"""The closed form for layer errors against sums that are run."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cimc import targets
from cimc.api import CompiledModel, compile
from cimc.backend.terminal_table import report_text
from cimc.cost.error_model import Inputs, Products, predict
from cimc.frontend import load
from cimc.frontend.data import load_calibration
from cimc.multipliers import get
from cimc.passes.context import CimContext
from cimc.passes.pipeline import PASSES, PIPELINE
from cimc.passes.plan_search import Bits
from cimc.passes.precisions import Precisions
from cimc.passes.repair_fit import Correction, Moments
from cimc.passes.repair_samples import sums_of
from cimc.passes.sampled_layers import sampled_layers

MULTIPLIERS = ("daism-fla", "daism-pc2", "daism-pc3", "daism-pc3-lj", "daism-hla", "drum-k4")


@pytest.mark.parametrize("zero", [0, 3])
@pytest.mark.parametrize("bits", [(8, 8), (4, 8), (8, 5), (3, 4)])
def test_all_combinations_of_independent_inputs(zero: int, bits: tuple[int, int]) -> None:
    """Two inputs with all pairs of values: the independent ones are exact. Inputs 0 and 2 agree.

    Fewer bits of weights or activations: coarser codes instead of those that are wanted.
    """
    one = np.array([0, 3, 3, 9, 77, 250])
    a, b = (v.ravel() for v in np.meshgrid(one, one[::2] + 1))
    windows = np.stack([a, b, a], axis=1).astype(np.uint8)
    codes = np.array([[-100, 37, 5], [1, 127, 90]], np.int8)
    coarse = np.array([2.0 ** (8 - bits[0]), 2.0 ** (8 - bits[0]) + 0.5])
    stored = np.rint(codes / coarse[:, None]).astype(np.int8)
    step = 2.0 ** (8 - bits[1]) + (bits[1] < 8) / 3
    read = np.rint((windows - float(zero)) / step).astype(np.int16)
    table = get("daism-fla").table(8, 8)
    exact = get("exact").table(8, 8)
    t = sums_of(windows[:, None], codes, (zero, 0), exact)
    y, q = (
        sums_of((read + zero).astype(np.uint8)[:, None], stored, (zero, 0), products)
        for products in (table, exact)
    )
    factor = coarse * step
    inputs = Inputs.of(windows, zero)
    used, at = np.unique(stored.astype(np.int64), return_inverse=True)
    values = np.rint(inputs.values / step).astype(np.int64)
    products = Products(used, at.reshape(stored.shape), values, factor, table)
    found = predict(inputs, codes.astype(np.int64), products)
    assert np.allclose(found.mean_error, (y - q).mean(axis=0) * factor)
    assert np.allclose(found.shift, (q * factor - t).mean(axis=0))
    assert np.allclose(found.y, y.astype(float).var(axis=0) * factor**2)
    assert np.allclose(found.t, t.astype(float).var(axis=0))
    weight = np.array([0.25, 4.0])
    fitted = Moments.of(y, q, np.sqrt(weight) * factor).channel_offsets()
    assert np.isclose(found.gain(weight), fitted.gain[0])
    measured = Moments.of(y * factor, t, np.sqrt(weight))
    correction = Correction(fitted.gain, fitted.offset * factor)
    assert np.isclose(found.error(weight), measured.error(correction))


def differences_db(model: Path, sample: Path, rows: int, bits: Sequence[Bits]) -> list[float]:
    """Predicted less measured SNR of every layer with each of `MULTIPLIERS` and of `bits`.

    Histograms come from 64 images, measurements from 64 others; both are against exact sums of 8
    bits.
    """
    imported = load(model)
    data = load_calibration(imported, sample)
    ((name, images),) = data.arrays.items()
    calibration = replace(data, arrays={name: images[:64]})
    ctx = CimContext(targets.get("daism"), imported.weights, calibration)
    for each in PIPELINE[: PIPELINE.index("choose-plan")]:
        PASSES[each]()().apply(ctx, imported.module)
    precisions = Precisions(ctx, imported.module, [8, *(each for both in bits for each in both)])
    halves = (
        sampled_layers(precisions.module(precisions.finest), ctx.weights, {name: part}, rows)
        for part in (images[:64], images[64:128])
    )
    found: list[float] = []
    for seen, other in zip(*halves, strict=True):
        for multiplier, both in itertools.product(MULTIPLIERS, bits):
            given = None if both == (8, 8) else precisions.operands(seen.name, both)
            predicted = seen.predicted_snr_db(multiplier, given)
            measured = other.measured_snr_db(multiplier, given)
            assert measured is not None
            assert predicted is not None
            found.append(predicted - measured)
    return found


def test_report_has_both(lenet: CompiledModel) -> None:
    layers = [layer for layer in lenet.report["layers"] if layer["macs"]]
    assert layers[0]["multiplier"] == "daism-pc3-lj"
    for layer in layers:
        assert 20 < layer["predicted_snr_db"] < 50
        assert abs(layer["predicted_snr_db"] - layer["measured_snr_db"]) < 2
    found = report_text(lenet.report)
    assert "SNR dB  measured" in found
    assert f"{layers[0]['predicted_snr_db']:.1f}" in found


@pytest.mark.parametrize(("multiplier", "calibrated"), [("exact", True), ("daism-fla", False)])
def test_nothing_to_report(models: Path, multiplier: str, calibrated: bool) -> None:
    data = models / "fashion_mnist_sample.npz" if calibrated else None
    report = compile(models / "lenet.onnx", calibration=data, multiplier=multiplier).report
    assert all(layer["measured_snr_db"] is None for layer in report["layers"])
    assert "SNR" not in report_text(report)


def test_trained_network(models: Path) -> None:
    sample = models / "fashion_mnist_sample.npz"
    found = differences_db(models / "lenet.onnx", sample, 2048, [(8, 8)])
    assert len(found) == 5 * len(MULTIPLIERS)
    assert np.mean(np.abs(found) <= 1) >= 0.9
    assert np.abs(found).max() < 2


def test_fewer_bits(models: Path) -> None:
    sample = models / "fashion_mnist_sample.npz"
    found = differences_db(models / "lenet.onnx", sample, 2048, [(4, 4), (8, 5), (6, 8)])
    assert len(found) == 15 * len(MULTIPLIERS)
    assert np.mean(np.abs(found) <= 1) >= 0.9
    assert np.abs(found).max() < 2.5


@pytest.mark.slow
def test_deeper_network(models: Path) -> None:
    sample = models / "fashion_mnist_sample.npz"
    found = differences_db(models / "resnet18_w16.onnx", sample, 4096, [(8, 8), (4, 4)])
    assert np.mean(np.abs(found) <= 1) >= 0.9
