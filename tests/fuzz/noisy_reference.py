"""What an error of 8-bit quantisation amounts to at the outputs of a float network.

Every node runs by itself in onnxruntime; its result is then brought to the 8-bit grid with the
least squared error, in a simple way that knows nothing of the compiler.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto
from onnx_nodes import NodeRunner, initialisers

Array = NDArray[Any]

CODES = ("QuantizeLinear", "DequantizeLinear", "QLinear", "QGemm")
MOVES = (
    *("Identity", "Dropout", "Cast", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze"),
    *("Split", "Slice", "Resize", "MaxPool", "GlobalMaxPool", "ReduceMax", "DepthToSpace"),
)
"""Operators whose results lie on the grid of their operand."""
OUTPUT_AXIS = {"Conv": 0, "Gemm": 1, "MatMul": 1}
CLIPS = np.arange(1.0, 0.05, -0.05)


def on_grid(x: Array, stretch: float) -> Array:
    """`x` with 8 bits, clipped where that has the least error; steps are `stretch` as large."""
    largest = float(np.abs(x).max())
    if largest == 0:
        return x
    low, high = (0, 255) if x.min() >= 0 else (-127, 127)
    tries = [largest * clip * stretch / high for clip in CLIPS]
    rounded = [np.clip(np.rint(x / step), low, high) * step for step in tries]
    return min(rounded, key=lambda y: float(np.square(y - x).sum())).astype(x.dtype)


def rounded_weights(w: Array, axis: int, stretch: float) -> Array:
    """`w` with 8 bits, symmetric, one step for each position along `axis`."""
    others = tuple(i for i in range(w.ndim) if i != axis)
    step = np.abs(w).max(axis=others, keepdims=True) * stretch / 127
    return (np.rint(w / np.where(step > 0, step, 1)) * step).astype(w.dtype)


class NoisyReference:
    """A float or quantised network, node by node."""

    def __init__(self, model: ModelProto, images: dict[str, Array]):
        """Prepare to run `model` on `images` by input name."""
        self.images = images
        self.outputs = [y.name for y in model.graph.output]
        self.constants = initialisers(model.graph)
        opset = next(o.version for o in model.opset_import if not o.domain)
        self.readers: dict[str, set[str]] = {}
        for node in model.graph.node:
            for name in node.input:
                self.readers.setdefault(name, set()).add(node.op_type)
        for name in self.outputs:
            self.readers.setdefault(name, set()).add("")
        values = dict(images)
        self.runners: list[NodeRunner] = []
        for node in model.graph.node:
            given = {n: values[n] for n in node.input if n in values}
            given |= {n: self.constants[n] for n in weights_of(node) if n in self.constants}
            runner = NodeRunner(node, given, self.constants, opset)
            values |= runner(given)
            self.runners.append(runner)
        self.exact = {name: values[name] for name in self.outputs}

    def step(self, name: str) -> float:
        """Step of the 8-bit grid of output `name`: the model's own, else one for its range."""
        maker = next(r.node for r in self.runners if name in r.node.output)
        if maker.op_type == "DequantizeLinear":
            return float(np.max(self.constants[maker.input[1]]))
        return float(np.abs(self.exact[name]).max()) / 127

    def noisy(self, rng: np.random.Generator) -> dict[str, Array]:
        """Outputs when every tensor has been rounded to 8 bits, on grids that `rng` stretches."""
        values: dict[str, Array] = {n: self.rounded(n, x, rng) for n, x in self.images.items()}
        for runner in self.runners:
            node = runner.node
            given = {n: values[n] for n in runner.names if n in values}
            for n in weights_of(node):
                if n in self.constants:
                    axis = output_axis(node)
                    given[n] = rounded_weights(self.constants[n], axis, 1 + 0.1 * rng.random())
            if node.op_type == "QuantizeLinear":
                step = self.constants[node.input[1]]
                x = given[node.input[0]]
                noise = rng.uniform(-0.01, 0.01, x.shape) * step
                given[node.input[0]] = (x + noise).astype(np.float32)
            if node.op_type == "Pad" and any(name in self.constants for name in node.input[2:3]):
                # the machine pads x - value with zeros, and adds the value
                value, x = self.constants[node.input[2]], given[node.input[0]]
                given[node.input[0]] = on_grid(x - value, 1) + value
            found = runner(given)
            free = not node.op_type.startswith((*CODES, *MOVES))
            values |= {n: self.rounded(n, y, rng) if free else y for n, y in found.items()}
        return {name: values[name] for name in self.outputs}

    def rounded(self, name: str, x: Array, rng: np.random.Generator) -> Array:
        """`x` with 8 bits, unless it is only read to be quantised, or holds no floats."""
        if x.dtype != np.float32 or self.readers.get(name) == {"QuantizeLinear"}:
            return x
        return on_grid(x, 1 + 0.1 * rng.random())


def weights_of(node: NodeProto) -> list[str]:
    """Constant factors of a float layer."""
    return [node.input[1]] if node.op_type in OUTPUT_AXIS else []


def output_axis(node: NodeProto) -> int:
    """Axis of the weights that is that of the outputs."""
    turned = any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if turned else OUTPUT_AXIS[node.op_type]


def rms(x: Array) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(x.astype(np.float64)))))
