"""Compile time and memory of large networks; asserts nothing.

    python scripts/bench_large.py                     everything
    python scripts/bench_large.py compile layers      only these

compile   ResNet-50 and VGG-19 without verification: seconds, processor seconds, memory
layers    chains of 10, 100 and 1000 convolutions: processor seconds a layer
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cimc.backend.terminal_table import text_table

ROOT = Path(__file__).parents[1]
LAYERS = (10, 100, 1000)
CHANNELS, SIZE = 16, 8
SPREAD = 0.003
"""Of the weights that make a layer of a chain differ from copying its input."""

sys.path.insert(0, str(ROOT / "models"))
from reweight_light import reweighted  # noqa: E402 - models/ is no package


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


def bench_compile(folder: Path) -> None:
    """The largest networks of the onnx package."""
    rows: list[list[str]] = []
    for name in ("light_resnet50", "light_vgg19"):
        path = folder / f"{name}.onnx"
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


def bench_layers(folder: Path) -> None:
    """The cost of a layer must not depend on how many there are."""
    rows: list[list[str]] = []
    before: tuple[int, float] | None = None
    for layers in LAYERS:
        path = folder / f"chain{layers}.onnx"
        onnx.save(chain(layers), path)
        cost = compile_alone(path)
        more = ""
        if before is not None:
            more = f"{1000 * (cost.processor_s - before[1]) / (layers - before[0]):.1f}"
        before = (layers, cost.processor_s)
        rows.append([str(layers), *cost.cells(), more])
    print(text_table(["layers", "s", "processor s", "peak GB", "ms a further layer"], rows, left=1))


SECTIONS: dict[str, Callable[[Path], None]] = {"compile": bench_compile, "layers": bench_layers}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in args.sections or SECTIONS:
            print(f"\n{name}")
            SECTIONS[name](Path(folder))


if __name__ == "__main__":
    main()
