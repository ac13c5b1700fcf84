"""The networks of the `onnx` package, layer by layer by onnxruntime and by the interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto
from xdsl.dialects.builtin import FileLineColLoc, NameLoc
from xdsl.ir import SSAValue

from cimc.frontend import ImportedModel
from cimc.interp.nn import run

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """One tensor: the largest difference and magnitude, and how far two inputs are apart in it."""

    name: str
    difference: float
    magnitude: float
    apart: float


def layers(model: ModelProto, imported: ImportedModel, x: Floats) -> Iterator[Layer]:
    """Every tensor that both sides have; `x` holds two inputs [2, ...]."""
    seen: dict[str, Floats] = {}
    nodes = list(model.graph.node)

    def observe(value: SSAValue[Any], array: NDArray[Any]) -> None:
        loc = getattr(value.owner, "location", None)
        if isinstance(loc, NameLoc) and isinstance(loc.location, FileLineColLoc):
            seen[nodes[loc.location.line.data].output[0]] = array

    run(imported.module, imported.weights, {model.graph.input[0].name: x}, observe=observe)
    wanted = ModelProto()
    wanted.CopyFrom(model)
    del wanted.graph.output[:]
    wanted.graph.output.extend(ValueInfoProto(name=name) for name in seen)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        wanted.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    each = [session.run(None, {model.graph.input[0].name: x[i : i + 1]}) for i in (0, 1)]
    for name, first, second in zip(seen, *each, strict=True):
        expected = np.concatenate([np.asarray(first), np.asarray(second)])
        got = seen[name].reshape(expected.shape)
        yield Layer(
            name,
            float(np.abs(got - expected).max()),
            float(np.abs(expected).max()),
            float(np.abs(expected[0] - expected[1]).max()),
        )


def saved(model: ModelProto, folder: Path) -> Path:
    """`model` as a file."""
    path = folder / "light.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def two_images() -> Floats:
    """Two different inputs [2, 3, 224, 224]: patches of colour, and noise."""
    rng = np.random.default_rng(7)
    patches = rng.standard_normal((2, 3, 7, 7)).repeat(32, axis=2).repeat(32, axis=3)
    return (patches + 0.3 * rng.standard_normal(patches.shape)).astype(np.float32)
