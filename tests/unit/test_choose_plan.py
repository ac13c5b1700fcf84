"""Plans that the compiler chooses: limits kept, nothing cheaper, and what a person fixed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_onnx import model, node, random, save

from cimc import targets
from cimc.api import compile
from cimc.backend.terminal_table import report_text
from cimc.diagnostics import InvalidInput
from cimc.frontend import load
from cimc.frontend.data import load_calibration
from cimc.passes.choose_trial import Trial, decibels
from cimc.passes.choose_within import cheapest
from cimc.passes.chooser import Chooser, usable
from cimc.passes.context import CimContext
from cimc.passes.machine_costs import MachineCosts
from cimc.passes.pipeline import PASSES, PIPELINE
from cimc.passes.plan import LayerPlan, Plan
from cimc.passes.plan_search import Choice, Choices
from cimc.passes.sensitivity import noise_to_signal

CHOICES = ("exact", "daism-fla", "daism-pc3-lj", "daism-hla")


@pytest.fixture(scope="module")
def sample(models: Path) -> Path:
    """Images that LeNet is calibrated on."""
    return models / "fashion_mnist_sample.npz"


def multipliers(plan: Plan) -> dict[str, str]:
    """By node."""
    return {layer.node: layer.multiplier or "" for layer in plan.layers}


@pytest.fixture(scope="module")
def trial(models: Path, sample: Path) -> Trial:
    """LeNet, calibrated."""
    imported = load(models / "lenet.onnx")
    ctx = CimContext(
        targets.get("daism"), imported.weights, load_calibration(imported, sample), Plan()
    )
    for each in PIPELINE[: PIPELINE.index("choose-plan")]:
        PASSES[each]()().apply(ctx, imported.module)
    return Trial(ctx, imported.module, "channels")


def test_every_layer_keeps_the_floor_at_the_least_cost(models: Path, sample: Path) -> None:
    compiled = compile(models / "lenet.onnx", calibration=sample, min_snr=22, choices=CHOICES)
    report = compiled.report
    layers = [layer for layer in report["layers"] if layer["macs"]]
    assert len({layer["multiplier"] for layer in layers}) > 1
    for layer in layers:
        assert layer["predicted_snr_db"] is None or layer["predicted_snr_db"] > 21.5
    assert report["repair"]["level"] == "channels"
    assert report["choice"]["min_snr_db"] == 22
    assert report["choice"]["choices"] == [*CHOICES]
    assert "chosen          for 22 dB in every layer" in report_text(report)
    uniform = compile(models / "lenet.onnx", calibration=sample, multiplier="daism-pc3-lj")
    assert report["cycles"]["estimated"] <= uniform.report["cycles"]["estimated"]


def test_the_chosen_plan_can_be_given_back(models: Path, sample: Path, tmp_path: Path) -> None:
    first = compile(models / "lenet.onnx", calibration=sample, target_sqnr=20, choices=CHOICES)
    choice = first.report["choice"]
    assert choice["exact_sqnr_db"] > choice["measured_sqnr_db"] >= 20
    assert choice["predicted_sqnr_db"] >= 20
    first.save(tmp_path / "out")
    again = compile(
        models / "lenet.onnx",
        calibration=sample,
        plan=tmp_path / "out" / "plan.json",
        repair="channels",
    )
    assert again.ir("microcode") == first.ir("microcode")
    assert again.report["choice"]["target_sqnr_db"] is None
    first.verify("emulate")


def test_errors_of_layers_add_up_as_vectors(trial: Trial) -> None:
    trial = Trial(trial.ctx, trial.real, "offsets")
    plan = {layer.name: Choice("ssm-k4") for layer in trial.layers}
    clean = trial.runs[0].clean
    alone = [trial.reaching(layer, plan[layer.name]) for layer in trial.layers]
    as_powers = trial.exact_noise + sum(noise_to_signal(clean, each) for each in alone)
    predicted, powers, measured = (
        decibels(noise) or np.inf
        for noise in (trial.predicted_noise(plan), as_powers, trial.planned_noise(plan))
    )
    assert abs(predicted - measured) < 1
    assert powers - measured > 1, "else the test proves nothing"


@pytest.mark.parametrize(("count", "fitted", "seen"), [(40, 20, 20), (256, 128, 32), (7, 7, 7)])
def test_plans_are_tried_on_images_that_repair_has_not_seen(
    trial: Trial, count: int, fitted: int, seen: int
) -> None:
    own = Trial(trial.ctx, trial.real, "offsets")
    own.images = {name: np.arange(count)[:, None] for name in trial.images}
    own.count = count
    for fit, other in own.folds:
        (a,), (b,) = fit.values(), other.values()
        assert (len(a), len(b)) == (fitted, seen)
        assert count == fitted or not set(a.flat) & set(b.flat)


def test_exact_layers_change_nothing(trial: Trial) -> None:
    plan = {layer.name: Choice("exact") for layer in trial.layers}
    assert trial.predicted_noise(plan) == trial.predicted_noise({})
    assert decibels(trial.predicted_noise(plan)) == pytest.approx(
        decibels(trial.exact_noise), abs=1
    )


def test_what_the_plan_says_stays(models: Path, sample: Path) -> None:
    fixed = LayerPlan("node_linear_2", "daism-fla", weight_bits=7)
    compiled = compile(
        models / "lenet.onnx",
        calibration=sample,
        plan=Plan((fixed,)),
        min_snr=60,
        choices=("exact", "daism-fla"),
    )
    (last,) = [layer for layer in compiled.report["layers"] if layer["node"] == fixed.node][:1]
    assert (last["multiplier"], last["weight_bits"]) == ("daism-fla", 7)
    others = multipliers(compiled.network.ctx.plan)
    del others[fixed.node]
    assert set(others.values()) == {"exact"}


def test_bits_are_chosen_too(models: Path, sample: Path) -> None:
    """Fewer cycles than with 8 bits; what is predicted for the layers is what the report says."""
    asked = {"target_sqnr": 18, "choices": CHOICES}
    whole = compile(models / "lenet.onnx", calibration=sample, **asked)  # type: ignore[arg-type]
    few = compile(models / "lenet.onnx", calibration=sample, **asked, bits=(4, 6, 8))  # type: ignore[arg-type]
    assert few.report["cycles"]["estimated"] < 0.95 * whole.report["cycles"]["estimated"]
    choice = few.report["choice"]
    assert choice["bits"] == [4, 6, 8]
    assert whole.report["choice"]["bits"] == []
    assert choice["measured_sqnr_db"] >= 18
    layers = [layer for layer in few.report["layers"] if layer["macs"]]
    assert {layer["weight_bits"] for layer in layers} <= {4, 6, 8}
    assert min(layer["weight_bits"] for layer in layers) == 4
    few.verify("emulate")


def test_readers_of_one_tensor_have_the_same_bits(tmp_path: Path) -> None:
    """Two convolutions read a pool of what a third one gives."""
    weights = {"u": random(8, 4, 3, 3), "v": random(8, 8, 1, 1), "w": random(8, 8, 3, 3)}
    nodes = [
        node("Conv", ["x", "u"], "a"),
        node("MaxPool", ["a"], "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["p", "v"], "b"),
        node("Conv", ["p", "w"], "c", pads=[1, 1, 1, 1]),
        node("Add", ["b", "c"]),
    ]
    path = save(model(nodes, weights, shape=(1, 4, 10, 10)), tmp_path)
    asked = {"min_snr": 12, "choices": ["exact", "daism-fla"], "bits": (3, 4, 5, 8)}
    compiled = compile(path, calibration={"x": random(8, 4, 10, 10)}, **asked)  # type: ignore[arg-type]
    plan = compiled.network.ctx.plan
    left, right = plan.layer("b_Conv"), plan.layer("c_Conv")
    assert left.activation_bits == right.activation_bits
    assert min(layer.weight_bits or 8 for layer in plan.layers) < 8
    compiled.verify("emulate")


def test_costs_are_those_of_the_report(trial: Trial, models: Path, sample: Path) -> None:
    chooser = Chooser(Plan(), targets.get("daism"), trial, CHOICES)
    costs = MachineCosts(trial.precisions, chooser.open)
    nodes = list(chooser.open)
    first = dict.fromkeys(nodes, Choice("daism-fla"))
    near = costs.around(first)
    for changed in nodes:
        plan = first | {changed: Choice("exact")}
        layers = tuple(LayerPlan(node, choice.multiplier) for node, choice in plan.items())
        report = compile(models / "lenet.onnx", calibration=sample, plan=Plan(layers)).report
        cycles, rows = costs.total(plan)
        assert cycles == report["cycles"]["estimated"]
        differences = [
            [
                b - a
                for a, b in zip(
                    *(near.of(changed, Choice(name)) for name in ("daism-fla", "exact")),
                    strict=True,
                )
            ],
            [b - a for a, b in zip(costs.total(first), (cycles, rows), strict=True)],
        ]
        assert np.allclose(*differences, rtol=0.05, atol=10)


def test_built_in_multipliers_cost_gates(models: Path, sample: Path) -> None:
    """All layers have the one that keeps the floor with the fewest gates; `exact` is not free."""
    compiled = compile(
        models / "lenet.onnx",
        "dcim",
        calibration=sample,
        min_snr=20,
        choices=["exact", "mitchell", "drum-k6"],
    )
    assert set(multipliers(compiled.network.ctx.plan).values()) == {"mitchell"}


class Alphabet:
    """Costs by name."""

    def of(self, node: str, choice: Choice) -> tuple[float, ...]:
        return (float(sorted(CHOICES).index(choice.multiplier)),)

    def around(self, plan: Choices) -> Alphabet:
        return self

    def key(self, node: str, choice: Choice) -> str:
        return choice.multiplier

    def total(self, plan: Choices) -> tuple[float, ...]:
        return (sum(self.of(node, choice)[0] for node, choice in plan.items()),)


def test_another_cost(trial: Trial) -> None:
    """Whatever gives figures can be made small."""
    chooser = Chooser(Plan(), targets.get("daism"), trial, CHOICES)
    assert set(cheapest(chooser.search(Alphabet())).values()) == {Choice("daism-fla")}
    found = cheapest(chooser.search(Alphabet(), 24.0))
    for name, picked in found.items():
        better = [n for n in sorted(CHOICES) if chooser.noise(name, Choice(n)) <= 10**-2.4]
        assert picked.multiplier == better[0]


def test_choices_of_a_target() -> None:
    assert set(usable(targets.get("daism"))) >= set(CHOICES)
    assert "drum-k4" not in usable(targets.get("daism"))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"min_snr": 90, "choices": ["daism-fla"]},
            r"layer 'node_conv2d': no choice has a predicted signal to noise of 90 dB; the best, "
            r"'daism-fla', has [\d.]+ dB; allow 'exact', or a lower --min-snr",
        ),
        (
            {"target_sqnr": 60},
            r"--target-sqnr 60: with exact products the outputs have [\d.]+ dB on calibration "
            r"images; ask for less",
        ),
        (
            {"target_sqnr": 25, "choices": ["daism-fla"]},
            r"--target-sqnr 25: the best of the plans that were tried has 1[45]\.\d dB on "
            r"calibration images; allow 'exact', ask for less, or for more --repair",
        ),
        ({"min_snr": 20, "choices": ["daism-fal"]}, "unknown multiplier 'daism-fal'; .*"),
        ({"min_snr": 20, "bits": [4, 9]}, "choose-plan: bits must be from 2 to 8, got 9"),
    ],
)
def test_what_cannot_be_kept(
    models: Path, sample: Path, asked: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidInput, match=f"^{message}"):
        compile(models / "lenet.onnx", calibration=sample, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minimise", "expected"), [("cycles", "exact"), ("exact-macs", "daism-pc3-lj")]
)
def test_depthwise_layers_leave_the_vector_unit_only_for_fewer_exact_macs(
    minimise: str, expected: str, tmp_path: Path
) -> None:
    weights = {"w": random(16, 1, 3, 3), "v": random(8, 16, 1, 1)}
    nodes = [node("Conv", ["x", "w"], "a", group=16), node("Conv", ["a", "v"])]
    path = save(model(nodes, weights, shape=(1, 16, 8, 8)), tmp_path)
    compiled = compile(
        path,
        calibration={"x": random(8, 16, 8, 8)},
        min_snr=15,
        choices=["exact", "daism-pc3-lj"],
        minimise=minimise,
    )
    found = multipliers(compiled.network.ctx.plan)
    assert list(found.values()) == [expected, "daism-pc3-lj"]
    assert compiled.report["choice"]["minimised"] == minimise
    compiled.verify("emulate")
