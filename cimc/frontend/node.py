"""One ONNX node as its import function sees it: typed access to inputs and attributes, errors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto
from typing_extensions import TypeIs
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Attribute, Block, SSAValue

from cimc.diagnostics import CimcError, InvalidModel, onnx_loc
from cimc.dialects.nn import BlobAttr, FlattenOp, NnOp, shape_of, store_blob
from cimc.frontend.steps import Steps
from cimc.weights import WeightStore

Constant: TypeAlias = NDArray[Any]
Tensor: TypeAlias = SSAValue[Any]
Value: TypeAlias = Tensor | Constant


class NodeUnsupported(CimcError):
    """This node has no mapping; collected, so that all of them are reported at once."""


class MissingInput(Exception):
    """An input comes from an unsupported node whose shape is unknown: nothing can be checked."""


@dataclass
class Node:
    """ONNX node number `index` of file `file`, `inputs` already resolved.

    An input is a tensor of the program, a constant, or None (absent, or unknown after an error).
    """

    proto: NodeProto
    index: int
    name: str
    file: str
    opset: int
    batch: int
    """Batch size that the model was exported with; 1 in the program."""
    inputs: list[Value | None]
    block: Block
    weights: WeightStore
    used: frozenset[str]
    """Names that the graph's nodes or outputs read."""
    used_by_nodes: frozenset[str]
    steps: dict[str, Steps] = field(default_factory=dict[str, Steps])
    """Steps of float constants that came as codes, by name; shared by all nodes."""
    read: set[str] = field(default_factory=set[str])

    @property
    def where(self) -> str:
        """``model.onnx node #3 'conv1' (Conv)``."""
        return f"{self.file} node #{self.index} '{self.name}' ({self.proto.op_type})"

    def unsupported(self, what: str) -> NodeUnsupported:
        """An error for a valid node that cannot be mapped; `what` ends with the remedy."""
        return NodeUnsupported(f"{self.where}: {what}")

    def invalid(self, what: str) -> InvalidModel:
        """An error for a node that breaks the rules of ONNX."""
        return InvalidModel(f"{self.where}: {what}")

    # Attributes

    def _attribute(self, name: str, kind: int) -> AttributeProto | None:
        self.read.add(name)
        for attribute in self.proto.attribute:
            if attribute.name == name:
                if attribute.type != kind:
                    expected = AttributeProto.AttributeType.Name(kind)
                    raise self.invalid(f"attribute {name} must be of type {expected}")
                return attribute
        return None

    def has(self, name: str) -> bool:
        """The node carries attribute `name`."""
        return any(attribute.name == name for attribute in self.proto.attribute)

    def attr_int(self, name: str, default: int) -> int:
        """An integer attribute."""
        found = self._attribute(name, AttributeProto.INT)
        return default if found is None else found.i

    def attr_ints(self, name: str, default: list[int]) -> list[int]:
        """An attribute of several integers."""
        found = self._attribute(name, AttributeProto.INTS)
        return default if found is None else list(found.ints)

    def attr_float(self, name: str, default: float) -> float:
        """A float attribute."""
        found = self._attribute(name, AttributeProto.FLOAT)
        return default if found is None else found.f

    def attr_string(self, name: str, default: str) -> str:
        """A text attribute."""
        found = self._attribute(name, AttributeProto.STRING)
        return default if found is None else found.s.decode(errors="replace")

    def ignore(self, *names: str) -> None:
        """Attributes that do not change what is computed here."""
        self.read.update(names)

    def unread(self) -> list[str]:
        """Attributes that the import function has not looked at."""
        return [a.name for a in self.proto.attribute if a.name not in self.read]

    # Inputs

    def given(self, i: int) -> bool:
        """Input `i` is there."""
        return i < len(self.proto.input) and bool(self.proto.input[i])

    def value(self, i: int) -> Value:
        """Input `i`, which must be there."""
        if not self.given(i):
            raise self.invalid(f"input {i} is missing")
        value = self.inputs[i]
        if value is None:
            raise MissingInput
        return value

    def tensor(self, i: int, rank: int | None = None) -> Tensor:
        """Input `i`, which must be computed by the program (and have `rank` dimensions)."""
        value = self.value(i)
        if not isinstance(value, SSAValue):
            raise self.unsupported(f"input {i} is a constant; fold it before export")
        found = shape_of(value)
        if rank is not None and len(found) != rank:
            raise self.unsupported(
                f"input {i} has shape {list(found)}; only rank {rank} is supported"
            )
        return value

    def constant(self, i: int) -> Constant:
        """Input `i`, which must be constant."""
        value = self.value(i)
        if isinstance(value, SSAValue):
            raise self.unsupported(
                f"input {i} ('{self.proto.input[i]}') is not constant; store it in the model"
            )
        return value

    def integers(self, i: int) -> list[int]:
        """Constant input `i` as a list of integers."""
        value = self.constant(i)
        if not np.issubdtype(value.dtype, np.integer) or value.ndim > 1:
            raise self.invalid(f"input {i} must be a list of integers, got {value.dtype}")
        return [int(v) for v in value.reshape(-1)]

    def scalar(self, i: int) -> float:
        """Constant input `i` as one number."""
        value = self.constant(i)
        if value.size != 1:
            raise self.invalid(f"input {i} must be a scalar, got shape {list(value.shape)}")
        return float(value.reshape(()))

    def weight(self, i: int) -> NDArray[np.float32]:
        """Constant input `i` as float32; NaN and infinities are refused."""
        value = self.constant(i)
        if value.dtype.kind not in "fiu":
            raise self.invalid(f"input {i} must be a float tensor, got {value.dtype}")
        with np.errstate(over="ignore"):
            weights = value.astype(np.float32)
        if not np.isfinite(weights).all():
            bad = np.argwhere(~np.isfinite(weights))
            raise self.invalid(
                f"weights '{self.proto.input[i]}' hold {len(bad)} NaN or infinite values, the "
                f"first at {bad[0].tolist()}; train or export the model again"
            )
        return weights

    # Results

    def only_first_output(self, others: str) -> None:
        """Refuse a node whose further outputs (described by `others`) are used."""
        if any(name in self.used for name in self.proto.output[1:]):
            raise self.unsupported(f"output {others} is used; only the first output is supported")

    def blob(self, array: Constant) -> BlobAttr:
        """Store a constant array."""
        return store_blob(self.weights, array)

    def emit(self, op: NnOp) -> Tensor:
        """Append `op` with this node as its location; its result."""
        op.location = onnx_loc(self.name, self.file, self.index)
        op.y.name_hint = hint(self.proto.output[0])
        self.block.add_op(op)
        return op.y

    def op(
        self,
        kind: type[NnOp],
        operands: list[Tensor],
        shape: tuple[int, ...],
        properties: Mapping[str, Attribute | None] | None = None,
    ) -> Tensor:
        """Append an operation with a float32 result of `shape`."""
        if math.prod(shape) < 1:
            raise self.invalid(f"result would have shape {list(shape)}")
        return self.emit(kind(operands, TensorType(f32, shape), properties))

    def flatten(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, C*H*W]."""
        shape = shape_of(x)
        return self.op(FlattenOp, [x], (shape[0], math.prod(shape[1:])))


def hint(name: str) -> str | None:
    """An SSA name made of an ONNX name; None when nothing usable is left."""
    text = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return f"v{text}" if text[:1].isdigit() else text or None


def is_tensor(value: Value) -> TypeIs[Tensor]:
    """`value` is computed by the program (else it is a constant)."""
    return isinstance(value, SSAValue)
