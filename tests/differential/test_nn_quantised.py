"""Quantised networks: exact integers, and how near they stay to the float network."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from small_onnx import model, node, onnxruntime_result, random, save

from cimc import targets
from cimc.dialects import nn
from cimc.frontend import ImportedModel, load, load_calibration
from cimc.interp.nn import run
from cimc.multipliers import get
from cimc.passes.assign_multiplier import AssignMultiplierPass
from cimc.passes.assign_precision import AssignPrecisionPass
from cimc.passes.calibrate import CalibratePass, Seen
from cimc.passes.canonicalise_nn import CanonicaliseNnPass
from cimc.passes.context import CimContext
from cimc.passes.fold_batch_norm import FoldBatchNormPass
from cimc.passes.quantise import QuantisePass
from cimc.passes.ranges import BINS, activation_type, best_clip, histogram_top

FIXTURES = Path(__file__).parents[1] / "fixtures"
FORMS = sorted(path.stem for path in FIXTURES.glob("*.onnx") if not path.stem.startswith("ort_"))


def quantised(
    path: Path,
    data: Any = None,
    *,
    multiplier: str = "exact",
    weight_bits: int = 8,
    activation_bits: int = 8,
    clip: str = "mse",
) -> ImportedModel:
    """The model in `path`, quantised on `data`."""
    imported = load(path)
    calibration = load_calibration(imported, data)
    ctx = CimContext(targets.get("daism"), imported.weights, calibration)
    for each in (
        FoldBatchNormPass(),
        CanonicaliseNnPass(),
        CalibratePass(),
        AssignPrecisionPass(weight_bits, activation_bits),
        AssignMultiplierPass(multiplier),
        QuantisePass(clip),
    ):
        each.apply(ctx, imported.module)
        imported.module.verify()
    return imported


def result(imported: ImportedModel, x: NDArray[Any]) -> NDArray[Any]:
    """The only output on input `x`."""
    name, inputs = imported.outputs[0].name, {imported.inputs[0].name: x}
    return run(imported.module, imported.weights, inputs).outputs[name]


def sqnr_db(expected: NDArray[Any], got: NDArray[Any]) -> float:
    """Signal to quantisation noise."""
    noise = ((expected - got) ** 2).sum()
    return float(10 * np.log10((expected**2).sum() / noise))


@pytest.mark.parametrize("form", FORMS)
def test_exported_forms_stay_near_float(form: str):
    path = FIXTURES / f"{form}.onnx"
    stored = np.load(FIXTURES / f"{form}.npz")
    imported = quantised(path, {load(path).inputs[0].name: stored["x"]})
    assert sqnr_db(stored["y"], result(imported, stored["x"])) > 25


@pytest.fixture(scope="module")
def sample(models: Path) -> Any:
    return np.load(models / "fashion_mnist_sample.npz")


@pytest.mark.parametrize("name", ["lenet", "resnet8", "resnet18_w16"])
def test_trained_models_stay_near_float(name: str, models: Path, sample: Any):
    path = models / f"{name}.onnx"
    imported = quantised(path, models / "fashion_mnist_sample.npz")
    float_model = load(path)
    x = load_calibration(float_model, {"input": sample["images"][:64]}).arrays["input"]
    expected = onnxruntime_result(path, {"input": x})
    got = result(imported, x)
    assert sqnr_db(expected, got) > 30
    assert (got.argmax(1) == expected.argmax(1)).mean() >= 0.95


def test_fewer_bits_and_worse_multipliers_cost_accuracy(models: Path, sample: Any):
    path, data = models / "lenet.onnx", models / "fashion_mnist_sample.npz"
    x = load_calibration(load(path), {"input": sample["images"][:64]}).arrays["input"]
    expected = onnxruntime_result(path, {"input": x})

    def quality(**choice: Any) -> float:
        return sqnr_db(expected, result(quantised(path, data, **choice), x))

    by_bits = [quality(weight_bits=n, activation_bits=n) for n in (8, 6, 4)]
    assert by_bits == sorted(by_bits, reverse=True)
    by_multiplier = [quality(multiplier=m) for m in ("exact", "daism-pc3-lj", "daism-fla")]
    assert by_multiplier == sorted(by_multiplier, reverse=True)


# Formulas, written a second time without any of the code under test


def rounded(numerator: int, shift: int) -> int:
    """numerator / 2^shift to the nearest integer, halves to even."""
    whole, rest = divmod(numerator, 1 << shift)
    half = (1 << shift) >> 1
    up = rest > half or (rest == half and shift > 0 and whole % 2 == 1)
    return whole + up


def naive_conv(
    op: nn.ConvOp, x: NDArray[Any], imported: ImportedModel, table: NDArray[Any]
) -> NDArray[Any]:
    """One image, one product at a time."""
    get_blob = imported.weights.get
    w, bias = get_blob(op.weights.key.data), get_blob(op.bias.key.data)
    m, s = get_blob(op.requant_m.key.data), get_blob(op.requant_s.key.data)
    (sh, sw), (dh, dw) = op.strides.get_values(), op.dilations.get_values()
    top, left, _, _ = op.pads.get_values()
    _, outputs, height, width = nn.shape_of(op.y)
    group = op.group.value.data
    y = np.zeros((outputs, height, width), int)
    for o, r, c in product(range(outputs), range(height), range(width)):
        acc = 0
        for i, ky, kx in product(*(range(n) for n in w.shape[1:])):
            row, column = r * sh + ky * dh - top, c * sw + kx * dw - left
            if not (0 <= row < x.shape[1] and 0 <= column < x.shape[2]):
                continue
            a = int(x[o // (outputs // group) * w.shape[1] + i, row, column])
            b = int(w[o, i, ky, kx])
            product_ = int(table[abs(b), abs(a)])
            acc += -product_ if (a < 0) != (b < 0) else product_
        value = rounded((acc + int(bias[o])) * int(m[o]), int(s[o]))
        y[o, r, c] = min(max(value, op.low.value.data), op.high.value.data)
    return y


@pytest.mark.parametrize("multiplier", ["exact", "daism-pc3-lj", "daism-pc2-tr", "daism-hla"])
def test_convolutions_are_the_formula(multiplier: str, tmp_path: Path):
    """Signed and unsigned input, groups, strides, dilations, asymmetric pads."""
    nodes = [
        node("Conv", ["x", "w", "b"], "c", strides=[2, 1], pads=[1, 0, 0, 1]),
        node("Relu", ["c"], "r"),
        node("Conv", ["r", "g"], group=2, dilations=[1, 2], pads=[1, 1, 1, 1]),
    ]
    constants = {"w": random(4, 3, 3, 3), "b": random(4, seed=1), "g": random(6, 2, 2, 3, seed=2)}
    path = save(model(nodes, constants), tmp_path)
    x = random(2, 3, 8, 8, seed=3)
    imported = quantised(path, {"x": x}, multiplier=multiplier)
    found = run(imported.module, imported.weights, {"x": x}, intermediates=True).tensors
    convolutions = [op for op in found if isinstance(op, nn.ConvOp)]
    assert [nn.quant_of(op.x).signed for op in convolutions] == [True, False]
    for op in convolutions:
        bits = (7, 7 if nn.quant_of(op.x).signed else 8)
        assert nn.operand_bits(op) == bits
        expected = naive_conv(op, found[op.x.owner][1], imported, get(multiplier).table(*bits))
        np.testing.assert_array_equal(found[op][1], expected)


def test_sums_and_pools_are_the_formula(tmp_path: Path):
    nodes = [
        node("Conv", ["x", "w"], "c"),
        node("Add", ["c", "x"], "a"),
        node("Relu", ["a"], "r"),
        node("MaxPool", ["r"], "p", kernel_shape=[2, 3], strides=[2, 1], pads=[1, 0, 0, 2]),
        node(
            "AveragePool", ["p"], "q", kernel_shape=[2, 2], pads=[1, 1, 0, 0], count_include_pad=1
        ),
        node("GlobalAveragePool", ["q"]),
    ]
    path = save(model(nodes, {"w": random(3, 3, 1, 1)}), tmp_path)
    x = random(2, 3, 8, 8, seed=3)
    imported = quantised(path, {"x": x})
    found = run(imported.module, imported.weights, {"x": x}, intermediates=True).tensors
    for op in found:
        if isinstance(op, nn.AddOp | nn.PoolOp):
            arguments = [found[operand.owner][1].astype(int) for operand in op.operands]
            np.testing.assert_array_equal(found[op][1], naive_vector(op, arguments))


def naive_vector(op: nn.AddOp | nn.PoolOp, arguments: list[NDArray[Any]]) -> NDArray[Any]:
    """An addition or pool of one image, one result at a time."""
    _, channels, height, width = nn.shape_of(op.y)
    y = np.zeros((channels, height, width), int)
    m0, shift = op.m0.value.data, op.shift.value.data
    for at in product(range(channels), range(height), range(width)):
        if isinstance(op, nn.AddOp):
            value = int(arguments[0][at]) * m0 + int(arguments[1][at]) * op.m1.value.data
        else:
            window = naive_window(op, arguments[0], *at)
            value = (max(window) if isinstance(op, nn.MaxPoolOp) else sum(window)) * m0
        y[at] = min(max(rounded(value, shift), op.low.value.data), op.high.value.data)
    return y


def naive_window(op: nn.PoolOp, x: NDArray[Any], channel: int, row: int, column: int) -> list[int]:
    """Cells inside the map that a result reads."""
    if isinstance(op, nn.GlobalAveragePoolOp):
        return [int(v) for v in x[channel].flat]
    (kh, kw), (sh, sw) = op.kernel.get_values(), op.strides.get_values()
    top, left, _, _ = op.pads.get_values()
    rows = [r for r in range(row * sh - top, row * sh - top + kh) if 0 <= r < x.shape[1]]
    columns = [c for c in range(column * sw - left, column * sw - left + kw) if 0 <= c < x.shape[2]]
    return [int(x[channel, r, c]) for r, c in product(rows, columns)]


def test_one_image_at_a_time_is_the_same(models: Path):
    imported = quantised(models / "lenet.onnx", multiplier="daism-pc3-lj")
    x = random(3, 1, 28, 28)
    together = result(imported, x)
    apart = np.concatenate([result(imported, x[i : i + 1]) for i in range(3)])
    np.testing.assert_array_equal(together, apart)


@pytest.mark.parametrize(
    "kind", ["zero weights", "zero bias only", "constant", "large bias", "tiny"]
)
def test_degenerate_channels(kind: str, tmp_path: Path):
    w, b = random(4, 3, 3, 3), random(4, seed=1)
    match kind:
        case "zero weights":
            w[1] = 0
        case "zero weights and bias":
            w[1], b[1] = 0, 0
        case "constant":
            w[1] = 0.5
        case "large bias":
            w[1], b[1] = w[1] * np.float32(1e-7), 3
        case _:
            w[1], b[1] = w[1] * np.float32(1e-30), 0
    path = save(model([node("Conv", ["x", "w", "b"])], {"w": w, "b": b}), tmp_path)
    x = random(8, 3, 8, 8, seed=2)
    got = result(quantised(path, {"x": x}), x)
    expected = onnxruntime_result(path, {"x": x})
    assert sqnr_db(expected, got) > 30
    step = np.abs(expected).max() / 127
    assert np.abs(expected[:, 1] - got[:, 1]).max() <= 2 * step


def test_all_zero_network(tmp_path: Path):
    constants = {"w": np.zeros((4, 3, 3, 3), np.float32), "b": np.zeros(4, np.float32)}
    path = save(model([node("Conv", ["x", "w", "b"])], constants), tmp_path)
    x = random(2, 3, 8, 8)
    assert not result(quantised(path, {"x": x}), x).any()


# Ranges


def test_histograms_count_every_magnitude():
    seen, batches = Seen(), [random(1000, seed=i) * np.float32(4**i) for i in range(4)]
    for batch in batches:
        seen.add(batch)
    everything = np.concatenate(batches)
    assert (seen.low, seen.high) == (everything.min(), everything.max())
    assert seen.top == histogram_top(float(np.abs(everything).max()))
    expected, _ = np.histogram(np.abs(everything), BINS, (0, seen.top))
    np.testing.assert_array_equal(seen.counts, expected)


def test_histogram_of_magnitudes_below_the_normal_range():
    seen, tiny = Seen(), np.float32(1e-43)
    seen.add(np.array([tiny, tiny / 2, 0.0], np.float32))
    assert seen.counts.sum() == 2
    assert seen.counts[-1] == 0
    assert seen.ends == (0.0, tiny)


@pytest.mark.parametrize(("largest", "top"), [(1.0, 1.0), (1.01, 2.0), (0.5, 0.5), (300.0, 512.0)])
def test_histogram_top(largest: float, top: float):
    assert histogram_top(largest) == top


def test_outliers_are_clipped_only_when_that_helps():
    rng = np.random.default_rng(0)
    bulk, far = np.abs(rng.normal(size=100_000)), np.full(2, 40.0)
    with_outliers, without = Seen(), Seen()
    with_outliers.add(np.concatenate([bulk, far]).astype(np.float32))
    without.add(rng.uniform(0, 40, 100_000).astype(np.float32))
    assert best_clip(40.0, 15, with_outliers.counts) < 10
    assert best_clip(40.0, 255, without.counts) == 40


def test_activation_types():
    assert activation_type(0.0, 2.55, 8) == nn.QuantType.of(False, 2.55 / 255)
    assert activation_type(-1.0, 2.54, 8) == nn.QuantType.of(True, 2.54 / 127)
    assert activation_type(-3.5, 2.0, 4) == nn.QuantType.of(True, 3.5 / 7)
    assert activation_type(0.0, 0.0, 8) == nn.QuantType.of(False, 1 / 255)
