"""Shapes behind unsupported nodes, as far as `onnx` can infer them."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import ModelProto
from onnx.shape_inference import InferenceError, infer_shapes


def inferred_shapes(model: ModelProto, batch: int) -> Mapping[str, tuple[int, ...]]:
    """Known shapes that nodes of `model` compute, by name, for a `batch` of images."""
    single = ModelProto()
    single.CopyFrom(model)
    constants = {t.name for t in model.graph.initializer}
    for value in single.graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name not in constants and dims:
            dims[0].dim_value = batch
    try:
        graph = infer_shapes(single, data_prop=True).graph
    except (InferenceError, ValueError, RuntimeError):
        return {}
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in (*graph.value_info, *graph.output)
    }
    return {name: tuple(shape) for name, shape in shapes.items() if shape and min(shape) > 0}
