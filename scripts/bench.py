"""Measures the figures that the project wants to reach, on this machine; asserts nothing.

    python scripts/bench.py                     everything but the long one
    python scripts/bench.py compile cosim       only these
    python scripts/bench.py networks            the long one, many minutes

compile   full-size ResNet-18 without verification: seconds, memory
cycles    its cycles against the bound of one product a lane and cycle, and where the rest goes
cosim     one image of it on RTL: seconds, cycles a second, differing bytes
networks  LeNet (10 images), ResNet-8 and ResNet-18-w16 (2) on RTL with every DAISM multiplier

Accuracy is in bench_accuracy.py.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from figures import figure, machine, table

import cimc
from cimc import targets
from cimc.cli.progress import Progress
from cimc.passes.chooser import usable

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "models"
SAMPLE = MODELS / "fashion_mnist_sample.npz"
NETWORKS = {"lenet": 10, "resnet8": 2, "resnet18_w16": 2}
"""Trained networks and how many images of each go through the RTL."""
ICARUS_MULTIPLIER = "daism-pc3-lj"
"""Icarus is some hundred times slower, so it runs one image with one multiplier."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    names: Sequence[str]
    """Multipliers of the sections that try several."""
    networks: Sequence[str]
    results: dict[str, Any] = field(default_factory=dict[str, Any])
    """Everything measured, by section: what ``--json`` writes."""


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


SECTIONS: dict[str, Callable[[Options, Path, dict[str, Any]], None]] = {
    "compile": bench_compile,
    "cycles": bench_cycles,
    "cosim": bench_cosim,
    "networks": bench_networks,
}
QUICK = ("compile", "cycles", "cosim")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=[])
    parser.add_argument("--multipliers", nargs="+", default=usable(targets.get("daism")))
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    args = parser.parse_args()
    options = Options(args.multipliers, args.networks)
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
