"""What import gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xdsl.dialects.builtin import ModuleOp

from cimc.weights import WeightStore


@dataclass(frozen=True)
class TensorInfo:
    """Name and shape of an input or output; the batch is 1."""

    name: str
    shape: tuple[int, ...]


Outcome = Literal["mapped", "folded", "host", "unsupported"]


@dataclass(frozen=True)
class NodeOutcome:
    """What import made of an ONNX node."""

    index: int
    name: str
    operator: str
    outcome: Outcome
    """``folded`` when nothing of it is left to compute: constants, views, what is not read."""
    reason: str = ""
    """Why it runs on the host, or cannot be compiled; with the attribute at fault."""
    parameters: int = 0
    """Constant numbers that it reads, weights and biases."""


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
