"""Forms of operators that move elements in ONNX."""

from __future__ import annotations

import numpy as np
from forms_layers import Form, ints
from onnx import NodeProto
from onnx.helper import make_node
from small_onnx import node, random


def split_sum(first: str, last: str) -> list[NodeProto]:
    """Three parts, of which the middle one is unused."""
    return [make_node("Split", ["x", "s"], [first, "unused", last], name="split", axis=1)]


LAYOUT = {
    "concat": Form([node("Relu", ["x"], "r"), node("Concat", ["x", "r", "x"], axis=1)]),
    "concat of vectors": Form([node("Concat", ["x", "x"], axis=-1)], shape=("N", 6)),
    "split": Form([*split_sum("a", "c"), node("Sum", ["a", "c"])], {"s": ints(1, 1, 1)}),
    "split of rows": Form(
        [make_node("Split", ["x"], ["a", "b"], axis=-2), node("Sub", ["b", "a"])]
    ),
    "split opset 11": Form(
        [make_node("Split", ["x"], ["a", "b"], axis=1, split=[1, 2]), node("Relu", ["b"])],
        opset=11,
    ),
    "split unevenly": Form(
        [make_node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2), node("Relu", ["b"])],
        opset=18,
    ),
    "split of a vector": Form(
        [make_node("Split", ["x"], ["a", "b"], axis=1), node("Mul", ["b", "a"])], shape=("N", 6)
    ),
    "slice": Form(
        [node("Slice", ["x", "a", "b", "i", "s"])],
        {"a": ints(1, -7), "b": ints(9999, 7), "i": ints(1, -2), "s": ints(1, 3)},
    ),
    "slice opset 9": Form(
        [node("Slice", ["x"], starts=[0, 2], ends=[2, -1], axes=[1, 3])], opset=9
    ),
    "focus": Form(
        [
            node("Slice", ["x", "o", "e", "i", "s"], "a"),
            node("Slice", ["x", "n", "e", "i", "s"], "b"),
            node("Concat", ["a", "b"], axis=1),
        ],
        {"o": ints(0), "n": ints(1), "e": ints(1 << 40), "i": ints(2), "s": ints(2)},
    ),
    "pad with a number": Form(
        [node("Pad", ["x", "p", "v"])],
        {"p": ints(0, 0, 1, 1, 0, 0, 1, 1), "v": np.float32(2)},
    ),
    "upsample": Form([node("Upsample", ["x"], scales=[1.0, 1.0, 2.0, 3.0])], opset=7),
    "upsample opset 9": Form(
        [node("Upsample", ["x", "s"])], {"s": np.float32([1, 1, 2, 2])}, opset=9
    ),
    **{
        f"resize {transform} {rounding}": Form(
            [
                node(
                    "Resize",
                    ["x", "", "s"],
                    coordinate_transformation_mode=transform,
                    nearest_mode=rounding,
                )
            ],
            {"s": np.float32([1, 1, 3, 2])},
            opset=13,
        )
        for transform, rounding in (
            ("asymmetric", "floor"),
            ("half_pixel", "round_prefer_floor"),
            ("pytorch_half_pixel", "round_prefer_ceil"),
            ("half_pixel_symmetric", "round_prefer_ceil"),
        )
    },
    "resize to sizes": Form(
        [node("Resize", ["x", "", "", "n"], axes=[2, 3])], {"n": ints(16, 24)}, opset=18
    ),
    "resize of a fixed batch to sizes": Form(
        [node("Resize", ["x", "", "", "n"])], {"n": ints(2, 3, 16, 24)}, shape=(2, 3, 8, 8)
    ),
    "resize of axes": Form(
        [node("Resize", ["x", "", "s"], axes=[3, 2])], {"s": np.float32([2, 1])}, opset=18
    ),
    "resize down": Form(
        [
            node(
                "Resize",
                ["x", "", "s"],
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        ],
        {"s": np.float32([1, 1, 0.5, 0.25])},
    ),
    "channel shuffle": Form(
        [
            node("Reshape", ["x", "t"], "a"),
            node("Transpose", ["a"], "b", perm=[0, 2, 1, 3, 4]),
            node("Reshape", ["b", "u"]),
        ],
        {"t": ints(0, 2, 3, 4, 4), "u": ints(0, -1, 4, 4)},
        shape=("N", 6, 4, 4),
    ),
    "channel shuffle, rows flattened, then a matrix": Form(
        [
            node("Reshape", ["x", "t"], "a"),
            node("Transpose", ["a"], "b", perm=[0, 2, 1, 3]),
            node("Reshape", ["b", "u"], "c"),
            node("Flatten", ["c"], "f"),
            node("Gemm", ["f", "w"]),
        ],
        {"t": ints(0, 3, 2, 16), "u": ints(0, 6, 4, 4), "w": random(96, 5)},
        shape=("N", 6, 4, 4),
    ),
    "turned there and back": Form(
        [
            node("Transpose", ["x"], "t", perm=[0, 2, 3, 1]),
            node("Transpose", ["t"], "u", perm=[0, 3, 1, 2]),
            node("Relu", ["u"]),
        ]
    ),
    "turned 1x1 map": Form(
        [
            node("GlobalAveragePool", ["x"], "g"),
            node("Transpose", ["g"], "t", perm=[0, 2, 3, 1]),
            node("Flatten", ["t"]),
        ]
    ),
    "unsqueeze": Form(
        [node("Unsqueeze", ["x", "a"], "u"), node("Relu", ["u"])], {"a": ints(2, 3)}, shape=("N", 6)
    ),
    "unsqueeze opset 11": Form(
        [node("Unsqueeze", ["x"], "u", axes=[3, 2]), node("Relu", ["u"])], opset=11, shape=("N", 6)
    ),
    "flatten of a vector": Form([node("Flatten", ["x"], "f"), node("Relu", ["f"])], shape=("N", 6)),
}
