"""Compares predicted errors with measured ones; asserts nothing.

    python scripts/bench_prediction.py [layers networks] [--networks lenet ...] [--json FILE]
    python scripts/bench_prediction.py layers --bits 4x4 8x4 --multipliers exact daism-pc3-lj

layers    signal to noise of every layer with every multiplier, behind gain and offsets: predicted
          from histograms of half of the sample images, measured on the other half; with fewer bits
          of weights x activations, their error is in it
networks  the same of the outputs against floats, with each multiplier in all layers: predicted as
          the sum of what single layers change, on calibration images; measured on the whole
          network, repaired by gain and offsets, on calibration images held out and on test images
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bench_accuracy import test_images
from data import Preprocess, preprocess_path
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from cimc import multipliers, targets
from cimc.backend.terminal_table import text_table
from cimc.frontend import load
from cimc.frontend.data import load_calibration
from cimc.passes.choose_trial import Trial, decibels
from cimc.passes.context import CimContext
from cimc.passes.pipeline import PASSES, PIPELINE
from cimc.passes.plan_search import Bits, Choice
from cimc.passes.precisions import Precisions
from cimc.passes.sampled_layers import every_other, sampled_layers

MODELS = Path(__file__).parents[1] / "models"
SAMPLE = MODELS / "fashion_mnist_sample.npz"
NETWORKS = ("lenet", "resnet8", "resnet18_w16")
DIGITAL = ("drum-k4", "mitchell", "mitchell-w5", "roba", "ssm-k4")
DIGITAL += ("tosam-h1-t3", "trunc-c6", "openacm-antonio")
"""Of the library, beside all listed DAISM configurations."""
ALL = 256
TEST_IMAGES = 500
LEAST_DB = 6.0
"""What layers change adds up while it is small."""


def names() -> list[str]:
    """Multipliers that are not exact."""
    return [*(name for name in multipliers.names() if name.startswith("daism-")), *DIGITAL]


def calibrated(network: str) -> tuple[CimContext, ModuleOp]:
    """A trained network in floats."""
    imported = load(MODELS / f"{network}.onnx")
    ctx = CimContext(targets.get("daism"), imported.weights, load_calibration(imported, SAMPLE))
    for each in PIPELINE[: PIPELINE.index("choose-plan")]:
        PASSES[each]()().apply(ctx, imported.module)
    return ctx, imported.module


def bench_layers(network: str, bits: Sequence[Bits], wanted: Sequence[str]) -> dict[str, Any]:
    """All triples of layer, multiplier and bits of one network, against exact sums of 8 bits."""
    ctx, module = calibrated(network)
    assert ctx.calibration is not None
    precisions = Precisions(ctx, module, [8, *(each for both in bits for each in both)])
    exact = precisions.module(precisions.finest)
    halves = every_other(ctx.calibration.arrays, ALL)
    runs = (sampled_layers(exact, ctx.weights, images) for images in halves)
    pairs: list[dict[str, Any]] = []
    seconds = 0.0
    for seen, other in zip(*runs, strict=True):
        for both in bits:
            given = None if both == (8, 8) else precisions.operands(seen.name, both)
            began = time.process_time()
            predicted = {name: seen.predicted_snr_db(name, given) for name in wanted}
            seconds += time.process_time() - began
            for name in wanted:
                measured = other.measured_snr_db(name, given)
                found = {"predicted": predicted[name], "measured": measured}
                pairs.append({"layer": seen.name, "multiplier": name, "bits": both, **found})
    real = [pair for pair in pairs if None not in (pair["predicted"], pair["measured"])]
    difference = np.array([pair["predicted"] - pair["measured"] for pair in real])
    row = [network, str(len({pair["layer"] for pair in pairs})), str(len(real))]
    row += [*spread(difference), f"{1000 * seconds / len(pairs):.1f}"]
    header = ["network", "layers", "pairs", "within 1 dB", "mean", "worst", "ms a pair"]
    print(text_table(header, [row]), flush=True)
    return {"pairs": pairs}


def bench_networks(network: str, chosen: Sequence[str]) -> dict[str, Any]:
    """All `chosen` multipliers of one network."""
    ctx, module = calibrated(network)
    trial = Trial(ctx, module, "offsets")
    pixels = test_images(TEST_IMAGES)[0]
    inputs = Preprocess.read(preprocess_path(MODELS / f"{network}.onnx"))(pixels)
    found: list[dict[str, Any]] = []
    for name in chosen:
        plan = dict.fromkeys([layer.name for layer in trial.layers], Choice(name))
        noise = {
            "predicted": trial.predicted_noise(plan),
            "held out": trial.planned_noise(plan),
            "test": trial.planned_noise(plan, dict.fromkeys(trial.images, inputs)),
        }
        found.append({"multiplier": name, **{key: decibels(each) for key, each in noise.items()}})
    rows = [[network, *map(shown, each.values())] for each in found]
    print(text_table(["network", "multiplier", "predicted dB", "held out dB", "test dB"], rows, 2))
    for images in ("held out", "test"):
        above = [each for each in found if each[images] > LEAST_DB]
        difference = np.array([each["predicted"] - each[images] for each in above])
        row = [network, images, str(len(above)), *spread(difference)]
        header = ["network", "images", "above 6 dB", "within 1 dB", "mean", "worst"]
        print(text_table(header, [row], 2), flush=True)
    return {"multipliers": found}


def shown(value: Any) -> str:
    """A name, or dB."""
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def spread(difference: NDArray[np.float64]) -> list[str]:
    """Share within 1 dB, mean, largest."""
    share = float((np.abs(difference) <= 1).mean())
    worst = difference[np.abs(difference).argmax()]
    return [f"{100 * share:.1f} %", f"{difference.mean():+.2f}", f"{worst:+.2f}"]


def bits_of(text: str) -> Bits:
    """WxA."""
    weights, activations = (int(each) for each in text.split("x"))
    return weights, activations


SECTIONS = ("layers", "networks")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=[])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--bits", nargs="+", type=bits_of, default=[(8, 8)], metavar="WxA")
    parser.add_argument("--multipliers", nargs="+", default=names())
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    args = parser.parse_args()
    results: dict[str, Any] = {}
    for section in args.sections or SECTIONS:
        for network in args.networks:
            if section == "layers":
                found = bench_layers(network, args.bits, args.multipliers)
            else:
                found = bench_networks(network, args.multipliers)
            results.setdefault(section, {})[network] = found
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
