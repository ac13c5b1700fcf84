"""Cycles of depthwise layers on the vector unit and on the array: the table of docs/depthwise.md.

    python scripts/depthwise_cycles.py

Cycles are the compiler's estimate, which the RTL meets exactly (tests/cosim).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import cimc
from cimc.backend.terminal_table import text_table
from cimc.passes.plan import LayerPlan, Plan

LAYERS = ((112, 32, 3, 1), (56, 96, 3, 2), (14, 480, 5, 1), (7, 1152, 3, 1), (7, 1152, 5, 1))
"""Side of the map, channels, side of the kernel, stride: MobileNetV2 and EfficientNet-B0."""
ARRAY_MULTIPLIER = "daism-pc3-lj"


def write_model(path: Path, side: int, channels: int, kernel: int, stride: int) -> None:
    """An ONNX file of one depthwise convolution that keeps the size of the map (stride 1)."""
    weights = np.random.default_rng(0).normal(size=(channels, 1, kernel, kernel))
    node = helper.make_node(
        "Conv",
        ["x", "w"],
        ["y"],
        name="depthwise",
        group=channels,
        strides=[stride] * 2,
        pads=[kernel // 2] * 4,
    )
    shape = [1, channels, side, side]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)]
        for name, dims in (("x", shape), ("y", None))
    ]
    graph = helper.make_graph(
        [node], "g", *ends, [numpy_helper.from_array(weights.astype(np.float32), "w")]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


def row(folder: Path, side: int, channels: int, kernel: int, stride: int) -> list[str]:
    """One line of the table."""
    path = folder / "layer.onnx"
    write_model(path, side, channels, kernel, stride)
    cells = [f"{side}x{side}x{channels}", f"{kernel}x{kernel}/{stride}"]
    for multiplier in (None, ARRAY_MULTIPLIER):
        plan = Plan((LayerPlan("depthwise", multiplier),))
        report = cimc.compile(path, plan=plan).report
        layer = next(each for each in report["layers"] if each["macs"])
        if multiplier is None:
            cells.append(f"{layer['macs']:,}")
        cells.append(f"{layer['cycles']:,}")
        cells.append(f"{layer['macs'] / layer['cycles']:.2f}")
    return cells


def main() -> None:
    """Print the table."""
    header = ["map", "kernel", "MACs"]
    header += ["vector unit", "MACs/cycle", f"array, {ARRAY_MULTIPLIER}", "MACs/cycle"]
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(Path(folder), *layer) for layer in LAYERS]
    print(text_table(header, rows, left=2))


if __name__ == "__main__":
    main()
