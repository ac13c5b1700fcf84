"""What the layers that read a window of their input for each output pixel have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdsl.ir import SSAValue

from cimc.diagnostics import verify_fail
from cimc.dialects.cim.attrs import ActType
from cimc.dialects.nn.attrs import Ints

if TYPE_CHECKING:
    from cimc.dialects.cim.ops import WindowOp


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
