"""Accuracy and cycles of networks by the bits of their weights and activations.

    python scripts/bench_precision.py
    python scripts/bench_precision.py --networks resnet18_w16 --bits 8x8 4x4 --images 1000

WxA are the bits of weights and activations. The first and the last layer have 8 of both, unless
--ends is given. Repair none, calibrated on training images only.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench_accuracy import (
    MODELS,
    NETWORKS,
    SAMPLE,
    float_logits,
    logits,
    paired,
    preprocess_path,
    test_images,
)
from data import Preprocess
from figures import machine, table

import cimc
from cimc.api import CompiledModel
from cimc.cli.progress import Progress
from cimc.passes.plan import LayerPlan, Plan

BITS = ("8x8", "8x4", "4x8", "6x6", "5x5", "4x4", "3x3")
HEADER = ["network", "multiplier", "bits", "top-1 %", "lost", "won", "interval", "agreement %"]


def with_bits(path: Path, multiplier: str, bits: str, ends: bool) -> CompiledModel:
    """The network of `path` with weights and activations of `bits`; ends: its end layers too."""
    weights, activations = (int(n) for n in bits.split("x"))
    whole = cimc.compile(path, calibration=SAMPLE, multiplier=multiplier)
    layers = Plan.of(whole.compilation.quantised).layers
    chosen = layers if ends else layers[1:-1]
    plan = Plan(tuple(LayerPlan(each.node, None, weights, activations) for each in chosen))
    return cimc.compile(path, calibration=SAMPLE, multiplier=multiplier, plan=plan)


def bench(args: argparse.Namespace, into: dict[str, Any]) -> None:
    """One row for each network, multiplier and precision."""
    images, labels, source = test_images(args.images)
    print(f"{len(labels)} images ({source})")
    rows: list[list[str]] = []
    progress = Progress(verbose=False)
    for network in args.networks:
        path = MODELS / f"{network}.onnx"
        inputs = Preprocess.read(preprocess_path(path))(images)
        truth = float_logits(path, inputs)
        for multiplier in args.multipliers:
            for bits in args.bits:
                progress(f"{network} {multiplier} {bits}")
                compiled = with_bits(path, multiplier, bits, args.ends)
                found = logits(lambda x, m=compiled: m.run(None, {m.input_names[0]: x})[0], inputs)
                report = compiled.report
                loaded = sum(layer["weight_bytes"] for layer in report["layers"])
                figures = [f"{report['cycles']['estimated']:,}", f"{loaded:,}"]
                rows.append([network, multiplier, bits, *paired(found, truth, labels), *figures])
    progress.clear()
    table(into, [*HEADER, "SQNR dB", "cycles", "weight bytes"], rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--multipliers", nargs="+", default=["exact", "daism-pc3-lj"])
    parser.add_argument("--bits", nargs="+", default=list(BITS), metavar="WxA")
    parser.add_argument("--ends", action="store_true", help="the first and last layer too")
    parser.add_argument("--images", type=int, default=10_000)
    args = parser.parse_args()
    print(f"on {machine()}")
    bench(args, {})


if __name__ == "__main__":
    main()
