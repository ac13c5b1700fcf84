"""Repair: what is fitted, what the hold-out images reject, and that only integers change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from cimc import targets
from cimc.api import compile
from cimc.diagnostics import InvalidInput
from cimc.dialects.nn import ConvOp, WeightedOp, operand_bits
from cimc.frontend import load
from cimc.frontend.data import load_calibration
from cimc.interp.nn import run
from cimc.interp.nn_quantised import conv
from cimc.multipliers import get as get_multiplier
from cimc.passes import repair_layer
from cimc.passes.context import CimContext
from cimc.passes.pipeline import PASSES, PIPELINE
from cimc.passes.repair import RepairPass
from cimc.passes.repair_fit import Correction, HalvedMoments, Moments, doubled
from cimc.passes.repair_samples import Places, sums_of
from cimc.passes.repair_steps import STEPS
from cimc.passes.repair_streams import Streams, exact_twin
from cimc.quant import requantise

FITTED = 128
"""Sample images that are calibrated on; the others are evaluated on."""


def quantised(models: Path, multiplier: str) -> tuple[CimContext, ModuleOp, NDArray[Any]]:
    """LeNet in integers, and images that it was not calibrated on."""
    imported = load(models / "lenet.onnx")
    data = load_calibration(imported, models / "fashion_mnist_sample.npz")
    ((name, images),) = data.arrays.items()
    own = replace(data, arrays={name: images[:FITTED]})
    ctx = CimContext(targets.get("daism"), imported.weights, own)
    for each in PIPELINE[: PIPELINE.index("repair")]:
        options = {"multiplier": multiplier} if each == "assign-multiplier" else {}
        PASSES[each]()(**options).apply(ctx, imported.module)
    return ctx, imported.module, images[FITTED:]


def layers(module: ModuleOp) -> list[WeightedOp]:
    """Layers in order."""
    return [op for op in module.walk() if isinstance(op, WeightedOp)]


def outputs(ctx: CimContext, module: ModuleOp, images: NDArray[Any]) -> NDArray[Any]:
    """The network's only result."""
    assert ctx.calibration is not None
    (name,) = ctx.calibration.arrays
    return next(iter(run(module, ctx.weights, {name: images}).outputs.values()))


def sqnr_db(clean: NDArray[Any], noisy: NDArray[Any]) -> float:
    """10 log10 (energy / energy of the difference)."""
    return float(10 * np.log10((clean**2).sum() / ((clean - noisy) ** 2).sum()))


def test_fits_recover_what_made_the_sums() -> None:
    rng = np.random.default_rng(0)
    wanted = rng.integers(-100_000, 100_000, (4000, 3)).astype(np.int32)
    gain, offset = np.array([1.25, 1.5, 0.8]), np.array([3000.0, -500.0, 20.0])
    sums = np.rint((wanted - offset) / gain).astype(np.int32)
    channel = Moments.of(sums, wanted, np.array([1e-3, 2e-3, 3e-3]))
    found = channel.channel_gains()
    # shrinkage pulls each gain a little to that of the layer
    assert np.allclose(found.gain, gain, rtol=0.05)
    assert channel.error(found) < 0.05 * channel.error(Correction.none(3))
    same = Moments.of(np.rint(wanted / 1.25).astype(np.int32), wanted, np.ones(3))
    assert np.allclose(same.layer_gain().gain, 1.25, rtol=1e-3)
    shifted = Moments.of(wanted + np.array([5, 7, -9], np.int32), wanted, np.ones(3))
    assert np.allclose(shifted.channel_offsets().offset, [-5, -7, 9], atol=1e-3)
    assert shifted.error(shifted.channel_offsets()) < 1e-3


def test_only_what_both_halves_show_is_fitted() -> None:
    rng = np.random.default_rng(2)
    wanted = rng.integers(-1000, 1000, (8000, 256)).astype(np.int32)
    both, one = rng.integers(-400, 400, 256), rng.integers(-200, 200, 256)
    sign = np.where(np.arange(8000)[:, None] < 4000, 1, -1)
    # energies 4 and 1: the halves agree on (4 - 1) / (4 + 1)
    for planted, part in ((both + 0 * sign, 1.0), (both + one * sign, 0.6), (one * sign, 0.0)):
        sums = (wanted - planted).astype(np.int32)
        found = HalvedMoments.of(sums, wanted, np.ones(256), 4000).agreed(own_gains=False)
        fits = found.halves[0].offset, found.whole.offset
        for fit, shift, kept in zip(fits, (planted[0], both), (part, doubled(part)), strict=True):
            assert np.isclose(fit @ shift / (shift @ shift), kept, atol=0.15)


def test_a_fit_that_the_other_half_contradicts_is_rejected(models: Path) -> None:
    """The images that decide, every fourth, do not show it: both halves are among them."""
    ctx, module, _ = quantised(models, "daism-fla")
    assert ctx.calibration is not None
    ((name, images),) = ctx.calibration.arrays.items()
    planted = images.copy()
    rest = planted[FITTED // 2 :]
    planted[FITTED // 2 :] = 0.02 * np.random.default_rng(0).standard_normal(rest.shape)
    refused: list[int] = []
    for arrays in (images, planted):
        ctx.calibration = replace(ctx.calibration, arrays={name: arrays})
        RepairPass(level="channels").apply(ctx, module.clone())
        assert ctx.repaired is not None
        refused.append(sum(not step.kept for step in ctx.repaired.steps if step.step == "upstream"))
    assert refused[1] > refused[0]


def test_error_is_that_of_the_corrected_sums() -> None:
    rng = np.random.default_rng(1)
    y, t = rng.integers(-(1 << 20), 1 << 20, (2, 50, 2)).astype(np.int32)
    factors, correction = np.array([0.5, 0.1]), Correction(np.array([1.1, 0.9]), np.ones(2) * 300)
    plain = (((correction.gain * y + correction.offset - t) * factors) ** 2).mean()
    assert np.isclose(Moments.of(y, t, factors).error(correction), plain, rtol=1e-9)


def test_sampled_sums_are_those_of_the_layer(models: Path) -> None:
    ctx, module, images = quantised(models, "daism-pc3-lj")
    assert ctx.calibration is not None
    (name,) = ctx.calibration.arrays
    streams = Streams(module, ctx.weights, {name: images[:3]})
    layer = next(op for op in streams.layers() if isinstance(op, ConvOp))
    x = streams.operands(layer)[1]
    places = Places.sample(layer, np.arange(3), 10**9, np.random.default_rng(0))
    w, bias, m, s = (
        ctx.weights.get(blob.key.data)
        for blob in (layer.weights, layer.bias, layer.requant_m, layer.requant_s)
        if blob is not None
    )
    table = get_multiplier("daism-pc3-lj").table(*operand_bits(layer))
    sums = sums_of(places.windows(layer, x), w.reshape(len(w), -1), (0, 0), table)
    y = conv(layer, x, ctx.weights).transpose(0, 2, 3, 1).reshape(sums.shape)
    low, high = (end.value.data for end in (layer.low, layer.high) if end is not None)
    assert np.array_equal(requantise(sums, bias, m, s, 0, low, high), y)


@pytest.mark.parametrize("multiplier", ["daism-fla", "daism-pc3-lj"])
def test_unseen_images_get_nearer_and_only_integers_change(models: Path, multiplier: str) -> None:
    ctx, module, images = quantised(models, multiplier)
    exact = outputs(ctx, exact_twin(module), images)
    found = [sqnr_db(exact, outputs(ctx, module, images))]
    for level in ("gain", "offsets", "channels"):
        repaired = module.clone()
        RepairPass(level=level).apply(ctx, repaired)
        repaired.verify()
        found.append(sqnr_db(exact, outputs(ctx, repaired, images)))
        for before, after in zip(layers(module), layers(repaired), strict=True):
            changed = {k for k, v in before.properties.items() if after.properties[k] != v}
            assert changed <= {"bias", "weight_scales", "requant_m", "requant_s"}
    assert min(found[1:]) > found[0] + 6
    assert found[3] > found[1]
    assert ctx.repaired is not None
    assert ctx.repaired.hold_out * 4 == ctx.repaired.images == FITTED
    steps = {step.step for step in ctx.repaired.steps}
    assert steps == {"gain", "offset", "channel-gain", "upstream"}


def test_a_fit_that_hold_out_images_contradict_is_rejected(models: Path) -> None:
    """Images that decide are of another kind: what suits the others makes these worse."""
    ctx, module, _ = quantised(models, "daism-fla")
    assert ctx.calibration is not None
    ((name, images),) = ctx.calibration.arrays.items()
    planted = images.copy()
    planted[3::4] = 0.02 * np.random.default_rng(0).standard_normal(planted[3::4].shape)
    ctx.calibration = replace(ctx.calibration, arrays={name: planted})
    RepairPass(level="channels").apply(ctx, module)
    assert ctx.repaired is not None
    assert not all(step.kept for step in ctx.repaired.steps)
    for step in ctx.repaired.steps:
        assert step.snr_db is not None
        assert step.snr_before_db is not None
        assert step.snr_db >= step.snr_before_db if step.kept else step.snr_db <= step.snr_before_db


@pytest.mark.parametrize(("multiplier", "level"), [("daism-fla", "none"), ("exact", "channels")])
def test_nothing_to_do(models: Path, multiplier: str, level: str) -> None:
    ctx, module, _ = quantised(models, multiplier)
    before = str(module)
    RepairPass(level=level).apply(ctx, module)
    assert str(module) == before
    assert ctx.repaired is None


@pytest.mark.parametrize("left_out", STEPS)
def test_each_step_can_be_switched_off(
    models: Path, left_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it would do is not done within the other steps either."""

    def forbidden(*args: object) -> None:
        raise AssertionError(left_out)

    if left_out in repair_layer.CORRECTIONS:
        monkeypatch.setitem(repair_layer.CORRECTIONS, left_out, forbidden)
    else:
        change = {"rounding": "rounded", "descent": "descended"}[left_out]
        monkeypatch.setattr(repair_layer, change, forbidden)
    ctx, module, images = quantised(models, "daism-pc3")
    before = outputs(ctx, exact_twin(module), images)
    noisy = sqnr_db(before, outputs(ctx, module, images))
    chosen = [step for step in reversed(STEPS) if step != left_out]
    RepairPass(level=" , ".join(chosen)).apply(ctx, module)
    assert ctx.repaired is not None
    assert {step.step for step in ctx.repaired.steps} == {*chosen}
    assert sqnr_db(before, outputs(ctx, module, images)) > noisy + 5


def test_a_level_is_its_steps(models: Path) -> None:
    found: list[NDArray[Any]] = []
    for asked in ("channels", "gain,offset,channel-gain,upstream"):
        ctx, module, images = quantised(models, "daism-fla")
        RepairPass(level=asked).apply(ctx, module)
        found.append(outputs(ctx, module, images))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("asked", ["weight", "gain,ofset", ""])
def test_what_is_no_step(models: Path, asked: str) -> None:
    ctx, module, _ = quantised(models, "daism-fla")
    with pytest.raises(InvalidInput, match=r"is neither a level \(none, .*\) nor a step \(gain"):
        RepairPass(level=asked).apply(ctx, module)


def test_the_report_says_what_was_gained(models: Path) -> None:
    sample = models / "fashion_mnist_sample.npz"
    plain, repaired = (
        compile(models / "lenet.onnx", calibration=sample, multiplier="daism-fla", repair=level)
        for level in ("none", "gain")
    )
    assert plain.report["repair"] == {"level": "none", "images": 0, "hold_out": 0, "steps": []}
    steps = repaired.report["repair"]["steps"]
    assert len(steps) == 5
    assert all(step["snr_db"] > step["snr_before_db"] for step in steps if step["kept"])
    assert repaired.report["cycles"] == plain.report["cycles"]
    noise = [c.verify("emulate", images=8)["errors"] for c in (plain, repaired)]
    assert noise[0]["quantisation"] == noise[1]["quantisation"]
    assert noise[1]["approximation"]["sqnr_db"] > noise[0]["approximation"]["sqnr_db"] + 5
    assert noise[1]["implementation"]["differing_bytes"] == 0
