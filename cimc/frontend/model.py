"""What import gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xdsl.dialects.builtin import ArrayAttr, FunctionType, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Region

from cimc.weights import WeightStore


@dataclass(frozen=True)
class TensorInfo:
    """Name and shape of an input or output; the batch is 1."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ImportedModel:
    """An ONNX model as ``func.func @main`` of `nn` ops, one image at a time."""

    path: Path
    module: ModuleOp
    weights: WeightStore
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    batch: int | None
    """Batch size that the file fixes; None when it is dynamic."""


def module_of(block: Block, inputs: Sequence[str], outputs: Sequence[str]) -> ModuleOp:
    """The verified module whose ``@main`` has body `block`; the names are those of its ends."""
    assert block.last_op is not None
    results = [value.type for value in block.last_op.operands]
    kind = FunctionType.from_lists([argument.type for argument in block.args], results)
    function = FuncOp("main", kind, Region(block))
    for name, ends in (("arg_names", inputs), ("res_names", outputs)):
        function.attributes[name] = ArrayAttr([StringAttr(each) for each in ends])
    module = ModuleOp([function])
    module.verify()
    return module
