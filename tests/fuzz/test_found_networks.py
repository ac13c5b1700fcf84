"""Networks that random ones have shrunk to: each failed once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import NodeProto
from random_networks import SMALL, RandomNetwork, tight
from small_onnx import model, node, random
from test_random_networks import check

from cimc.passes.plan import Plan
from cimc.targets import Target


def through_codes(x: str, y: str, scale: str, zero: str) -> list[NodeProto]:
    """`y` is `x`, brought to codes and back."""
    return [
        node("QuantizeLinear", [x, scale, zero], f"{x}_q"),
        node("DequantizeLinear", [f"{x}_q", scale, zero], y),
    ]


Found = tuple[list[NodeProto], dict[str, NDArray[Any]], tuple[int, ...], Target]
"""Nodes, constants, shape of `x` without the batch, target."""

NETWORKS: dict[str, Found] = {
    "a clip that ends above the codes": (
        [
            *through_codes("x", "d", "s", "z"),
            node("Max", ["d", "c"], "m"),
            *through_codes("m", "y", "t", "u"),
        ],
        {
            "s": np.float32(0.02),
            "z": np.uint8(128),
            "c": np.float32(0.5),
            "t": np.float32(0.0075),
            "u": np.int8(64),
        },
        (3, 4, 4),
        SMALL,
    ),
    "a clip that ends below the codes": (
        [
            *through_codes("x", "d", "s", "z"),
            node("Min", ["d", "c"], "m"),
            *through_codes("m", "y", "s", "u"),
        ],
        {
            "s": np.float32(0.02),
            "z": np.uint8(128),
            "c": np.float32(-0.5),
            "u": np.uint8(5),
        },
        (3, 4, 4),
        SMALL,
    ),
    "an input that is quantised tightly for one reader only": (
        [
            *through_codes("x", "d", "s", "z"),
            node("Concat", ["x", "d"], "y", axis=1),
        ],
        {"s": np.float32(0.005), "z": np.uint8(128)},
        (3, 4, 4),
        SMALL,
    ),
    "a result of the host that is quantised tightly for one reader only": (
        [
            node("LRN", ["x"], "l", size=3),
            *through_codes("l", "d", "s", "z"),
            node("Concat", ["l", "d"], "y", axis=1),
        ],
        {"s": np.float32(0.005), "z": np.uint8(128)},
        (3, 4, 4),
        SMALL,
    ),
    "an input that is quantised for one reader and whose maximum is not": (
        [
            *through_codes("x", "d", "s", "z"),
            node("GlobalMaxPool", ["x"], "p"),
            node("Mul", ["d", "p"], "m"),
            *through_codes("m", "y", "t", "z"),
        ],
        {"s": np.float32(0.02), "z": np.uint8(128), "t": np.float32(0.05)},
        (3, 4, 4),
        SMALL,
    ),
    "a result of the host that is quantised behind a pool": (
        [
            node("LRN", ["x"], "l", size=3),
            node("MaxPool", ["l"], "p", kernel_shape=[2, 2]),
            *through_codes("p", "d", "s", "z"),
            node("GlobalAveragePool", ["d"], "m"),
            *through_codes("m", "y", "s", "z"),
        ],
        {"s": np.float32(0.02), "z": np.uint8(128)},
        (3, 4, 4),
        SMALL,
    ),
    "codes between two host operators": (
        [
            node("Softmax", ["x"], "l", axis=1),
            *through_codes("l", "d", "s", "z"),
            node("Softmax", ["d"], "m", axis=1),
            *through_codes("m", "y", "s", "z"),
        ],
        {"s": np.float32(1 / 255), "z": np.uint8(0)},
        (6, 1, 1),
        SMALL,
    ),
    "a relu of codes that a convolution reads": (
        [
            *through_codes("x", "d", "s", "z"),
            node("Relu", ["d"], "r"),
            node("Conv", ["r", "w"], "c"),
            node("Neg", ["d"], "n"),
            node("Add", ["c", "n"], "a"),
            *through_codes("a", "y", "t", "z"),
        ],
        {
            "s": np.float32(0.02),
            "z": np.uint8(128),
            "t": np.float32(0.03),
            "w": random(3, 3, 1, 1),
        },
        (3, 4, 4),
        SMALL,
    ),
    "strips that lie in the padding": (
        [node("Conv", ["x", "w"], pads=[3, 1, 3, 0])],
        {"w": random(6, 12, 1, 1)},
        (12, 6, 6),
        tight(256),
    ),
    "strips of a depthwise layer that lie in the padding": (
        [node("Conv", ["x", "w"], pads=[3, 1, 3, 0], dilations=[1, 2], group=12)],
        {"w": random(12, 1, 2, 2)},
        (12, 6, 6),
        tight(256),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_found(name: str) -> None:
    nodes, constants, shape, target = NETWORKS[name]
    proto = model(nodes, constants, shape=("N", *shape))
    images = {"x": random(4, *shape)}
    check(RandomNetwork(proto, images, "found", True, target, "exact", Plan()), "emulate")
