"""Accuracy of EfficientNet-Lite0 with its ImageNet weights; asserts nothing.

    python scripts/bench_lite0.py accuracy plan
    python scripts/bench_lite0.py choice [--multipliers ...] [--repair LEVEL] [--targets DB ...]
    python scripts/bench_lite0.py repair [--multipliers ...] [--repair LEVEL ...]

Needs models/get_efficientnet_lite0.py to have run. Takes minutes, for each multiplier and level.

accuracy  8 bits by cimc and by onnxruntime beside float
plan      the plan that is chosen so that 90 % of the products are approximate
choice    plans that are chosen by cycles, beside one multiplier everywhere
repair    one multiplier for all convolutions but the depthwise ones, which the vector unit
          computes, and repair
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

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

ROOT = Path(__file__).parents[1]
LITE0 = ROOT / "build" / "efficientnet_lite0"
MODEL = LITE0 / "efficientnet_lite0.onnx"
DIGITAL = ("drum-k4", "drum-k6", "mitchell", "mitchell-w5", "roba", "ssm-k4", "tosam-h1-t3")
DIGITAL += ("trunc-c6", "openacm-antonio")
"""Multipliers of the library beside those of DAISM."""

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


@dataclass(frozen=True)
class Options:
    """What the sections need."""

    multipliers: list[str]
    repairs: list[str]
    targets_db: list[float]


def bench_accuracy(options: Options) -> None:
    """8-bit forms beside float on 100 crops of 20 photographs."""
    lite0 = Lite0.read()
    rows = [lite0.row("onnxruntime, float", lite0.real)]
    for per_channel in (True, False):
        scores = onnxruntime_int8(lite0.model, lite0.photos, per_channel)
        form = f"onnxruntime, int8, per {'channel' if per_channel else 'tensor'}"
        rows.append(lite0.row(form, scores))
    rows.append(lite0.row("cimc, exact", lite0.scores(lite0.compiled(multiplier="exact"))))
    print(text_table(["8 bits by", "right", "same", "SQNR dB"], rows, left=1))


def bench_plan(options: Options) -> None:
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


def bench_choice(options: Options) -> None:
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


def bench_repair(options: Options) -> None:
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
    "accuracy": bench_accuracy,
    "plan": bench_plan,
    "choice": bench_choice,
    "repair": bench_repair,
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="+", choices=SECTIONS)
    everywhere = [*usable(targets.get("daism")), *DIGITAL]
    parser.add_argument("--multipliers", nargs="+", default=everywhere)
    parser.add_argument("--repair", nargs="+", metavar="LEVEL", default=["offsets"])
    parser.add_argument("--targets", nargs="+", type=float, default=[10.0, 12.0, 14.0])
    args = parser.parse_args()
    options = Options(args.multipliers, args.repair, args.targets)
    for name in args.sections:
        print(f"\n{name}")
        SECTIONS[name](options)


if __name__ == "__main__":
    main()
