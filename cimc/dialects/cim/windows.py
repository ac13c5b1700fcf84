"""What the layers that read a window of their input for each output pixel have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdsl.ir import Operation, SSAValue

from cimc.diagnostics import verify_fail
from cimc.dialects.cim.attrs import ActType
from cimc.dialects.nn.attrs import Ints
from cimc.dialects.nn.shapes import cells_inside

if TYPE_CHECKING:
    from cimc.dialects.cim.ops import PoolOp, WindowOp


def act_type(value: SSAValue) -> ActType:
    """The `!cim.act` type of `value`."""
    assert isinstance(value.type, ActType)
    return value.type


def ints(attr: Ints) -> tuple[int, ...]:
    """The integers of an `array<i64: ...>`."""
    return tuple(int(v) for v in attr.get_values())


def window_outputs(op: WindowOp) -> tuple[int, int]:
    """Output height and width of a window op: floor((in + pads - span) / stride) + 1."""
    h, w, _ = act_type(op.x).hwc
    (kh, kw), (sh, sw) = ints(op.kernel), ints(op.strides)
    (dh, dw), (top, left, bottom, right) = ints(op.dilations), ints(op.pads)
    oh = (h + top + bottom - (kh - 1) * dh - 1) // sh + 1
    return oh, (w + left + right - (kw - 1) * dw - 1) // sw + 1


def verify_halo(op: WindowOp, x: ActType) -> None:
    """Raise when the padding that `op` reads is larger than the halo that `x` has in memory."""
    need = ints(op.pads)
    if any(n > m for n, m in zip(need, x.margins, strict=True)):
        raise verify_fail(op, f"pads {need} exceed the halo {x.margins} of its input")


def windows_inside(op: PoolOp) -> tuple[list[int], list[int]] | None:
    """Cells inside the map of each row and column of windows; None without `divisors`."""
    if op.divisors is None:
        return None
    sizes, outputs = act_type(op.x).hwc, window_outputs(op)
    fields = [ints(field) for field in (op.kernel, op.strides, op.pads, op.dilations)]
    kernel, strides, pads, dilations = fields
    rows, columns = (
        cells_inside(sizes[i], outputs[i], kernel[i], strides[i], pads[i], dilations[i])
        for i in (0, 1)
    )
    return rows, columns


def pool_factors(op: PoolOp) -> dict[int, tuple[int, int]]:
    """Factor and shift by divisor; empty where all windows have m0 and shift."""
    fields = (op.divisors, op.factors, op.shifts)
    divisors, factors, shifts = (ints(field) if field else () for field in fields)
    return dict(zip(divisors, zip(factors, shifts, strict=True), strict=True))


def verify_pair(op: Operation) -> None:
    """Raise when the second operand of `op` is neither like the first nor one value a channel."""
    a, b = (act_type(value).hwc for value in op.operands)
    y = act_type(op.results[0]).hwc
    if b not in (a, (1, 1, a[2])) or y != a:
        raise verify_fail(op, f"shapes differ: {a}, {b}, {y}")
