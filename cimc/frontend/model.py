"""What import gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

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
