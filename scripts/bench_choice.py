"""Chosen plans against uniform ones: accuracy of test images over cycles, all repaired alike.

    python scripts/bench_choice.py [--networks lenet ...] [--targets 15 20 25 30] [--images 2000]

A chosen plan is on or above the curve when no uniform choice with as many cycles or fewer has more
signal to noise; the last two columns show the best of those. The interval is 95 % of the
difference in top-1 points to floats.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench_accuracy import MODELS, NETWORKS, SAMPLE, float_logits, logits, paired, test_images
from data import Preprocess, preprocess_path
from figures import machine, table

import cimc
from cimc import targets
from cimc.cli.progress import Progress
from cimc.passes.chooser import usable

HEADER = ("network", "plan", "layers by multiplier", "top-1 %", "interval", "agreement %")
HEADER += ("SQNR dB", "cycles", "uniform dB", "uniform cycles")


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


def measured(path: Path, plan: str, truth: Any, labels: Any, inputs: Any, **asked: Any) -> Point:
    """Compile as `asked` and evaluate."""
    compiled = cimc.compile(path, calibration=SAMPLE, repair="channels", **asked)
    name = compiled.input_names[0]
    found = logits(lambda x: compiled.run(None, {name: x})[0], inputs)
    top1, _, _, interval, agreement, ratio = paired(found, truth, labels)
    used = [layer["multiplier"] for layer in compiled.report["layers"] if layer["multiplier"]]
    counts = ", ".join(f"{used.count(each)} {each}" for each in sorted(set(used), key=used.index))
    cycles = compiled.report["cycles"]["estimated"]
    chosen = "target_sqnr" in asked
    return Point(plan, counts, top1, interval, agreement, float(ratio), cycles, chosen)


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
        asked = [(name, {"multiplier": name}) for name in args.multipliers]
        asked += [(f"{db:g} dB", {"target_sqnr": db}) for db in args.targets]
        points: list[Point] = []
        for plan, options in asked:
            progress(f"{network} {plan}")
            points.append(measured(path, plan, truth, labels, inputs, **options))
        progress.clear()
        table(results.setdefault(network, {}), HEADER, rows(network, points))
        results[network]["points"] = [asdict(point) for point in points]
        if args.json:
            args.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
