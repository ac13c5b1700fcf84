"""Networks whose maps or windows are larger than the activation buffer, in small."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from cimc import targets
from cimc.api import CompiledModel, compile
from cimc.targets import Target
from tests.small_onnx import model, node, random, save

SMALL = targets.get("daism-small")
TIGHT = replace(SMALL, name="daism-512", geometry=replace(SMALL.geometry, activation_bytes=512))
"""The small target with a buffer of 512 bytes."""


@dataclass(frozen=True)
class LargeMap:
    """Nodes from `x` of `shape` (without the batch) to `y`."""

    nodes: list[NodeProto]
    shape: tuple[int, ...]
    constants: dict[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    target: Target = TIGHT


def one(op: str, *shape: int, target: Target = TIGHT, **attributes: Any) -> LargeMap:
    """A network of one node without constants."""
    return LargeMap([node(op, ["x"], **attributes)], shape, target=target)


def conv(outputs: int, shape: tuple[int, ...], group: int) -> LargeMap:
    """A convolution with a kernel of 7 x 5."""
    nodes = [node("Conv", ["x", "w"], pads=[3, 2, 3, 2], group=group)]
    return LargeMap(nodes, shape, {"w": random(outputs, shape[0] // group, 7, 5)})


WINDOW = {"kernel_shape": [9, 5], "pads": [2, 1, 2, 1], "strides": [2, 2]}

NETWORKS = {
    "mean of a map": one("GlobalAveragePool", 5, 37, 9),
    "mean of more channels than lanes": one("GlobalAveragePool", 40, 9, 7),
    "mean of a map wider than a window can be": one("GlobalAveragePool", 3, 1, 1500, target=SMALL),
    "means of windows, padding not counted": one("AveragePool", 12, 15, 9, **WINDOW),
    "means of windows, padding counted": one(
        "AveragePool", 12, 15, 9, count_include_pad=1, **WINDOW
    ),
    "maximum of a map": one("GlobalMaxPool", 5, 37, 9),
    "maximum of a map wider than a window can be": one("GlobalMaxPool", 3, 2, 1500, target=SMALL),
    "maxima of windows": one("MaxPool", 6, 15, 9, **WINDOW),
    "matrix product of a map": LargeMap(
        [node("Flatten", ["x"], "f"), node("Gemm", ["f", "w"])],
        (5, 37, 9),
        {"w": random(5 * 37 * 9, 7)},
    ),
    "large kernel": conv(7, (8, 17, 9), 1),
    "large kernel, groups": conv(9, (9, 17, 9), 3),
    "map that becomes a vector": LargeMap(
        [node("Flatten", ["x"], "f"), node("Slice", ["f", "first", "last", "axis"])],
        (5, 17, 5),
        {"first": np.array([0]), "last": np.array([30]), "axis": np.array([1])},
    ),
}
"""A strip of one output row does not fit the buffer, or no command takes a whole window."""


def compiled(network: LargeMap, folder: Path) -> CompiledModel:
    """`network` with exact products, calibrated on noise."""
    path = save(model(network.nodes, network.constants, shape=("N", *network.shape)), folder)
    data = {"x": random(4, *network.shape)}
    return compile(path, network.target, calibration=data, multiplier="exact")
