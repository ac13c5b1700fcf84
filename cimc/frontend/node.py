"""One ONNX node as its import function sees it: typed access to inputs and attributes, errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto
from typing_extensions import TypeIs
from xdsl.dialects.builtin import LocationAttr, TensorType, f32
from xdsl.ir import Attribute, SSAValue

from cimc.diagnostics import InvalidModel, onnx_loc
from cimc.dialects.nn import BlobAttr, NnOp, quant_of, shape_of, store_blob, tensor_of
from cimc.frontend.builder import Builder
from cimc.frontend.steps import Steps
from cimc.frontend.view import View, layout_of, reshaped

Constant: TypeAlias = NDArray[Any]
Tensor: TypeAlias = SSAValue[Any]
Value: TypeAlias = Tensor | Constant
Operand: TypeAlias = Value | View
"""What a node reads or gives; a view is made a tensor where an operator reads it as one."""


ANY_RANK = tuple(range(1, 9))


class NodeUnsupported(Exception):
    """This node has no mapping to the machine; the text says what has none, and what would."""


class NodeRefused(NodeUnsupported):
    """Nor may the host run it: it would not compute what the model means for one image."""


class MissingInput(Exception):
    """An input comes from an unsupported node whose shape is unknown: nothing can be checked."""


@dataclass
class Node:
    """ONNX node number `index` of file `file`, `inputs` already resolved.

    An input is a tensor of the program or a view of one, a constant, or None (absent, or unknown
    after an error).
    """

    proto: NodeProto
    index: int
    name: str
    file: str
    opset: int
    batch: int
    """Batch size that the model was exported with; 1 in the program."""
    inputs: list[Operand | None]
    builder: Builder
    used: frozenset[str]
    """Names that the graph's nodes or outputs read."""
    steps: dict[str, Steps] = field(default_factory=dict[str, Steps])
    """Steps of float constants that came as codes, by name; shared by all nodes."""
    whole: bool = False
    """Axis 0 is no batch of images; shapes are taken as they are."""
    read: set[str] = field(default_factory=set[str])

    @property
    def where(self) -> str:
        """``model.onnx node #3 'conv1' (Conv)``."""
        return f"{self.file} node #{self.index} '{self.name}' ({self.proto.op_type})"

    @property
    def location(self) -> LocationAttr:
        """Location of what this node becomes."""
        return onnx_loc(self.name, self.file, self.index)

    def unsupported(self, what: str) -> NodeUnsupported:
        """A valid node that only the host can run; `what` ends with what would be mapped."""
        return NodeUnsupported(what)

    def refused(self, what: str) -> NodeRefused:
        """A valid node that cannot be compiled at all; `what` ends with the remedy."""
        return NodeRefused(what)

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

    def attr_floats(self, name: str, default: list[float]) -> list[float]:
        """An attribute of several floats."""
        found = self._attribute(name, AttributeProto.FLOATS)
        return default if found is None else list(found.floats)

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

    def operand(self, i: int) -> Operand:
        """Input `i`, which must be there, as it is."""
        if not self.given(i):
            raise self.invalid(f"input {i} is missing")
        value = self.inputs[i]
        if value is None:
            raise MissingInput
        return value

    def value(self, i: int) -> Value:
        """Input `i`, which must be there."""
        value = self.operand(i)
        return self.builder.tensor(value) if isinstance(value, View) else value

    def tensor(self, i: int, *ranks: int) -> Tensor:
        """Input `i`, computed by the program, of a kind that the machine has.

        It is float32 and has one of `ranks` as its number of dimensions; by default 2 or 4, any but
        0 where the interpreter alone runs it.
        """
        value = self.value(i)
        if not isinstance(value, SSAValue):
            raise self.unsupported(f"input {i} is a constant; fold it before export")
        found, ranks = shape_of(value), ranks or (ANY_RANK if self.whole else (2, 4))
        if len(found) not in ranks or 0 in found:
            raise self.unsupported(
                f"input {i} has shape {list(found)}; "
                f"only rank {' and '.join(map(str, ranks))} is supported"
            )
        if tensor_of(value).get_element_type() != f32:
            element = tensor_of(value).get_element_type()
            raise self.unsupported(f"input {i} has elements of {element}; only f32 is supported")
        return value

    def view(self, i: int) -> View:
        """Input `i`, computed by the program, as something to look at in other shapes."""
        value = self.operand(i)
        if isinstance(value, View):
            return value
        if not isinstance(value, SSAValue):
            raise self.unsupported(f"input {i} is a constant; fold it before export")
        if 0 in shape_of(value):
            raise self.unsupported(f"input {i} has no elements")
        return as_view(value, self.proto.input[i])

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
        return store_blob(self.builder.weights, array)

    def emit(self, op: NnOp) -> Tensor:
        """Append `op` with this node as its location; its result."""
        return self.builder.emit(op, self.location, self.proto.output[0])

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

    def reshaped(self, view: View, shape: list[int]) -> View:
        """`view` in another shape of as many elements."""
        layout = reshaped(view.layout, shape)
        if layout is None:
            view = as_view(self.builder.tensor(view), view.name)
            layout = reshaped(view.layout, shape)
        if layout is None:
            raise self.unsupported(
                f"{list(view.shape)} to {shape} cuts through an axis; only flattening, channel "
                "shuffles and 1x1 maps are supported"
            )
        return View(view.base, layout, self.proto.output[0], (*view.steps, self.location))


def as_view(x: Tensor, name: str) -> View:
    """`x`, called `name`, in its own shape."""
    return View(x, layout_of(shape_of(x)), name)


def is_tensor(value: Value) -> TypeIs[Tensor]:
    """`value` is computed by the program (else it is a constant)."""
    return isinstance(value, SSAValue)


def is_constant(value: Operand | None) -> TypeIs[Constant]:
    """`value` is known now."""
    return isinstance(value, np.ndarray)


def holds_codes(value: Operand | None) -> bool:
    """`value` is a quantised tensor, or a view of one."""
    base = value.base if isinstance(value, View) else value
    return isinstance(base, SSAValue) and quant_of(base) is not None
