"""Measures whole networks, image in to logits out, beside their matrix products alone.

    python scripts/bench_network.py                     ResNet-18 of 224 x 224, eight images
    python scripts/bench_network.py MODEL --multiplier drum-k4 --json network.json

Ways, in one run and on one thread: ours, as `cimc run` and `cimc evaluate` do it; the same with
every product looked up by a compiled loop (what AdaPT does), whose outputs must be equal; the
matrix products of the layers alone, by our kernels; onnxruntime in float32. Times are those of the
processor, the best of several rounds, ways taking turns. Then ours again on one and on two threads
in turns, by the clock: that needs a machine that does nothing else. What threads do not divide is
the processor time less that of the steps, which runs on one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

# ruff: noqa: E402 - threads are limited before numpy and onnxruntime start them
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CIMC_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import onnx
import onnxruntime
from bench_kernels import machine
from numpy.typing import NDArray

from cimc import multipliers
from cimc.api import CompiledModel, compile
from cimc.kernels import Alphabet, Finish, Operand, TableProduct, Windows, native
from cimc.kernels.layer import in_parts
from cimc.sim import emulate, emulator_steps
from cimc.sim.emulator_steps import Memories, Step
from cimc.sim.emulator_trace import ProgramMemory

MAKE_RESNET18 = Path(__file__).parents[1] / "models" / "make_resnet18.py"
Run = Callable[[], Any]


def matrix_products(path: Path, batch: int) -> list[tuple[int, int, int]]:
    """Rows, reduction and columns of every layer with weights and one group."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    values = (*graph.value_info, *graph.output)
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
    weights = {w.name: list(w.dims) for w in graph.initializer}
    found: list[tuple[int, int, int]] = []
    for node in graph.node:
        if node.op_type == "Conv":
            n, c, *kernel = weights[node.input[1]]
            _, _, *spatial = shapes[node.output[0]]
            found.append((batch * int(np.prod(spatial)), c * int(np.prod(kernel)), n))
        elif node.op_type == "Gemm":
            n, k = weights[node.input[1]]
            found.append((batch, k, n))
    return found


def products_alone(shapes: list[tuple[int, int, int]], multiplier: str) -> Run:
    """Our kernels on random operands of these shapes."""
    product, rng = TableProduct(multipliers.get(multiplier).table(7, 8)), np.random.default_rng(0)
    operands = [
        (
            Operand.of_codes(rng.integers(0, 256, (m, k), np.uint8), 0),
            Operand.of_codes(rng.integers(-127, 128, (k, n)).astype(np.int8), 0),
        )
        for m, k, n in shapes
    ]

    def run() -> None:
        for x, w in operands:
            product(x, w)

    return run


def looked_up(
    self: TableProduct, windows: Windows, x: Alphabet, w: Operand, finish: Finish
) -> None:
    """`TableProduct.layer` with the look-up loop."""
    inside = x.magnitude < self.table.shape[1], w.alphabet.magnitude < self.table.shape[0]
    rows, columns = (
        np.where(i, a.magnitude, 0) for i, a in zip(inside, (x, w.alphabet), strict=True)
    )
    table = self.table.astype(np.int64)[np.ix_(columns, rows)].T
    opposite = np.not_equal.outer(x.negative, w.alphabet.negative)
    signed = np.where(opposite, -table, table).astype(np.int16)
    weights = np.ascontiguousarray(w.codes.T)
    for some, end in in_parts(windows, finish):
        codes = some.gather()
        sums = np.empty((len(codes), len(weights)), np.int32)
        native.native.look_up(signed, codes, weights, sums)
        end.apply(sums)


@contextmanager
def look_up_loop() -> Generator[None]:
    """Layers go through the look-up loop, and earlier runs are forgotten."""
    memory = ProgramMemory()
    with (
        patch.object(TableProduct, "layer", looked_up),
        patch.object(TableProduct, "fused_plan", lambda *_: None),
        patch.object(emulate, "_memory_of", lambda _: memory),
    ):
        yield


def float_network(path: Path, x: NDArray[np.float32]) -> Run:
    """The model in onnxruntime, image by image if that is how it is written."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    fixed = isinstance(given.shape[0], int)
    parts = [x[i : i + given.shape[0]] for i in range(len(x))] if fixed else [x]
    return lambda: [session.run(None, {given.name: part}) for part in parts]


def timed(run: Run, clock: Callable[[], float]) -> float:
    """Seconds of one round."""
    began = clock()
    run()
    return clock() - began


def threads(run: Run, rounds: int) -> dict[str, Any]:
    """By the clock on one and on two threads, in turns: seconds, and the ratio of each round."""
    found: dict[str, list[float]] = {"1": [], "2": []}
    for _ in range(rounds):
        for count, times in found.items():
            os.environ[native.THREADS] = count
            times.append(timed(run, time.perf_counter))
    os.environ[native.THREADS] = "1"
    ratios = [one / two for one, two in zip(found["1"], found["2"], strict=True)]
    best, middle = (of(found["1"]) / of(found["2"]) for of in (min, median))
    return {"seconds": found, "by_round": ratios, "best": best, "median": middle}


def alone(run: Run, rounds: int) -> float:
    """Seconds of processor time of `run` outside the steps of the program, the least."""
    inside = 0.0
    original = emulator_steps._execute_in_step  # type: ignore[reportPrivateUsage]

    def measured(steps: Sequence[Step], memories: Memories) -> None:
        nonlocal inside
        inside += timed(lambda: original(steps, memories), time.process_time)

    found: list[float] = []
    with patch.object(emulator_steps, "_execute_in_step", measured):
        for _ in range(rounds):
            inside = 0.0
            found.append(timed(run, time.process_time) - inside)
    return min(found)


def measure(path: Path, multiplier: str, batch: int, rounds: int) -> dict[str, Any]:
    """All figures of one network."""
    model: CompiledModel = compile(path, multiplier=multiplier)
    name = model.input_names[0]
    shape = model.network.model.inputs[0].shape[1:]
    x = np.random.default_rng(0).standard_normal((batch, *shape)).astype(np.float32)

    def ours() -> list[NDArray[np.float32]]:
        return model.run(None, {name: x})

    expected = ours()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with look_up_loop():
        found = ours()
        adapt = timed(ours, time.process_time)
    for one, other in zip(expected, found, strict=True):
        if not np.array_equal(one, other):
            sys.exit("the look-up loop gives other outputs")
    shapes = matrix_products(path, batch)
    ways = {
        "network": ours,
        "its products alone": products_alone(shapes, multiplier),
        "onnxruntime float32": float_network(path, x),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for way, run in ways.items():
            best[way] = min(best[way], timed(run, time.process_time))
    return {
        "machine": machine(),
        "model": path.name,
        "multiplier": multiplier,
        "batch": batch,
        "kernels": native.chosen(),
        "products": sum(m * k * n for m, k, n in shapes),
        "seconds": {**best, "network by look-up loop": adapt},
        "ratio_to_products": best["network"] / best["its products alone"],
        "ratio_of_look_up": adapt / best["network"],
        "peak_mib": peak,
        "seconds_on_one_thread": alone(ours, rounds),
        "threads": threads(ours, rounds),
    }


def report(found: dict[str, Any]) -> str:
    """The figures for a person."""
    lines = [
        f"{found['model']}, {found['batch']} images, {found['multiplier']}, {found['kernels']} "
        f"kernels, on {found['machine']}"
    ]
    for way, seconds in found["seconds"].items():
        speed = found["products"] / seconds / 1e9
        lines.append(f"{way:24} {seconds:7.3f} s  {speed:6.2f} G products/s")
    by_threads, serial = found["threads"], found["seconds_on_one_thread"]
    one, two = (min(by_threads["seconds"][n]) for n in "12")
    bound = 2 / (1 + serial / found["seconds"]["network"])
    lines += [
        f"network / its products   {found['ratio_to_products']:.2f}",
        f"look-up loop / network   {found['ratio_of_look_up']:.1f}",
        f"peak memory              {found['peak_mib']:.0f} MiB",
        f"not divided by threads   {serial:.3f} s, so two are at most {bound:.2f} x one",
        f"two threads by the clock {by_threads['best']:.2f} x one ({one:.3f} s, {two:.3f} s: best "
        f"of {len(by_threads['by_round'])}), median {by_threads['median']:.2f} x",
    ]
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", type=Path, help="ONNX file (ResNet-18, made here)")
    parser.add_argument("--multiplier", default="daism-pc3", help="(%(default)s)")
    parser.add_argument("--batch", type=int, default=8, help="images (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.model or Path(folder) / "resnet18.onnx"
        if args.model is None:
            subprocess.run([sys.executable, MAKE_RESNET18, path], check=True)
        found = measure(path, args.multiplier, args.batch, args.rounds)
    print(report(found))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
