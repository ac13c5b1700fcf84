"""Forms of convolutions, matrix products, pools and normalisation in ONNX."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto
from small_onnx import IMAGE, node, random

W = random(4, 3, 3, 3, seed=1)
B = random(4, seed=2)


@dataclass
class Form:
    """One way to write something in ONNX."""

    nodes: list[NodeProto]
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    opset: int = 17
    shape: tuple[int | str | None, ...] = IMAGE


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def statistics(channels: int) -> dict[str, NDArray[np.float32]]:
    parts = {name: random(channels, seed=i) for i, name in enumerate(("s", "b", "m"))}
    return parts | {"v": np.abs(random(channels, seed=9)) + np.float32(0.1)}


LAYERS = {
    "conv": Form([node("Conv", ["x", "w", "b"])], {"w": W, "b": B}),
    "conv kernel_shape": Form(
        [node("Conv", ["x", "w"], kernel_shape=[3, 3], pads=[0, 1, 2, 0], strides=[2, 1])],
        {"w": W},
    ),
    "conv same upper": Form(
        [node("Conv", ["x", "w"], auto_pad="SAME_UPPER", strides=[2, 2])], {"w": W}
    ),
    "conv same lower": Form(
        [node("Conv", ["x", "w"], auto_pad="SAME_LOWER", strides=[2, 2])], {"w": W}
    ),
    "conv valid": Form([node("Conv", ["x", "w"], auto_pad="VALID")], {"w": W}),
    "conv dilated": Form([node("Conv", ["x", "w"], dilations=[2, 1], pads=[2, 1, 2, 1])], {"w": W}),
    "conv depthwise": Form(
        [node("Conv", ["x", "w"], group=3, pads=[1, 1, 1, 1])], {"w": random(6, 1, 3, 3)}
    ),
    "batch norm": Form([node("BatchNormalization", ["x", "s", "b", "m", "v"])], statistics(3)),
    "batch norm opset 7": Form(
        [node("BatchNormalization", ["x", "s", "b", "m", "v"], epsilon=1e-3, momentum=0.9)],
        statistics(3),
        opset=7,
    ),
    "relu": Form([node("Relu", ["x"])]),
    "clip inputs": Form(
        [node("Clip", ["x", "low", "high"])], {"low": np.float32(0), "high": np.float32(1)}
    ),
    "clip one input": Form([node("Clip", ["x", "", "high"])], {"high": np.float32(0.5)}),
    "clip attributes": Form([node("Clip", ["x"], min=-0.5, max=0.5)], opset=7),
    "clip to nothing": Form([node("Clip", ["x"], "c"), node("Relu", ["c"])]),
    "clip as relu": Form([node("Clip", ["x", "low"])], {"low": np.float32(0)}),
    "add": Form([node("Relu", ["x"], "r"), node("Add", ["x", "r"])]),
    "add constant": Form([node("Add", ["x", "c"])], {"c": random(3, 1, 1)}),
    "constant first": Form([node("Add", ["c", "x"])], {"c": np.float32(2).reshape(1)}),
    "sum of two": Form([node("Relu", ["x"], "r"), node("Sum", ["x", "r"])]),
    "sum of three": Form([node("Sum", ["x", "x", "c"])], {"c": random(1, 3, 1, 1)}),
    "mul": Form([node("Mul", ["x", "c"])], {"c": random(1, 3, 1, 1)}),
    "sub": Form([node("Sub", ["x", "c"])], {"c": random(3, 1, 1)}),
    "sub from constant": Form([node("Sub", ["c", "x"])], {"c": random(3, 1, 1)}),
    "div": Form([node("Div", ["x", "c"])], {"c": np.float32(4).reshape(())}),
    "max pool": Form([node("MaxPool", ["x"], kernel_shape=[2, 2], strides=[2, 2])]),
    "max pool padded": Form(
        [node("MaxPool", ["x"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])]
    ),
    "max pool ceil": Form(
        [node("MaxPool", ["x"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)]
    ),
    "max pool ceil, padded": Form(
        [
            node(
                "MaxPool",
                ["x"],
                kernel_shape=[2, 2],
                strides=[3, 3],
                pads=[1, 1, 1, 1],
                ceil_mode=1,
            )
        ]
    ),
    "max pool same": Form(
        [node("MaxPool", ["x"], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")]
    ),
    "global max pool": Form([node("GlobalMaxPool", ["x"])]),
    "average pool": Form([node("AveragePool", ["x"], kernel_shape=[2, 4], strides=[2, 2])]),
    "average pool padded": Form(
        [node("AveragePool", ["x"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)]
    ),
    "average pool, ceil without effect": Form(
        [node("AveragePool", ["x"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)], opset=10
    ),
    "global average pool": Form([node("GlobalAveragePool", ["x"])]),
    "reduce mean attribute": Form([node("ReduceMean", ["x"], axes=[2, 3])], opset=13),
    "reduce mean input": Form([node("ReduceMean", ["x", "a"])], {"a": ints(-1, -2)}, opset=18),
    "reduce mean dropping": Form([node("ReduceMean", ["x"], axes=[-2, -1], keepdims=0)], opset=13),
    "flatten": Form([node("Flatten", ["x"])]),
    "flatten negative": Form([node("Flatten", ["x"], axis=-3)]),
    "reshape": Form([node("Reshape", ["x", "t"])], {"t": ints(-1, 192)}),
    "reshape zero": Form([node("Reshape", ["x", "t"])], {"t": ints(0, -1)}),
    "reshape allowzero": Form(
        [node("Reshape", ["x", "t"], allowzero=1)], {"t": ints(-1, 192)}, opset=14
    ),
    "reshape to the same": Form(
        [node("Reshape", ["x", "t"], "r"), node("Relu", ["r"])], {"t": ints(0, 3, 8, 8)}
    ),
    "reshape of a fixed batch": Form(
        [node("Reshape", ["x", "t"])], {"t": ints(2, 192)}, shape=(2, 3, 8, 8)
    ),
    "reshape by shape arithmetic": Form(
        [
            node("Shape", ["x"], "s"),
            node("Gather", ["s", "zero"], "n", axis=0),
            node("Unsqueeze", ["n", "axes"], "n1"),
            node("Constant", [], "rest", value_ints=[-1]),
            node("Concat", ["n1", "rest"], "t", axis=0),
            node("Reshape", ["x", "t"]),
        ],
        {"zero": np.array(0, np.int64), "axes": ints(0)},
    ),
    "squeeze attribute": Form(
        [node("GlobalAveragePool", ["x"], "g"), node("Squeeze", ["g"], axes=[2, 3])], opset=11
    ),
    "squeeze input": Form(
        [node("GlobalAveragePool", ["x"], "g"), node("Squeeze", ["g", "a"])], {"a": ints(2, -1)}
    ),
    "gemm": Form(
        [node("Flatten", ["x"], "f"), node("Gemm", ["f", "w", "b"])],
        {"w": random(192, 5), "b": random(5)},
    ),
    "gemm with attributes": Form(
        [
            node("Flatten", ["x"], "f"),
            node("Gemm", ["f", "w", "b"], transB=1, alpha=0.5, beta=2.0),
        ],
        {"w": random(5, 192), "b": random(1, 5)},
    ),
    "gemm with a scalar": Form(
        [node("Gemm", ["x", "w", "b"])],
        {"w": random(6, 5), "b": np.float32(3)},
        shape=("N", 6),
    ),
    "matmul": Form(
        [node("MatMul", ["x", "w"], "p"), node("Add", ["p", "b"])],
        {"w": random(6, 5), "b": random(5)},
        shape=("N", 6),
    ),
    "dropout": Form([node("Dropout", ["x"], "d"), node("Relu", ["d"])]),
    "dropout opset 7": Form([node("Dropout", ["x"], "d", ratio=0.3), node("Relu", ["d"])], opset=7),
    "identity": Form([node("Identity", ["x"], "d"), node("Relu", ["d"])]),
    "cast": Form([node("Cast", ["x"], "d", to=1), node("Relu", ["d"])]),
    "pad attribute": Form([node("Pad", ["x"], pads=[0, 0, 1, 2, 0, 0, 3, 0])], opset=10),
    "pad input": Form([node("Pad", ["x", "p"])], {"p": ints(0, 0, 1, 2, 0, 0, 3, 0)}),
    "pad axes": Form(
        [node("Pad", ["x", "p", "", "a"])], {"p": ints(1, 2, 3, 0), "a": ints(2, -1)}, opset=18
    ),
    "folded weights": Form(
        [
            node("ConstantOfShape", ["shape"], "zeros"),
            node("Add", ["zeros", "w"], "w1"),
            node("Conv", ["x", "w1"]),
        ],
        {"shape": ints(4, 3, 3, 3), "w": W},
    ),
}
