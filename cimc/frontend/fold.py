"""Evaluates nodes whose inputs are all constant, with the reference implementation of `onnx`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, OperatorSetIdProto, TensorProto
from onnx.helper import make_graph, make_model, make_tensor_value_info
from onnx.reference import ReferenceEvaluator

LARGEST_TENSOR = 1 << 28
"""Elements; a constant or an input larger than this is that of a broken file."""


def can_fold(node: NodeProto) -> bool:
    """`node` is a pure function of its inputs: nothing random, no subgraph."""
    if node.op_type.startswith("Random") or node.op_type in ("Bernoulli", "Multinomial"):
        return False
    return not any(a.HasField("g") or a.graphs for a in node.attribute)


def fold_node(
    node: NodeProto, opsets: Sequence[OperatorSetIdProto], inputs: Sequence[NDArray[Any] | None]
) -> list[NDArray[Any]]:
    """Results of `node` on constants (None for an absent optional input).

    Raises:
        ValueError: the node cannot be evaluated; the text says why.
    """
    check_result_size(node, inputs)
    feeds = {name: x for name, x in zip(node.input, inputs, strict=True) if x is not None}
    undefined = TensorProto.UNDEFINED
    graph = make_graph(
        [node],
        "fold",
        [make_tensor_value_info(name, undefined, None) for name in feeds],
        [make_tensor_value_info(name, undefined, None) for name in node.output if name],
    )
    try:
        evaluator = ReferenceEvaluator(make_model(graph, opset_imports=list(opsets)))
        results: list[Any] = evaluator.run(None, feeds)  # pyright: ignore[reportAssignmentType]
    except Exception as e:
        reason = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise ValueError(reason) from e
    named = iter(results)
    return [np.asarray(next(named)) if name else np.zeros(0) for name in node.output]


def check_result_size(node: NodeProto, inputs: Sequence[NDArray[Any] | None]) -> None:
    """Refuse operators that make a huge tensor out of a small shape."""
    shape_input = {"ConstantOfShape": 0, "Expand": 1}.get(node.op_type)
    if shape_input is None or shape_input >= len(inputs):
        return
    shape = inputs[shape_input]
    if shape is not None and math.prod(int(n) for n in shape.flat) > LARGEST_TENSOR:
        raise ValueError(f"a constant of shape {shape.tolist()} is too large")
