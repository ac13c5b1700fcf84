"""Inputs of an ONNX graph as arguments of the function."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from onnx import TensorProto, TypeProto, ValueInfoProto
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute

from cimc.frontend.fold import LARGEST_TENSOR
from cimc.frontend.host import ELEMENTS

DIMENSIONS = {4: ("batch", "channels", "height", "width"), 2: ("batch", "features")}


@dataclass(frozen=True)
class Argument:
    """An input; of no use when it has `problems`."""

    type: TensorType[Attribute]
    batch: int | None
    """Batch size that the file fixes; None when it is dynamic, or no batch."""
    problems: tuple[str, ...]


def argument_of(value: ValueInfoProto, whole: bool) -> Argument:
    """`value` for one image, or, as a `whole`, as it stands."""
    tensor = value.type.tensor_type
    allowed = tuple(ELEMENTS) if whole else (TensorProto.FLOAT,)
    if tensor.elem_type not in allowed:
        known = TensorProto.DataType.items()
        kind = next((name for name, i in known if i == tensor.elem_type), "unknown")
        problem = f"element type {kind}; only FLOAT is supported"
        return Argument(TensorType(ELEMENTS[TensorProto.FLOAT], []), None, (problem,))
    element = ELEMENTS[tensor.elem_type]
    sizes = [
        d.dim_value if d.WhichOneof("value") == "dim_value" and d.dim_value > 0 else None
        for d in tensor.shape.dim
    ]
    if whole:
        return Argument(TensorType(element, [size or 0 for size in sizes]), None, ())
    batch, *others = sizes or [None]
    shape = [1, *(size or 1 for size in others)]
    return Argument(TensorType(element, shape), batch, tuple(size_problems(tensor, sizes)))


def size_problems(tensor: TypeProto.Tensor, sizes: list[int | None]) -> Iterator[str]:
    """What keeps an input from being a batch of images or vectors of known size."""
    names = DIMENSIONS.get(len(sizes))
    if names is None:
        text = str(len(sizes)) if tensor.HasField("shape") else "unknown"
        yield f"rank {text}; only [N,C,H,W] and [N,K] are supported"
        return
    for i, size in enumerate(sizes):
        if i and size is None:
            symbol = tensor.shape.dim[i].dim_param
            yield (
                f"dimension {i} ({names[i]}) is dynamic"
                f"{f' ({symbol!r})' if symbol else ''}; export with a fixed size"
            )
    count = math.prod(size or 1 for size in sizes)
    if count > LARGEST_TENSOR:
        yield f"{count} elements; at most {LARGEST_TENSOR} are supported, the file may be damaged"
