"""Attributes and types of the `nn` dialect, and short builders for what its operations carry."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import (
    I64,
    DenseArrayBase,
    Float64Type,
    FloatAttr,
    IntAttr,
    IntegerAttr,
    IntegerType,
    Signedness,
    StringAttr,
    TensorType,
    f32,
    f64,
    i8,
    i32,
    i64,
)
from xdsl.ir import Attribute, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import irdl_attr_definition, param_def
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from cimc.weights import WeightStore

Tensor: TypeAlias = TensorType[Attribute]
Ints: TypeAlias = DenseArrayBase[I64]
Floats: TypeAlias = DenseArrayBase[Float64Type]

ui8 = IntegerType(8, Signedness.UNSIGNED)
si8 = IntegerType(8, Signedness.SIGNED)


@irdl_attr_definition
class QuantType(ParametrizedAttribute, TypeAttribute):
    """Element type of a quantised tensor: ``!nn.quant<ui8, 0.05, 0>``.

    A code q stands for the real number (q - zero_point) * scale. `storage` is ui8 or si8, whatever
    the precision: fewer bits only narrow the range of codes. The scale is a float64 and prints
    so that it parses back to the same bits.
    """

    name = "nn.quant"

    storage: IntegerType = param_def()
    scale: FloatAttr[Float64Type] = param_def()
    zero_point: IntAttr = param_def()

    @staticmethod
    def of(signed: bool, scale: float, zero_point: int = 0) -> QuantType:
        """Type with int8 or uint8 codes."""
        return QuantType(
            si8 if signed else ui8, FloatAttr(float(scale), f64), IntAttr(int(zero_point))
        )

    @property
    def signed(self) -> bool:
        """Codes are int8 (else uint8)."""
        return self.storage == si8

    @property
    def scale_value(self) -> float:
        """Real step between two codes."""
        return self.scale.value.data

    @property
    def zero(self) -> int:
        """Code of the real number 0."""
        return self.zero_point.data

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest code of the storage type."""
        return (-128, 127) if self.signed else (0, 255)

    def verify(self) -> None:
        """Check storage, scale and zero point."""
        if self.storage not in (ui8, si8):
            raise VerifyException(f"nn.quant: storage must be ui8 or si8, got {self.storage}")
        if not (math.isfinite(self.scale_value) and self.scale_value > 0):
            raise VerifyException(
                f"nn.quant: scale must be finite and above 0, got {self.scale_value}"
            )
        low, high = self.limits
        if not low <= self.zero <= high:
            raise VerifyException(
                f"nn.quant: zero point must be in [{low}, {high}] of {self.storage}, "
                f"got {self.zero}"
            )

    def print_parameters(self, printer: Printer) -> None:
        """Print ``<ui8, 0.05, 0>``."""
        with printer.in_angle_brackets():
            printer.print_attribute(self.storage)
            printer.print_string(", ")
            printer.print_float(self.scale_value, f64)
            printer.print_string(f", {self.zero}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        """Parse what `print_parameters` writes."""
        with parser.in_angle_brackets():
            storage = parser.parse_type()
            parser.parse_punctuation(",")
            scale = float(parser.parse_number())
            parser.parse_punctuation(",")
            zero_point = parser.parse_integer()
        return storage, FloatAttr(scale, f64), IntAttr(zero_point)


@irdl_attr_definition
class BlobAttr(ParametrizedAttribute):
    """Handle of a constant array kept outside the IR: ``#nn.blob<"key", tensor<8x3x3x3xf32>>``.

    `key` is its name in a `cimc.weights.WeightStore`: a hash of the contents.
    """

    name = "nn.blob"

    key: StringAttr = param_def()
    type: Tensor = param_def()

    @staticmethod
    def of(key: str, shape: Iterable[int], element: Attribute) -> BlobAttr:
        """Handle of the array stored under `key`."""
        return BlobAttr(StringAttr(key), TensorType(element, [int(n) for n in shape]))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.type.get_shape()

    def verify(self) -> None:
        """Check that the shape is known."""
        if not self.type.has_static_shape():
            raise VerifyException(f"nn.blob '{self.key.data}' must have a static shape")


ELEMENTS: dict[np.dtype[Any], Attribute] = {
    np.dtype(np.float32): f32,
    np.dtype(np.float64): f64,
    np.dtype(np.int64): i64,
    np.dtype(np.int32): i32,
    np.dtype(np.int8): i8,
    np.dtype(np.uint8): ui8,
}
"""Element types of stored arrays."""


def store_blob(weights: WeightStore, array: NDArray[Any]) -> BlobAttr:
    """Put `array`, of one of the types in `ELEMENTS`, in `weights`; its handle."""
    return BlobAttr.of(weights.put(array), array.shape, ELEMENTS[array.dtype])


def int_attr(value: int) -> IntegerAttr[I64]:
    """A 64-bit integer attribute."""
    return IntegerAttr(int(value), i64)


def float_attr(value: float) -> FloatAttr[Float64Type]:
    """A float64 attribute."""
    return FloatAttr(float(value), f64)


def int_array(values: Iterable[int]) -> Ints:
    """``array<i64: ...>``."""
    return DenseArrayBase.from_list(i64, [int(v) for v in values])


def float_array(values: Iterable[float]) -> Floats:
    """``array<f64: ...>``."""
    return DenseArrayBase.from_list(f64, [float(v) for v in values])


def tensor_of(value: SSAValue[Any]) -> Tensor:
    """The tensor type of `value`."""
    assert isinstance(value.type, TensorType)
    return value.type


def shape_of(value: SSAValue[Any]) -> tuple[int, ...]:
    """The shape of tensor `value`."""
    return tensor_of(value).get_shape()


def quant_of(value: SSAValue[Any] | Attribute) -> QuantType | None:
    """Element type of a quantised tensor; None for a float tensor."""
    kind = value if isinstance(value, Attribute) else tensor_of(value)
    assert isinstance(kind, TensorType)
    element = kind.get_element_type()
    return element if isinstance(element, QuantType) else None
