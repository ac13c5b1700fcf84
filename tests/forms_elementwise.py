"""Forms of functions, sums, products and pools in ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
from forms_layers import Form, ints
from onnx.helper import make_node
from small_onnx import node, random

FUNCTIONS: list[tuple[str, dict[str, Any], int]] = [
    *((name, {}, 17) for name in ("Abs", "Atan", "Ceil", "Cos", "Cosh", "Erf", "Floor", "Neg")),
    *((name, {}, 17) for name in ("HardSwish", "Round", "Sigmoid", "Sign", "Sin", "Sinh")),
    *((name, {}, 17) for name in ("Softplus", "Softsign", "Tan", "Tanh", "Asinh", "Shrink")),
    *((name, {"alpha": 0.7}, 17) for name in ("Celu", "Elu", "LeakyRelu", "ThresholdedRelu")),
    *((name, {}, 17) for name in ("Selu", "HardSigmoid")),
    ("Mish", {}, 18),
    ("Gelu", {"approximate": "tanh"}, 20),
]

ELEMENTWISE = {
    **{
        f"{op} function": Form([node(op, ["x"], **attributes)], opset=opset)
        for op, attributes, opset in FUNCTIONS
    },
    "functions of positive numbers": Form(
        [
            node("Exp", ["x"], "e"),
            node("Sqrt", ["e"], "s"),
            node("Log", ["s"], "l"),
            node("Pow", ["s", "p"], "q"),
            node("Reciprocal", ["q"], "r"),
            node("Sum", ["l", "r"]),
        ],
        {"p": np.float32(1.5)},
    ),
    "arc functions": Form(
        [
            node("Tanh", ["x"], "t"),
            node("Asin", ["t"], "a"),
            node("Acos", ["t"], "b"),
            node("Atanh", ["t"], "c"),
            node("Sum", ["a", "b", "c"]),
        ],
    ),
    "gelu of onnxruntime": Form(
        [make_node("Gelu", ["x"], ["y"], name="g", domain="com.microsoft")]
    ),
    "leaky relu of a vector": Form([node("LeakyRelu", ["x"], alpha=0.3)], shape=("N", 6)),
    "prelu": Form([node("PRelu", ["x", "s"])], {"s": random(3, 1, 1)}),
    "prelu of one slope": Form([node("PRelu", ["x", "s"])], {"s": random(1)}),
    "max with a number": Form([node("Max", ["x", "c"])], {"c": np.float32(0.25)}),
    "min with a number": Form([node("Min", ["c", "x"])], {"c": np.float32(0.25)}),
    "clip with crossed ends": Form(
        [node("Clip", ["x", "low", "high"])], {"low": np.float32(1), "high": np.float32(0.5)}
    ),
    "mul of tensors": Form([node("Sigmoid", ["x"], "s"), node("Mul", ["x", "s"])]),
    "squeeze and excite": Form(
        [
            node("GlobalAveragePool", ["x"], "g"),
            node("Conv", ["g", "w"], "e"),
            node("HardSigmoid", ["e"], "h"),
            node("Mul", ["h", "x"]),
        ],
        {"w": random(3, 3, 1, 1)},
    ),
    "squeeze and excite by matrices": Form(
        [
            node("ReduceMean", ["x"], "g", axes=[2, 3], keepdims=0),
            node("MatMul", ["g", "w"], "e"),
            node("Reshape", ["e", "t"], "r"),
            node("Mul", ["x", "r"]),
        ],
        {"w": random(3, 3), "t": ints(-1, 3, 1, 1)},
    ),
    "sub of tensors": Form([node("Relu", ["x"], "r"), node("Sub", ["x", "r"])]),
    "sub of a value a channel": Form([node("GlobalMaxPool", ["x"], "g"), node("Sub", ["x", "g"])]),
    "sub from a value a channel": Form(
        [node("GlobalMaxPool", ["x"], "g"), node("Sub", ["g", "x"])]
    ),
    "add a value a channel": Form([node("GlobalMaxPool", ["x"], "g"), node("Add", ["g", "x"])]),
    "mean of tensors": Form([node("Relu", ["x"], "r"), node("Mean", ["x", "r", "x"])]),
    "constant divided": Form(
        [node("Exp", ["x"], "e"), node("Div", ["c", "e"])], {"c": random(3, 1, 1)}
    ),
    "dilated max pool": Form([node("MaxPool", ["x"], kernel_shape=[2, 3], dilations=[3, 2])]),
    "average pool, padding left out": Form(
        [node("AveragePool", ["x"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])]
    ),
    "average pool ceil": Form(
        [node("AveragePool", ["x"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)]
    ),
    "average pool dilated": Form(
        [node("AveragePool", ["x"], kernel_shape=[2, 3], pads=[0, 1, 1, 0], dilations=[2, 1])],
        opset=19,
    ),
    "reduce max": Form([node("ReduceMax", ["x"], axes=[2, 3])]),
    "reduce sum": Form([node("ReduceSum", ["x", "a"], keepdims=0)], {"a": ints(3, 2)}),
}
