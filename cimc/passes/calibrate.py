"""`calibrate`: run the float network on calibration data and note what each tensor holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass

from cimc.diagnostics import pass_fail
from cimc.dialects.nn import (
    DequantizeOp,
    HostOp,
    MaxPoolOp,
    MoveOp,
    NnOp,
    float_array,
    int_attr,
    quant_of,
    shape_of,
    store_blob,
)
from cimc.frontend.data import noise
from cimc.interp.nn import end_names, main_function, run
from cimc.passes.context import CimContext, cim_context
from cimc.passes.quantised_forms import grid_of_entry, grid_of_readers
from cimc.passes.ranges import BINS, IMAGES, histogram_top
from cimc.weights import WeightStore

BATCH = 16
FLOAT32_MAX = float(np.finfo(np.float32).max)
KEEPS_TYPE = (MaxPoolOp, MoveOp, DequantizeOp)
"""Results of these have the quantisation of their operand."""


@dataclass
class Seen:
    """Range, and histogram of the magnitudes above 0, of the arrays added so far."""

    low: float = np.inf
    high: float = -np.inf
    top: float = 0.0
    """Upper end of the histogram: a power of two."""
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest value, 0 when there was none."""
        return (self.low, self.high) if self.low <= self.high else (0.0, 0.0)

    def add(self, x: NDArray[np.float32]) -> None:
        """Take `x` into account; it may be empty."""
        if not x.size:
            return
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        magnitudes = np.abs(x[x != 0])
        if not magnitudes.size:
            return
        self.grow(float(magnitudes.max()))
        factor = BINS / self.top
        # float64 where float32 has no such factor, for magnitudes below its normal range
        wide = factor > FLOAT32_MAX
        bins = (magnitudes * (np.float64(factor) if wide else np.float32(factor))).astype(np.int32)
        self.counts += np.bincount(np.minimum(bins, BINS - 1), minlength=BINS)

    def grow(self, largest: float) -> None:
        """Make room for magnitude `largest` by merging bins in pairs."""
        needed = histogram_top(largest)
        if self.top == 0.0:
            self.top = needed
        while self.top < needed:
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.concatenate([merged, np.zeros(BINS // 2, np.int64)])
            self.top *= 2


@dataclass(frozen=True)
class CalibratePass(ModulePass):
    """Notes range and histogram of the results of every float op, and of the arguments of @main.

    Uses the context's calibration data, at most `images` of them; noise without any.
    """

    name = "calibrate"

    images: int = 256

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Run the interpreter; the operations themselves do not change."""
        context = cim_context(ctx)
        function = main_function(op)
        arguments = function.body.block.args
        arrays = calibration_arrays(context, function)
        seen: dict[SSAValue[Any], Seen] = {}
        if not any(needs_range(value) for value in values_of(function)):
            return

        def observe(value: SSAValue[Any], x: NDArray[Any]) -> None:
            if x.dtype != np.float32:
                return
            if isinstance(value.owner, Operation) and not np.isfinite(x).all():
                raise pass_fail(value.owner, "gives NaN or infinite values on calibration data")
            if isinstance(value.owner, Block) or needs_range(value):
                seen.setdefault(value, Seen()).add(x)

        for batch in batches(arrays, self.images):
            run(op, context.weights, batch, observe=observe)
        for value, found in seen.items():
            if isinstance(value.owner, NnOp):
                value.owner.value_range = float_array(found.ends)
                value.owner.histogram = store_blob(context.weights, found.counts)
        note_host_results(function, seen, context.weights)
        found = [seen[a] for a in arguments]
        function.attributes["arg_ranges"] = ArrayAttr([float_array(s.ends) for s in found])
        function.attributes["arg_histograms"] = ArrayAttr(
            [store_blob(context.weights, s.counts) for s in found]
        )
        function.attributes[IMAGES] = int_attr(image_count(arrays, self.images))


def calibration_arrays(context: CimContext, function: FuncOp) -> Mapping[str, NDArray[np.float32]]:
    """Calibration data by name of the argument of `function`; noise without any."""
    if context.calibration is not None:
        return context.calibration.arrays
    shapes = (shape_of(a) for a in function.body.block.args)
    return noise(dict(zip(end_names(function, "arg_names"), shapes, strict=True))).arrays


def note_host_results(
    function: FuncOp, seen: Mapping[SSAValue[Any], Seen], weights: WeightStore
) -> None:
    """Set `ranges` and `histograms` of the operations on the host."""
    for op in function.body.block.ops:
        if isinstance(op, HostOp):
            found = [seen.get(y, Seen()) for y in op.ys]
            op.ranges = ArrayAttr([float_array(s.ends) for s in found])
            op.histograms = ArrayAttr([store_blob(weights, s.counts) for s in found])


def seen_by(op: Operation, value: SSAValue[Any]) -> tuple[Attribute | None, Attribute | None]:
    """Range and histogram of a result of `op`."""
    if isinstance(op, HostOp):
        at = [result is value for result in op.results].index(True)
        ranges, histograms = op.ranges, op.histograms
        return ranges and ranges.data[at], histograms and histograms.data[at]
    assert isinstance(op, NnOp)
    return op.value_range, op.histogram


def values_of(function: FuncOp) -> Iterator[SSAValue[Any]]:
    """Arguments of `function`, then all results."""
    yield from function.body.block.args
    for op in function.body.block.ops:
        yield from op.results


def needs_range(value: SSAValue[Any]) -> bool:
    """`value` is float, and neither the model nor its operand says how to quantise it."""
    if quant_of(value) is not None or isinstance(value.owner, KEEPS_TYPE):
        return False
    if isinstance(value.owner, Block):
        return grid_of_entry(value, None) is None
    return grid_of_readers(value) is None


def image_count(arrays: Mapping[str, NDArray[np.float32]], most: int) -> int:
    """How many images every one of `arrays` has, `most` at the most."""
    return min(most, *(len(array) for array in arrays.values()))


def batches(
    arrays: Mapping[str, NDArray[np.float32]], images: int
) -> list[dict[str, NDArray[np.float32]]]:
    """The first `images` images, `BATCH` at a time."""
    count = image_count(arrays, images)
    return [
        {name: array[at : min(at + BATCH, count)] for name, array in arrays.items()}
        for at in range(0, count, BATCH)
    ]
