"""Give the networks inside the `onnx` package weights that differ, so that they can be tested.

  python models/reweight_light.py [DIR]

Their weights come from ConstantOfShape nodes of one value: every input gives the same output. Here
each becomes a seeded random initialiser that keeps the size of activations in bounds: He for
convolutions and matrices (without its factor 2 where no Relu comes before), about 1 for factors,
small shifts, a third for the factors of one branch of each residual sum, a tenth before Softmax.
Writes DIR/light_*.onnx (1.4 GB in all).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
IR_VERSION = 8
"""From 4 on an initialiser need not be an input."""

BRANCH = 0.3
"""Factor of one branch of a residual sum."""

LOGITS = 0.1
"""Factor of a matrix before Softmax, which else saturates."""

PASSING = ("AveragePool", "Concat", "Dropout", "LRN", "MaxPool", "Reshape", "Transpose")
"""Operators that keep the sign of what they read."""

Floats = NDArray[np.float32]


def names() -> list[str]:
    """The networks, smallest first by multiplications."""
    return [
        f"light_{name}"
        for name in (
            *("shufflenet", "squeezenet", "bvlc_alexnet", "inception_v1", "zfnet512"),
            *("inception_v2", "densenet121", "resnet50", "vgg19"),
        )
    ]


def reweighted(name: str, seed: int = 0) -> ModelProto:
    """Network `name` with random weights, which are no inputs any more."""
    model = onnx.load(LIGHT / f"{name}.onnx")
    graph = model.graph
    rng = np.random.default_rng(seed)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    roles = dict(weight_roles(graph.node))
    kept: list[NodeProto] = []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = tuple(int(n) for n in stored[node.input[0]])
        values = weights(rng, shape, *roles.get(node.output[0], ("shift", 1.0)))
        graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    tensors = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(tensors)
    model.ir_version = IR_VERSION
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [v for v in graph.input if v.name in used and v.name not in constants]
    del graph.input[:]
    graph.input.extend(inputs)
    return model


def weight_roles(nodes: Iterable[NodeProto]) -> Iterator[tuple[str, tuple[str, float]]]:
    """What each constant is for, by name, and a factor for it."""
    nodes_list = list(nodes)
    makers = {output: node for node in nodes_list for output in node.output}
    weak = {id(branch) for node in nodes_list if (branch := weak_branch(node, makers))}
    for node in nodes_list:
        factor = BRANCH if id(node) in weak else 1.0
        match node.op_type:
            case "Conv" | "Gemm":
                gain = 2.0 if is_rectified(node.input[0], makers) else 1.0
                last = any(user.op_type == "Softmax" for user in users(node, nodes_list))
                yield node.input[1], ("matrix", LOGITS if last else gain**0.5)
            case "BatchNormalization":
                yield node.input[1], ("factor", factor)
                yield node.input[2], ("shift", factor)
                yield node.input[4], ("factor", 1.0)
            case "Mul":
                for name in node.input:
                    source = makers.get(name)
                    if source is not None and source.op_type == "Unsqueeze":
                        yield source.input[0], ("factor", 1.0)
            case _:
                pass


def weak_branch(node: NodeProto, makers: dict[str, NodeProto]) -> NodeProto | None:
    """The normalisation in front of one operand of a residual sum."""
    if node.op_type not in ("Sum", "Add"):
        return None
    for name in node.input:
        source = makers.get(name)
        if source is not None and source.op_type == "BatchNormalization":
            return source
    return None


def users(node: NodeProto, nodes: list[NodeProto]) -> Iterator[NodeProto]:
    """Nodes that read the first result of `node`."""
    return (user for user in nodes if node.output[0] in user.input)


def is_rectified(name: str, makers: dict[str, NodeProto]) -> bool:
    """Half of tensor `name` has been set to 0, so that the layer behind it must make up for it."""
    while name in makers and makers[name].op_type in PASSING:
        name = makers[name].input[0]
    return name in makers and makers[name].op_type == "Relu"


def weights(rng: np.random.Generator, shape: tuple[int, ...], role: str, factor: float) -> Floats:
    """Random numbers of `shape` for `role`, times `factor`."""
    if role == "matrix":
        values = rng.standard_normal(shape, np.float32) * np.float32(np.prod(shape[1:]) ** -0.5)
    elif role == "factor":
        values = rng.uniform(0.5, 1.5, shape)
    else:
        values = rng.normal(0.0, 0.1, shape)
    return (values * factor).astype(np.float32)


def main(arguments: list[str]) -> None:
    """Write every network to the folder named first."""
    folder = Path(arguments[0]) if arguments else Path("light")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names():
        onnx.save(reweighted(name), folder / f"{name}.onnx")
        print(folder / f"{name}.onnx")


if __name__ == "__main__":
    main(sys.argv[1:])
