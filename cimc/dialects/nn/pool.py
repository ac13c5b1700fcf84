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
    shape_of,
)
from cimc.dialects.nn.base import ONE_OPERAND, OneInputOp
from cimc.dialects.nn.shapes import (
    cells_inside,
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
    """Mean of each window; over its cells inside the map unless `count_include_pad`.

    Where windows over the edge do not count padding, quantised windows of divisors[i] cells
    inside (at least 1) have factors[i] and shifts[i] in place of m0 and shift.
    """

    name = "nn.average_pool"
    assembly_format = ONE_OPERAND

    count_include_pad = prop_def(BoolAttr)
    divisors = opt_prop_def(Ints)
    factors = opt_prop_def(Ints)
    shifts = opt_prop_def(Ints)

    @property
    def inside(self) -> tuple[list[int], list[int]] | None:
        """Cells inside the map of each row and column of windows; None where all cells count."""
        pads = self.pads.get_values()
        if self.count_include_pad.value.data or not any(pads):
            return None
        sizes, outputs = shape_of(self.x)[2:], shape_of(self.y)[2:]
        kernel, strides = self.kernel.get_values(), self.strides.get_values()
        rows, columns = (
            cells_inside(sizes[i], outputs[i], kernel[i], strides[i], pads[i], self.steps[i])
            for i in (0, 1)
        )
        return rows, columns

    def verify_(self) -> None:
        """Check the window, and that there is a factor for every divisor."""
        self.verify_window()
        quantised = quant_of(self.x) is not None and self.inside is not None
        check_fields(self, quantised, ("divisors", "factors", "shifts"))
        if quantised:
            self.verify_divisors()

    def verify_divisors(self) -> None:
        """Check the fields of windows that do not count padding."""
        assert self.divisors is not None
        assert self.factors is not None
        assert self.shifts is not None
        given = self.divisors.get_values()
        if not len(given) == len(self.factors) == len(self.shifts):
            raise verify_fail(self, "divisors, factors and shifts must have as many values")
        if missing := divisors_of(self.inside) - set(given):
            raise verify_fail(self, f"divisors lack {sorted(missing)}")


def divisors_of(inside: tuple[list[int], list[int]] | None) -> set[int]:
    """Numbers of cells that windows with these rows and columns inside the map divide by."""
    rows, columns = inside or ([], [])
    return {max(1, r * c) for r in rows for c in columns}


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
