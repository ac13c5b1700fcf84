"""Measures the figures that the project wants to reach, on this machine; asserts nothing.

    python scripts/bench.py                     everything but the long sections
    python scripts/bench.py compile cosim       only these
    python scripts/bench.py networks accuracy   the long ones, many minutes

compile   full-size ResNet-18 without verification: seconds, memory
cycles    its cycles against the bound of one product a lane and cycle, and where the rest goes
cosim     one image of it on RTL: seconds, cycles a second, differing bytes
networks  LeNet (10 images), ResNet-8 and ResNet-18-w16 (2) on RTL with every DAISM multiplier
accuracy  top-1 of the emulated machine by multiplier, beside onnxruntime in floating point
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

import cimc
from cimc import multipliers
from cimc.backend.terminal_table import text_table
from cimc.cli.progress import Progress

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "models"
SAMPLE = MODELS / "fashion_mnist_sample.npz"
NETWORKS = {"lenet": 10, "resnet8": 2, "resnet18_w16": 2}
"""Trained networks and how many images of each go through the RTL."""
ICARUS_MULTIPLIER = "daism-pc3-lj"
"""Icarus is some hundred times slower, so it runs one image with one multiplier."""
CHUNK = 500

Floats = NDArray[np.float64]

sys.path.insert(0, str(MODELS))
from data import Preprocess, load, load_sample, preprocess_path  # noqa: E402 - models/ is no package


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    names: Sequence[str]
    """Multipliers of the sections that try several."""
    images: int
    """Test images of `accuracy`."""
    networks: Sequence[str]
    results: dict[str, Any] = field(default_factory=dict[str, Any])
    """Everything measured, by section: what ``--json`` writes."""


def figure(
    into: dict[str, Any], name: str, measured: float, unit: str, limit: float | None = None
) -> None:
    """Print a line, with the ratio to `limit` when there is one, and keep it."""
    goal = f"   {measured / limit:.2f} of the limit {limit:g} {unit}" if limit else ""
    print(f"{name:<44}{measured:>14,.2f} {unit}{goal}", flush=True)
    into[name.strip()] = {"measured": measured, "unit": unit, "limit": limit}


def table(into: dict[str, Any], header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table and keep its rows."""
    print(text_table([*header], [[*row] for row in rows], left=3))
    into["rows"] = [dict(zip(header, row, strict=True)) for row in rows]


def resnet18(folder: Path) -> Path:
    """The full-size model, generated into `folder`."""
    path = folder / "resnet18.onnx"
    make = [sys.executable, str(MODELS / "make_resnet18.py"), str(path)]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    return path


def bench_compile(options: Options, model: Path, into: dict[str, Any]) -> None:
    """In a process of its own, so that its peak memory is that of the compiler alone."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "cimc.cli.main", str(model), "--verify=none"]
    out = str(model.parent / "out")
    subprocess.run([*command, "-o", out], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    figure(into, "ResNet-18 compile time", time.perf_counter() - began, "s", 30)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024 / 1024
    figure(into, "ResNet-18 compile peak memory", peak, "GB", 3)


def bench_cycles(options: Options, model: Path, into: dict[str, Any]) -> None:
    """Where the cycles of ResNet-18 go."""
    report = cimc.compile(model).report
    cycles = report["cycles"]
    figure(into, "ResNet-18 cycles", cycles["estimated"] / 1e6, "M", 4.1)
    figure(into, "  bound: every lane busy every cycle", cycles["ideal"] / 1e6, "M")
    for name, count in lost_cycles(report).items():
        figure(into, f"  {name}", count / 1e6, "M")


def lost_cycles(report: dict[str, Any]) -> dict[str, int]:
    """Cycles beyond the bound, by reason."""
    layers = [layer for layer in report["layers"] if layer["macs"]]
    ideal = report["cycles"]["ideal"]
    accesses = sum(layer["array_accesses"] for layer in layers)
    active = sum(layer["array_cycles"] for layer in layers)
    busy = sum(layer["cycles"] for layer in layers)
    return {
        "lanes, banks or reads beyond one a product": accesses - ideal,
        "post-processor slower than the array": active - accesses,
        "array layers waiting (loads, pipelines)": busy - active,
        "other layers (pools, adds, transfers)": report["cycles"]["estimated"] - busy,
    }


def bench_cosim(options: Options, model: Path, into: dict[str, Any]) -> None:
    """The whole network on RTL; the simulator is built before the clock starts."""
    compiled = cimc.compile(model)
    small = cimc.compile(MODELS / "lenet.onnx", calibration=SAMPLE)
    small.verify("rtl")
    began = time.perf_counter()
    compiled.verify("emulate")
    emulation = time.perf_counter() - began
    began = time.perf_counter()
    report = compiled.verify("rtl")
    whole = time.perf_counter() - began
    figure(into, "ResNet-18 RTL co-simulation, one image", whole, "s", 300)
    speed = report["cycles"]["rtl"] / max(whole - emulation, 1e-9) / 1000
    figure(into, "  without emulation and reference", speed, "kcycles/s")
    figure(
        into, "  differing bytes", report["errors"]["implementation"]["differing_bytes"], "bytes"
    )
    figure(
        into,
        "  cycles beyond the estimate",
        report["cycles"]["rtl"] - report["cycles"]["estimated"],
        "",
    )


def bench_networks(options: Options, model: Path, into: dict[str, Any]) -> None:
    """Every multiplier on RTL; LeNet once on Icarus too. A difference is an error."""
    progress = Progress(verbose=False)
    rows: list[list[str]] = []
    for network in options.networks:
        runs = [(name, "verilator", NETWORKS[network]) for name in options.names]
        if network == "lenet":
            runs.append((ICARUS_MULTIPLIER, "icarus", 1))
        for name, simulator, images in runs:
            progress(f"{network} {name} {simulator}")
            compiled = cimc.compile(MODELS / f"{network}.onnx", calibration=SAMPLE, multiplier=name)
            report = compiled.verify("rtl", images=images, simulator=simulator)
            rows.append(network_row(network, name, report))
    progress.clear()
    header = ["network", "multiplier", "simulator", "images", "bytes", "differ"]
    table(into, [*header, "cycles", "RTL", "quant. dB", "approx. dB"], rows)


def network_row(network: str, name: str, report: dict[str, Any]) -> list[str]:
    """One line of the table of `networks`."""
    errors, verification = report["errors"], report["verification"]
    implementation = errors["implementation"]
    return [
        network,
        name,
        verification["simulator"],
        str(verification["images"]),
        f"{implementation['compared_bytes']:,}",
        str(implementation["differing_bytes"]),
        f"{report['cycles']['estimated']:,}",
        f"{report['cycles']['rtl']:,}",
        decibels(errors["quantisation"]),
        decibels(errors["approximation"]),
    ]


def decibels(error: dict[str, Any]) -> str:
    """The ratio, or ``exact``."""
    return "exact" if error["identical"] else f"{error['sqnr_db']:.1f}"


def bench_accuracy(options: Options, model: Path, into: dict[str, Any]) -> None:
    """Top-1 on test images, each image compared with onnxruntime's answer for it."""
    images, labels, source = test_images(options.images)
    into["source"], into["images"] = source, len(labels)
    print(f"accuracy on {len(labels)} images ({source})")
    rows: list[list[str]] = []
    progress = Progress(verbose=False)
    for network in options.networks:
        path = MODELS / f"{network}.onnx"
        inputs = Preprocess.read(preprocess_path(path))(images)
        truth = float_logits(path, inputs)
        right = truth.argmax(axis=1) == labels
        rows.append([network, "float", "onnxruntime", percent(right), "", "", "", "", ""])
        for name in options.names:
            progress(f"{network} {name}")
            compiled = cimc.compile(path, calibration=SAMPLE, multiplier=name)
            found = logits(lambda x, m=compiled: m.run(None, {m.input_names[0]: x})[0], inputs)
            cycles = f"{compiled.report['cycles']['estimated']:,}"
            rows.append([network, name, "cimc", *paired(found, truth, labels), cycles])
    progress.clear()
    header = ["network", "multiplier", "by", "top-1 %", "lost", "won", "agreement %"]
    table(into, [*header, "SQNR dB", "cycles"], rows)


def paired(found: Floats, truth: Floats, labels: NDArray[Any]) -> list[str]:
    """Top-1; images that only float gets right, only we; same answer; SQNR of the logits."""
    ours, theirs = found.argmax(axis=1), truth.argmax(axis=1)
    noise = float(np.square(found - truth).sum()) or np.finfo(np.float64).tiny
    ratio = 10 * np.log10(float(np.square(truth).sum()) / noise)
    lost = np.count_nonzero((theirs == labels) & (ours != labels))
    won = np.count_nonzero((theirs != labels) & (ours == labels))
    return [
        percent(ours == labels),
        str(lost),
        str(won),
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


SECTIONS: dict[str, Callable[[Options, Path, dict[str, Any]], None]] = {
    "compile": bench_compile,
    "cycles": bench_cycles,
    "cosim": bench_cosim,
    "networks": bench_networks,
    "accuracy": bench_accuracy,
}
QUICK = ("compile", "cycles", "cosim")


def machine() -> str:
    """Processor, cores, Python and numpy of this machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    processor = next(named, platform.machine())
    versions = f"Python {platform.python_version()}, numpy {np.__version__}"
    return f"{processor}, {os.cpu_count()} cores, {versions}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=[])
    parser.add_argument("--multipliers", nargs="+", default=list(multipliers.names()))
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--images", type=int, default=10_000, help="for accuracy")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    args = parser.parse_args()
    options = Options(args.multipliers, args.images, args.networks)
    options.results["machine"] = machine()
    print(f"on {options.results['machine']}")
    with tempfile.TemporaryDirectory() as folder:
        model = resnet18(Path(folder))
        for name in args.sections or QUICK:
            print(f"\n{name}")
            SECTIONS[name](options, model, options.results.setdefault(name, {}))
    if args.json:
        args.json.write_text(json.dumps(options.results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
