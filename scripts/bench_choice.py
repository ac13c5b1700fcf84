"""Chosen plans against uniform ones: accuracy of test images over cycles, all repaired alike.

    python scripts/bench_choice.py [--networks lenet ...] [--targets 15 20 25 30] [--images 2000]
    python scripts/bench_choice.py --bits 4 6 8 [--multipliers ...] [--repair LEVEL]

With --bits each target is chosen twice, the second time with bits of weights and activations to
choose from too; uniform choices then stand there with as many bits of both in all layers, too.

A chosen plan is on or above the curve when no uniform choice with as many cycles or fewer has more
signal to noise; the last two columns show the best of those. The interval is 95 % of the
difference in top-1 points to floats.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, product
from pathlib import Path
from typing import Any

from bench_accuracy import MODELS, NETWORKS, SAMPLE, float_logits, logits, paired, test_images
from data import Preprocess, preprocess_path
from figures import machine, table

import cimc
from cimc import targets
from cimc.cli.progress import Progress
from cimc.frontend import load
from cimc.passes.chooser import usable
from cimc.passes.plan import LayerPlan, Plan, named_layers

HEADER = ("network", "plan", "layers by multiplier", "top-1 %", "interval", "agreement %")
HEADER += ("SQNR dB", "cycles", "uniform dB", "uniform cycles")

Plans = Iterator[tuple[str, dict[str, Any]]]
"""Name in the table, arguments of `compile`."""


@dataclass(frozen=True)
class Point:
    """One compiled network on the test images."""

    plan: str
    layers: str
    top1: str
    interval: str
    agreement: str
    sqnr_db: float
    cycles: int
    chosen: bool


def measured(path: Path, title: str, truth: Any, labels: Any, inputs: Any, **asked: Any) -> Point:
    """Compile as `asked` and evaluate."""
    compiled = cimc.compile(path, calibration=SAMPLE, **asked)
    name = compiled.input_names[0]
    found = logits(lambda x: compiled.run(None, {name: x})[0], inputs)
    top1, _, _, interval, agreement, ratio = paired(found, truth, labels)
    used = [kind_of(layer) for layer in compiled.report["layers"] if layer["multiplier"]]
    most_first = sorted(dict.fromkeys(used), key=lambda kind: -used.count(kind))
    counts = ", ".join(f"{used.count(each)} {each}" for each in most_first)
    cycles = compiled.report["cycles"]["estimated"]
    by_pass = "target_sqnr" in asked
    return Point(title, counts, top1, interval, agreement, float(ratio), cycles, by_pass)


def kind_of(layer: dict[str, Any]) -> str:
    """Multiplier of a layer, and bits of weights x activations other than 8 x 8."""
    name = layer["multiplier"].removeprefix("daism-")
    bits = layer["weight_bits"], layer["activation_bits"]
    return name if bits == (8, 8) else f"{name} {bits[0]}x{bits[1]}"


def uniform(path: Path, multipliers: Sequence[str], bits: Sequence[int]) -> Plans:
    """Every multiplier in all layers, with each of `bits` for weights and activations."""
    for name in multipliers:
        yield name, {"multiplier": name}
    nodes = [name for name, _ in named_layers(load(path).module)]
    for name, each in product(multipliers, [b for b in bits if b != 8]):
        layers = (LayerPlan(node, name, each, each) for node in nodes)
        yield f"{name} {each}x{each}", {"plan": Plan(tuple(layers))}


def chosen(targets_db: Sequence[float], multipliers: Sequence[str], bits: Sequence[int]) -> Plans:
    """The compiler's choices."""
    for db in targets_db:
        asked = {"target_sqnr": db, "choices": multipliers}
        yield f"{db:g} dB", asked
        if bits:
            yield f"{db:g} dB, bits", {**asked, "bits": bits}


def rows(network: str, points: Sequence[Point]) -> list[list[str]]:
    """By cycles; beside chosen plans the best uniform one that is not slower."""
    found: list[list[str]] = []
    for point in sorted(points, key=lambda p: (p.cycles, p.sqnr_db)):
        row = [network, point.plan, point.layers if point.chosen else "all", point.top1]
        row += [point.interval, point.agreement, f"{point.sqnr_db:.1f}", f"{point.cycles:,}"]
        below = [p for p in points if not p.chosen and p.cycles <= point.cycles]
        best = max(below, key=lambda p: p.sqnr_db, default=None)
        if point.chosen and best is not None:
            row += [f"{best.sqnr_db:.1f} {best.plan}", f"{best.cycles:,}"]
        else:
            row += ["none" if point.chosen else "", ""]
        found.append(row)
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--multipliers", nargs="+", default=usable(targets.get("daism")))
    parser.add_argument("--targets", nargs="+", type=float, default=[15.0, 20.0, 25.0, 30.0])
    parser.add_argument("--bits", nargs="+", type=int, default=[], help="to choose from, too")
    parser.add_argument("--repair", metavar="LEVEL", default="channels")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    args = parser.parse_args()
    images, labels, source = test_images(args.images)
    print(f"on {machine()}; {len(labels)} images of {source}")
    results: dict[str, Any] = {}
    for network in args.networks:
        path = MODELS / f"{network}.onnx"
        inputs = Preprocess.read(preprocess_path(path))(images)
        truth, progress = float_logits(path, inputs), Progress(verbose=False)
        asked = chain(
            uniform(path, args.multipliers, args.bits),
            chosen(args.targets, args.multipliers, args.bits),
        )
        points: list[Point] = []
        for title, options in asked:
            progress(f"{network} {title}")
            options["repair"] = args.repair
            points.append(measured(path, title, truth, labels, inputs, **options))
        progress.clear()
        table(results.setdefault(network, {}), HEADER, rows(network, points))
        results[network]["points"] = [asdict(point) for point in points]
        if args.json:
            args.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
