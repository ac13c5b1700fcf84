"""Compile time and memory of large networks, and accuracy of EfficientNet-Lite0; asserts nothing.

    python scripts/bench_large.py                     everything
    python scripts/bench_large.py compile layers      only these
    python scripts/bench_large.py lite0-choice [--multipliers ...] [--repair ...] [--targets ...]

compile   ResNet-50 and VGG-19 without verification: seconds, processor seconds, memory
layers    chains of 10, 100 and 1000 convolutions: processor seconds a layer
lite0     EfficientNet-Lite0 with its ImageNet weights: 8 bits by cimc and by onnxruntime beside
          float; needs models/get_efficientnet_lite0.py to have run
lite0-plan    the plan that is chosen for it so that 90 % of the products are approximate
lite0-choice  the plans that are chosen for it by cycles, beside one multiplier everywhere
lite0-repair  one multiplier for all its convolutions but the depthwise ones, which the vector
              unit computes, and repair: minutes for each, as for lite0-choice, so only when asked for
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import cimc
from cimc import targets
from cimc.backend.terminal_table import text_table
from cimc.frontend import load
from cimc.frontend.data import load_calibration
from cimc.interp.nn import run
from cimc.passes.choose_trial import Trial
from cimc.passes.chooser import usable
from cimc.passes.context import CimContext
from cimc.passes.depthwise import VECTOR_MULTIPLIER, suits_vector_unit
from cimc.passes.pipeline import PASSES, PIPELINE
from cimc.passes.plan import named_layers
from cimc.passes.plan_search import Choice
from cimc.passes.repair import LEVELS

ROOT = Path(__file__).parents[1]
LITE0 = ROOT / "build" / "efficientnet_lite0"
MODEL = LITE0 / "efficientnet_lite0.onnx"
DIGITAL = ("drum-k4", "drum-k6", "mitchell", "mitchell-w5", "roba", "ssm-k4", "tosam-h1-t3")
DIGITAL += ("trunc-c6", "openacm-antonio")
"""Multipliers of the library beside those of DAISM."""
LAYERS = (10, 100, 1000)
CHANNELS, SIZE = 16, 8
SPREAD = 0.003
"""Of the weights that make a layer of a chain differ from copying its input."""

sys.path.insert(0, str(ROOT / "models"))
from lite0_quality import (  # noqa: E402 - models/ is no package
    CHOICE,
    Photos,
    approximate_share,
    batched,
    onnxruntime_int8,
    onnxruntime_scores,
    quality,
)
from reweight_light import reweighted  # noqa: E402


@dataclass(frozen=True)
class Options:
    """What the sections need."""

    folder: Path
    """For networks that are made."""
    multipliers: list[str]
    repairs: list[str]
    targets_db: list[float]


@dataclass(frozen=True)
class Cost:
    """What one compilation took."""

    wall_s: float
    processor_s: float
    peak_gb: float

    def cells(self) -> list[str]:
        """As columns of a table."""
        return [f"{self.wall_s:.1f}", f"{self.processor_s:.1f}", f"{self.peak_gb:.2f}"]


MEASURED = """
import resource, sys
from pathlib import Path
from cimc.cli.main import run
code = run(sys.argv[1:])
usage = resource.getrusage(resource.RUSAGE_SELF)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print()
print(usage.ru_utime + usage.ru_stime, int(status["VmHWM"].split()[0]) / (1 << 20))
sys.exit(code)
"""
"""Runs cimc, then prints processor seconds and GB; ru_maxrss would count the parent process too."""


def compile_alone(model: Path) -> Cost:
    """Compile `model` in a process of its own and write the output directory."""
    arguments = [str(model), "--verify=none", "-o", f"{model}.out"]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"error: {model.name} does not compile")
    wall = time.perf_counter() - began
    processor, peak = map(float, done.stdout.splitlines()[-1].split())
    return Cost(wall, processor, peak)


def bench_compile(options: Options) -> None:
    """The largest networks of the onnx package."""
    rows: list[list[str]] = []
    for name in ("light_resnet50", "light_vgg19"):
        path = options.folder / f"{name}.onnx"
        onnx.save(reweighted(name), path)
        rows.append([name, *compile_alone(path).cells()])
        path.unlink()
    print(text_table(["network", "s", "processor s", "peak GB"], rows, left=1))


def chain(layers: int) -> onnx.ModelProto:
    """`layers` convolutions, each with a relu, that nearly copy their input."""
    rng = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights: list[TensorProto] = []
    each = range(CHANNELS)
    for i in range(layers):
        w = rng.normal(0.0, SPREAD, (CHANNELS, CHANNELS, 3, 3))
        w[each, each, 1, 1] += 1
        weights.append(numpy_helper.from_array(w.astype(np.float32), f"w{i}"))
        operands = ["x" if i == 0 else f"r{i - 1}", f"w{i}"]
        conv = helper.make_node("Conv", operands, [f"c{i}"], kernel_shape=[3, 3], pads=[1] * 4)
        nodes += [conv, helper.make_node("Relu", [f"c{i}"], [f"r{i}"])]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, CHANNELS, SIZE, SIZE])
        for name in ("x", f"r{layers - 1}")
    ]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def bench_layers(options: Options) -> None:
    """The cost of a layer must not depend on how many there are."""
    rows: list[list[str]] = []
    before: tuple[int, float] | None = None
    for layers in LAYERS:
        path = options.folder / f"chain{layers}.onnx"
        onnx.save(chain(layers), path)
        cost = compile_alone(path)
        more = ""
        if before is not None:
            more = f"{1000 * (cost.processor_s - before[1]) / (layers - before[0]):.1f}"
        before = (layers, cost.processor_s)
        rows.append([str(layers), *cost.cells(), more])
    print(text_table(["layers", "s", "processor s", "peak GB", "ms a further layer"], rows, left=1))


def bench_lite0(options: Options) -> None:
    """8-bit forms beside float on 100 crops of 20 photographs."""
    lite0 = Lite0.read()
    rows = [lite0.row("onnxruntime, float", lite0.real)]
    for per_channel in (True, False):
        scores = onnxruntime_int8(lite0.model, lite0.photos, per_channel)
        form = f"onnxruntime, int8, per {'channel' if per_channel else 'tensor'}"
        rows.append(lite0.row(form, scores))
    rows.append(lite0.row("cimc, exact", lite0.scores(lite0.compiled(multiplier="exact"))))
    print(text_table(["8 bits by", "right", "same", "SQNR dB"], rows, left=1))


def bench_lite0_plan(options: Options) -> None:
    """What `CHOICE` finds, on the crops and on the halves of the calibration images."""
    lite0 = Lite0.read()
    found = lite0.compiled(**CHOICE)
    for layer in found.report["layers"]:
        if layer["multiplier"] == "exact":
            print(f"exact: {layer['node']}")
    choice = found.report["choice"]
    row = [f"{100 * approximate_share(found):.1f}", f"{choice['predicted_sqnr_db']:.2f}"]
    row += [f"{choice['measured_sqnr_db']:.2f}", *lite0.row("", lite0.scores(found))[1:]]
    header = ["approximate, % of MACs", "predicted dB", "measured dB", "right", "same", "SQNR dB"]
    print(text_table(header, [row], left=0))


def bench_lite0_choice(options: Options) -> None:
    """Chosen plans and uniform ones by cycles, with the first level of repair."""
    lite0, repair = Lite0.read(), options.repairs[0]
    found: list[tuple[int, list[str]]] = []
    uniform_plans = [(name, {"multiplier": name}) for name in options.multipliers]
    chosen = [
        (f"{db:g} dB", {"target_sqnr": db, "choices": options.multipliers})
        for db in options.targets_db
    ]
    for name, asked in [*uniform_plans, *chosen]:
        compiled = lite0.compiled(repair=repair, **asked)
        cycles = compiled.report["cycles"]["estimated"]
        used = [layer["multiplier"] for layer in compiled.report["layers"] if layer["macs"]]
        counts = ", ".join(f"{count} {each}" for each, count in Counter(used).most_common())
        found.append((cycles, [*lite0.row(name, lite0.scores(compiled)), f"{cycles:,}", counts]))
        print(*found[-1][1], flush=True)
    header = ["plan", "right", "same", "SQNR dB", "cycles", "layers"]
    print(text_table(header, [row for _, row in sorted(found)], left=1))


def bench_lite0_repair(options: Options) -> None:
    """Each multiplier with each level of repair."""
    lite0 = Lite0.read()
    rows: list[list[str]] = []
    for level in options.repairs:
        trial = lite0.trial(level)
        for name in options.multipliers:
            module, ctx = trial.repaired(uniform(trial, name), trial.images)
            scores = batched(
                lambda x, m=module, w=ctx.weights: run(m, w, {"image": x}).outputs["logits"],
                lite0.photos.images,
            )
            rows.append([level, *lite0.row(name, scores)])
            print(*rows[-1], flush=True)
    print(text_table(["repair", "multiplier", "right", "same", "SQNR dB"], rows, left=2))


def uniform(trial: Trial, multiplier: str) -> dict[str, Choice]:
    """As `--multiplier` chooses: depthwise convolutions are left to the vector unit."""
    geometry = trial.ctx.target.geometry
    return {
        node: Choice(VECTOR_MULTIPLIER if suits_vector_unit(layer, geometry) else multiplier)
        for node, layer in named_layers(trial.exact)
    }


@dataclass(frozen=True)
class Lite0:
    """EfficientNet-Lite0, its photographs and what floats make of them."""

    model: onnx.ModelProto
    photos: Photos
    real: NDArray[np.float32]

    @staticmethod
    def read() -> Lite0:
        """From where get_efficientnet_lite0.py writes."""
        if not MODEL.is_file():
            sys.exit("error: lite0 needs: python models/get_efficientnet_lite0.py")
        photos, model = Photos.read(LITE0), onnx.load(MODEL)
        return Lite0(model, photos, onnxruntime_scores(model, photos.images))

    def compiled(self, **asked: Any) -> cimc.CompiledModel:
        """By cimc."""
        return cimc.compile(MODEL, calibration={"image": self.photos.calibration}, **asked)

    def trial(self, repair: str) -> Trial:
        """Quantised on the side; integers alone, which no target changes."""
        imported = load(MODEL)
        data = load_calibration(imported, {"image": self.photos.calibration})
        ctx = CimContext(targets.get("daism"), imported.weights, data)
        for each in PIPELINE[: PIPELINE.index("choose-plan")]:
            PASSES[each]()().apply(ctx, imported.module)
        return Trial(ctx, imported.module, repair)

    def scores(self, compiled: cimc.CompiledModel) -> NDArray[np.float32]:
        """Of the 100 crops, on the emulator."""
        return batched(lambda x: compiled.run(None, {"image": x})[0], self.photos.images)

    def row(self, name: str, scores: NDArray[np.float32]) -> list[str]:
        """Name; crops in the right class, in that of the floats; SQNR."""
        found = quality(scores, self.real, self.photos.labels)
        level = f"{found.sqnr_db:.2f}" if scores is not self.real else ""
        return [name, str(found.right), str(found.same), level]


SECTIONS: dict[str, Callable[[Options], None]] = {
    "compile": bench_compile,
    "layers": bench_layers,
    "lite0": bench_lite0,
    "lite0-plan": bench_lite0_plan,
}
SEPARATE = {"lite0-choice": bench_lite0_choice, "lite0-repair": bench_lite0_repair}
"""Only run when named."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    everything = SECTIONS | SEPARATE
    parser.add_argument("sections", nargs="*", choices=[*everything, []], default=[])
    everywhere = [*usable(targets.get("daism")), *DIGITAL]
    parser.add_argument("--multipliers", nargs="+", default=everywhere)
    parser.add_argument("--repair", nargs="+", choices=LEVELS, default=["none", "gain", "offsets"])
    parser.add_argument("--targets", nargs="+", type=float, default=[10.0, 12.0, 14.0])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options = Options(Path(folder), args.multipliers, args.repair, args.targets)
        for name in args.sections or SECTIONS:
            print(f"\n{name}")
            everything[name](options)


if __name__ == "__main__":
    main()
