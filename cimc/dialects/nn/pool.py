"""Pooling operations of `nn`."""

from __future__ import annotations

from abc import ABC

from xdsl.dialects.builtin import I64, BoolAttr, IntegerAttr
from xdsl.irdl import (
    irdl_op_definition,
    opt_prop_def,
    prop_def,
)

from cimc.diagnostics import verify_fail
from cimc.dialects.nn.attrs import (
    Ints,
    quant_of,
)
from cimc.dialects.nn.base import ONE_OPERAND, OneInputOp
from cimc.dialects.nn.shapes import (
    check_codes,
    check_fields,
    check_rank,
    check_result,
    check_same_kind,
    check_window,
    dims,
    window_shape,
)


class PoolOp(OneInputOp, ABC):
    """Reduces a window of each channel.

    Quantised: y = clamp(rhe(r * m0 / 2^shift) + y.zero, low, high), where r is the largest or
    the sum of (x - x.zero) over the window; padding contributes nothing.
    """

    m0 = opt_prop_def(IntegerAttr[I64])
    shift = opt_prop_def(IntegerAttr[I64])
    low = opt_prop_def(IntegerAttr[I64])
    high = opt_prop_def(IntegerAttr[I64])

    def verify_integers(self) -> None:
        """Check the fields of the quantised form."""
        quantised = check_same_kind(self, self.x, self.y)
        check_fields(self, quantised, ("m0", "shift", "low", "high"))
        if quantised:
            assert self.low is not None
            assert self.high is not None
            check_codes(self, self.y, self.low.value.data, self.high.value.data)


class WindowPoolOp(PoolOp, ABC):
    """A pool with a window that slides; cells of a window are `dilations` (default 1) apart."""

    kernel = prop_def(Ints)
    strides = prop_def(Ints)
    pads = prop_def(Ints)
    dilations = opt_prop_def(Ints)

    @property
    def steps(self) -> tuple[int, int]:
        """Distance between the cells of a window, downwards and across."""
        if self.dilations is None:
            return 1, 1
        down, across = self.dilations.get_values()
        return down, across

    def verify_window(self) -> None:
        """Check window, result shape and the fields of the quantised form."""
        batch, channels, *size = check_rank(self, self.x, 4)
        kernel, strides = self.kernel.get_values(), self.strides.get_values()
        pads = self.pads.get_values()
        dilations = (1, 1) if self.dilations is None else self.dilations.get_values()
        check_window(self, kernel=kernel, strides=strides, pads=pads, dilations=dilations)
        span = [dilations[i] * (kernel[i] - 1) + 1 for i in (0, 1)]
        if any(pads[i] >= span[i % 2] for i in range(4)):
            raise verify_fail(
                self, f"pads {list(pads)} must be smaller than the kernel {list(span)}"
            )
        out = window_shape(size, kernel, strides, pads, dilations)
        if min(out) < 1:
            raise verify_fail(self, f"kernel does not fit: result would be {dims(out)}")
        check_result(self, self.y, (batch, channels, *out))
        self.verify_integers()


@irdl_op_definition
class MaxPoolOp(WindowPoolOp):
    """Largest value of each window; quantised, the result keeps the type of `x`."""

    name = "nn.max_pool"
    assembly_format = ONE_OPERAND

    def verify_(self) -> None:
        """Check the window and that quantisation is unchanged."""
        self.verify_window()
        if quant_of(self.x) != quant_of(self.y):
            raise verify_fail(self, "result must have the scale and zero point of the operand")


@irdl_op_definition
class AveragePoolOp(WindowPoolOp):
    """Mean of each window; over its cells inside the map unless `count_include_pad`."""

    name = "nn.average_pool"
    assembly_format = ONE_OPERAND

    count_include_pad = prop_def(BoolAttr)

    def verify_(self) -> None:
        """Check the window; one multiplier needs one divisor, so every cell must count."""
        self.verify_window()
        counted = bool(self.count_include_pad.value.data)
        if quant_of(self.x) is not None and not counted and any(self.pads.get_values()):
            raise verify_fail(self, "quantised form with pads needs count_include_pad")


@irdl_op_definition
class GlobalAveragePoolOp(PoolOp):
    """Mean of each whole map: [N, C, H, W] to [N, C, 1, 1]."""

    name = "nn.global_average_pool"
    assembly_format = ONE_OPERAND

    def verify_(self) -> None:
        """Check the shape of the result."""
        batch, channels, _, _ = check_rank(self, self.x, 4)
        check_result(self, self.y, (batch, channels, 1, 1))
        self.verify_integers()
