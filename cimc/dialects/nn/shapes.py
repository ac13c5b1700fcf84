"""Cross-field rules of the `nn` operations: shapes, and what quantised forms must carry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import Float32Type
from xdsl.ir import Operation, SSAValue

from cimc.diagnostics import verify_fail
from cimc.dialects.nn.attrs import QuantType, quant_of, shape_of, tensor_of


def dims(shape: Sequence[int]) -> str:
    """``1x3x224x224``."""
    return "x".join(str(n) for n in shape)


def window_size(size: int, kernel: int, stride: int, pads: int, dilation: int = 1) -> int:
    """Number of positions of a sliding window: floor((size + pads - span) / stride) + 1."""
    return (size + pads - dilation * (kernel - 1) - 1) // stride + 1


def window_shape(
    size: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int] = (1, 1),
) -> tuple[int, int]:
    """Height and width of the result; `pads` is top, left, bottom, right."""
    height, width = (
        window_size(size[i], kernel[i], strides[i], pads[i] + pads[i + 2], dilations[i])
        for i in (0, 1)
    )
    return height, width


def cells_inside(
    size: int, outputs: int, kernel: int, stride: int, pad: int, dilation: int = 1
) -> list[int]:
    """For each position of a window along one axis, how many of its cells lie in the map."""
    cells = [k * dilation - pad for k in range(kernel)]
    return [sum(0 <= at * stride + k < size for k in cells) for at in range(outputs)]


def check_rank(op: Operation, value: SSAValue[Any], rank: int) -> tuple[int, ...]:
    """Shape of `value`, which must have `rank` known dimensions."""
    kind = tensor_of(value)
    if kind.get_num_dims() != rank or not kind.has_static_shape():
        raise verify_fail(op, f"expected a tensor of rank {rank} and known shape, got {kind}")
    return kind.get_shape()


def check_result(op: Operation, value: SSAValue[Any], expected: Sequence[int]) -> None:
    """Check the shape of a result."""
    if shape_of(value) != tuple(expected):
        raise verify_fail(
            op, f"expected a result of shape {dims(expected)}, got {dims(shape_of(value))}"
        )


def check_window(op: Operation, **fields: Sequence[int]) -> None:
    """Check `kernel`, `strides`, `dilations` (two values above 0), `pads` (four, not negative)."""
    for name, values in fields.items():
        count, least = (4, 0) if name == "pads" else (2, 1)
        if len(values) != count or min(values) < least:
            raise verify_fail(
                op, f"{name} must be {count} values of at least {least}, got {list(values)}"
            )


def check_same_kind(op: Operation, *values: SSAValue[Any]) -> bool:
    """All of `values` are float32 tensors, or all are quantised; True when quantised."""
    kinds = [tensor_of(v).get_element_type() for v in values]
    if all(isinstance(kind, QuantType) for kind in kinds):
        return True
    if all(isinstance(kind, Float32Type) for kind in kinds):
        return False
    names = ", ".join(str(kind) for kind in kinds)
    raise verify_fail(op, f"operands and result must be all f32 or all quantised, got {names}")


def check_fields(op: Operation, quantised: bool, names: Sequence[str]) -> None:
    """Quantised operations must have all properties of `names`, float ones must have none."""
    missing = [name for name in names if name not in op.properties]
    if quantised and missing:
        raise verify_fail(op, f"quantised form lacks {', '.join(missing)}")
    if not quantised and len(missing) < len(names):
        extra = [name for name in names if name in op.properties]
        raise verify_fail(op, f"float form must not have {', '.join(extra)}")


def check_codes(op: Operation, result: SSAValue[Any], low: int, high: int) -> None:
    """The clamp `low`..`high` is not empty and fits the storage type of `result`."""
    quant = quant_of(result)
    assert quant is not None
    least, most = quant.limits
    if not least <= low <= high <= most:
        raise verify_fail(
            op,
            f"clamp [{low}, {high}] must be a range within [{least}, {most}] of {quant.storage}",
        )
