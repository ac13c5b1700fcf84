"""Measures the compiled kernels beside other ways to the same sums, in one run, one thread each.

    python scripts/bench_kernels.py                        the layers of ResNet-18, any multipliers
    python scripts/bench_kernels.py --multipliers exact daism-pc3-lj --json kernels.json

Ways: ours with each instruction set; a compiled loop that looks every product up (what AdaPT
does); the same in numpy; onnxruntime with int8 (MatMulInteger) and with float32. Figures are
products a second of processor time, the best of several rounds; ways take turns, so that what
else the machine does hits all of them. The limit is what the machine's loads allow: each vector
of products takes two loads (one for a table that does not split).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# ruff: noqa: E402 - threads are limited before numpy and onnxruntime start them
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CIMC_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

from cimc import multipliers
from cimc.backend.terminal_table import text_table
from cimc.kernels import Operand, TableProduct, native
from cimc.kernels.factors import find_factors

SHAPES = ((12544, 147, 64), (3136, 576, 64), (784, 1152, 128), (196, 2304, 256), (49, 4608, 512))
"""Rows, reduction, columns of the convolutions of ResNet-18 for one image of 224 x 224."""
BATCH = 8
SLOW_PRODUCTS = 2e7
"""Slow ways get fewer rows: their speed does not depend on the number."""
NUMPY_PRODUCTS = 2e6

Run = Callable[[], Any]


def session(operator: str, kinds: tuple[int, int, int]) -> onnxruntime.InferenceSession:
    """A model of one matrix product on one thread."""
    a, b, y = (
        make_tensor_value_info(name, kind, [None, None])
        for name, kind in zip("aby", kinds, strict=True)
    )
    graph = make_graph([make_node(operator, ["a", "b"], ["y"])], "product", [a, b], [y])
    model = make_model(graph, opset_imports=[make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def ways(
    names: list[str], shape: tuple[int, int, int], rng: np.random.Generator
) -> dict[str, tuple[float, Run]]:
    """Products and code of each way for operands of `shape`; the sums of ours are checked."""
    m, k, n = shape
    x = rng.integers(0, 256, (m, k), np.uint8)
    few = Operand.of_codes(x >> 1, 0)
    w = rng.integers(-127, 128, (k, n)).astype(np.int8)
    found: dict[str, tuple[float, Run]] = {}
    left, right = Operand.of_codes(x, 0), Operand.of_codes(w, 0)
    for name in names:
        product = TableProduct(multipliers.get(name).table(7, 8))
        if find_factors(product.table) is not None:
            found[f"{name}, by factors"] = (m * k * n, ours(product, left, right))
            continue
        for choice in native.available()[:-1]:
            found[f"{name}, {choice}"] = (m * k * n, ours(product, left, right, choice))
        small = TableProduct(multipliers.get(name).table(7, 7))
        for choice in native.available()[:-1]:
            found[f"{name} 7 bits, {choice}"] = (m * k * n, ours(small, few, right, choice))
    signed = signed_products(names[0])
    if native.native is not None:
        rows = max(1, min(m, int(SLOW_PRODUCTS / (k * n))))
        found["look-up, compiled"] = (rows * k * n, looked_up(signed, x[:rows], w))
        check(next(iter(found.values()))[1](), signed, x, w, rng)
    rows = max(1, min(m, int(NUMPY_PRODUCTS / (k * n))))
    found["look-up, numpy"] = (rows * k * n, numpy_look_up(signed, x[:rows], w))
    integer = session("MatMulInteger", (TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32))
    floating = session("MatMul", (TensorProto.FLOAT,) * 3)
    floats = {"a": x.astype(np.float32), "b": w.astype(np.float32)}
    found["onnxruntime int8"] = (m * k * n, lambda: integer.run(None, {"a": x, "b": w}))
    found["onnxruntime float32"] = (m * k * n, lambda: floating.run(None, floats))
    return found


def ours(product: TableProduct, x: Operand, w: Operand, choice: str | None = None) -> Run:
    """Our product, with one instruction set or the best."""

    sums = np.empty((x.codes.shape[0], w.codes.shape[1]), np.int32)

    def run() -> NDArray[np.int32]:
        os.environ[native.CHOICE] = choice or native.available()[0]
        return product(x, w, sums)

    return run


def signed_products(name: str) -> NDArray[np.int16]:
    """[256, 256] by activation byte (uint8) and weight byte (int8)."""
    table = multipliers.get(name).table(7, 8).astype(np.int64)
    value = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.int64)
    magnitude = np.minimum(np.abs(value), 127)
    return (table[magnitude].T * np.sign(value)).astype(np.int16)


def looked_up(signed: NDArray[np.int16], x: NDArray[np.uint8], w: NDArray[np.int8]) -> Run:
    """The compiled look-up loop."""
    columns = np.ascontiguousarray(w.T).view(np.uint8)
    sums = np.empty((len(x), len(columns)), np.int32)
    left = np.ascontiguousarray(x)
    return lambda: native.native.look_up(signed, left, columns, sums)


def numpy_look_up(signed: NDArray[np.int16], x: NDArray[np.uint8], w: NDArray[np.int8]) -> Run:
    """One fancy index for each row."""
    flat, index = signed.ravel(), w.view(np.uint8).astype(np.intp)

    def run() -> NDArray[np.int32]:
        rows = [flat[index + (row.astype(np.intp) * 256)[:, None]].sum(0, np.int32) for row in x]
        return np.stack(rows)

    return run


def check(
    sums: NDArray[np.int32],
    signed: NDArray[np.int16],
    x: NDArray[np.uint8],
    w: NDArray[np.int8],
    rng: np.random.Generator,
) -> None:
    """Stop if one of some sums is wrong."""
    for _ in range(20):
        m, n = rng.integers(len(x)), rng.integers(w.shape[1])
        expected = signed[x[m], w[:, n].view(np.uint8)].astype(np.int64).sum()
        if sums[m, n] != expected:
            sys.exit(f"sum [{m}, {n}] is {sums[m, n]}, the table says {expected}")


def speeds(found: dict[str, tuple[float, Run]], rounds: int) -> dict[str, float]:
    """Billions of products a second of processor time: the best round of each way."""
    best = dict.fromkeys(found, 0.0)
    for _ in range(rounds):
        for name, (products, run) in found.items():
            began = time.process_time()
            run()
            best[name] = max(best[name], products / (time.process_time() - began) / 1e9)
    return best


def load_limit() -> dict[str, float]:
    """Billions of 16-bit products a second for each instruction set if each takes one load."""
    if native.native is None:
        return {}
    return {name: native.native.load_speed(name) / 2 for name in native.available()[:-1]}


def machine() -> str:
    """Processor, cores, load."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "?")
    load = os.getloadavg()[0]
    return (
        f"{model}, {os.cpu_count()} cores, load {load:.1f}, onnxruntime {onnxruntime.__version__}"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--multipliers", nargs="+", default=["daism-pc3", "daism-pc3-lj", "daism-hla"]
    )
    parser.add_argument("--batch", type=int, default=1, help="images (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    by_shape: list[dict[str, float]] = []
    for m, k, n in SHAPES:
        by_shape.append(speeds(ways(args.multipliers, (m * args.batch, k, n), rng), args.rounds))
    limits = load_limit()
    results: dict[str, Any] = {
        "machine": machine(),
        "onnx": onnx.__version__,
        "batch": args.batch,
        "shapes": SHAPES,
        "loads_limit": limits,
        "ways": {},
    }
    header = ["G products/s", *(f"{m * args.batch}x{k}x{n}" for m, k, n in SHAPES), "mean"]
    rows: list[list[str]] = []
    means = {
        name: float(np.exp(np.mean([np.log(speed[name]) for speed in by_shape])))
        for name in by_shape[0]
    }
    for name, mean in means.items():
        each = [speed[name] for speed in by_shape]
        ratios = {
            other: mean / means[other]
            for other in ("look-up, compiled", "onnxruntime int8", "onnxruntime float32")
            if other in means
        }
        limit = limits.get(name.rpartition(", ")[2])
        share = None if limit is None else mean / (limit / 2)
        results["ways"][name] = {"by_shape": each, "mean": mean, "ratio": ratios, "of_loads": share}
        cells = [f"{speed:.2f}" for speed in (*each, mean)]
        percent = "" if share is None else f"{100 * share:.0f} %"
        rows.append([name, *cells, *(f"{ratio:.2f}" for ratio in ratios.values()), percent])
    print(f"on {results['machine']}; geometric means")
    print(text_table([*header, "/look-up", "/int8", "/float32", "of loads"], rows))
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
