"""Accuracy of networks by multiplier and repair, each image beside onnxruntime in floating point.

    python scripts/bench_accuracy.py                     every multiplier of daism, unrepaired
    python scripts/bench_accuracy.py --multipliers daism-fla --repair none gain channels weights

Calibration and repair see training images only. Lost and won are images that only float, or only
the machine, classifies rightly; the interval is 95 % of their difference in points of top-1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from figures import machine, table
from numpy.typing import NDArray

import cimc
from cimc import targets
from cimc.cli.progress import Progress
from cimc.passes.chooser import usable

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "models"
SAMPLE = MODELS / "fashion_mnist_sample.npz"
NETWORKS = ("lenet", "resnet8", "resnet18_w16")
CHUNK = 500
NORMAL_95 = 1.96

Floats = NDArray[np.float64]

sys.path.insert(0, str(MODELS))
from data import Preprocess, load, load_sample, preprocess_path  # noqa: E402 - models/ is no package


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    networks: list[str]
    names: list[str]
    """Multipliers."""
    repairs: list[str]
    target: str
    images: int
    """Test images."""
    exact_front: int
    """First layers with exact products."""


def bench_accuracy(options: Options, into: dict[str, Any]) -> None:
    """Top-1 on test images, each image compared with onnxruntime's answer for it."""
    images, labels, source = test_images(options.images)
    into["source"], into["images"] = source, len(labels)
    print(f"accuracy on {len(labels)} images ({source}), target {options.target}")
    rows: list[list[str]] = []
    progress = Progress(verbose=False)
    for network in options.networks:
        path = MODELS / f"{network}.onnx"
        inputs = Preprocess.read(preprocess_path(path))(images)
        truth = float_logits(path, inputs)
        right = truth.argmax(axis=1) == labels
        rows.append([network, "float", "onnxruntime", percent(right), *[""] * 6])
        for name, repair in itertools.product(options.names, options.repairs):
            progress(f"{network} {name} {repair}")
            compiled = cimc.compile(
                path,
                target=options.target,
                calibration=SAMPLE,
                multiplier=name,
                exact_front=options.exact_front,
                repair=repair,
            )
            found = logits(lambda x, m=compiled: m.run(None, {m.input_names[0]: x})[0], inputs)
            cycles = f"{compiled.report['cycles']['estimated']:,}"
            rows.append([network, name, repair, *paired(found, truth, labels), cycles])
    progress.clear()
    header = ["network", "multiplier", "repair", "top-1 %", "lost", "won", "interval"]
    table(into, [*header, "agreement %", "SQNR dB", "cycles"], rows)


def paired(found: Floats, truth: Floats, labels: NDArray[Any]) -> list[str]:
    """Top-1; images that only float gets right, only we; 95 % interval of the difference in points
    (normal, of paired outcomes); same answer; SQNR of the logits."""
    ours, theirs = found.argmax(axis=1), truth.argmax(axis=1)
    noise = float(np.square(found - truth).sum()) or np.finfo(np.float64).tiny
    ratio = 10 * np.log10(float(np.square(truth).sum()) / noise)
    lost = int(np.count_nonzero((theirs == labels) & (ours != labels)))
    won = int(np.count_nonzero((theirs != labels) & (ours == labels)))
    mean = (won - lost) / len(labels)
    spread = NORMAL_95 * math.sqrt(max((won + lost) / len(labels) - mean**2, 0) / len(labels))
    return [
        percent(ours == labels),
        str(lost),
        str(won),
        f"{100 * (mean - spread):+.2f} .. {100 * (mean + spread):+.2f}",
        percent(ours == theirs),
        f"{ratio:.1f}",
    ]


def test_images(count: int) -> tuple[NDArray[Any], NDArray[Any], str]:
    """The first `count` test images and labels, of the whole set when it is installed."""
    try:
        images, labels = load("test")
        source = "the installed test set"
    except FileNotFoundError:
        _, images, labels = load_sample()
        source = "the sample in models/; the package dataset-fashion-mnist has all 10,000"
    return images[:count], labels[:count], source


def logits(run: Callable[[Any], Any], inputs: NDArray[Any]) -> Floats:
    """Outputs [N, classes] of `run`, in chunks that bound the memory."""
    parts = (np.asarray(run(inputs[i : i + CHUNK])) for i in range(0, len(inputs), CHUNK))
    return np.concatenate([part.astype(np.float64) for part in parts])


def float_logits(path: Path, inputs: NDArray[Any]) -> Floats:
    """The same by onnxruntime."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return logits(lambda x: session.run(None, {name: x})[0], inputs)


def percent(hits: NDArray[np.bool_]) -> str:
    """Share of True."""
    return f"{100 * float(hits.mean()):.2f}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--multipliers", nargs="+", help="default: all that the target can build")
    parser.add_argument("--repair", nargs="+", metavar="LEVEL", default=["none"])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--target", default="daism")
    parser.add_argument("--exact-front", type=int, default=0, metavar="N", help="first N layers")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    args = parser.parse_args()
    names = args.multipliers or usable(targets.get(args.target))
    options = Options(args.networks, names, args.repair, args.target, args.images, args.exact_front)
    results: dict[str, Any] = {"machine": machine()}
    print(f"on {results['machine']}")
    bench_accuracy(options, results)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
