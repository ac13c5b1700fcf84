"""Scales of activations from what calibration saw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Operation, SSAValue

from cimc.dialects.nn import MoveOp, QuantType, quant_of

BINS = 4096
IMAGES = "calibration_images"
"""Attribute of @main: how many images calibration saw."""
LEVELS = np.arange(20, 1, -1) / 20
"""Clipping levels tried, as fractions of the largest magnitude."""
FEW_IMAGES = 24
"""With so many calibration images, or fewer, the largest score may be twice as large elsewhere."""


def histogram_top(largest: float) -> float:
    """Upper end of the histogram of magnitudes up to `largest`: a power of two, not below it."""
    mantissa, exponent = np.frexp(largest)
    return float(np.ldexp(1.0, int(exponent) - int(mantissa == 0.5)))


def code_range(quant: QuantType, bits: int) -> tuple[int, int]:
    """Codes that a tensor of `bits` bits uses: 0 .. 2^n - 1, or -(2^(n-1) - 1) .. 2^(n-1) - 1.

    All codes where the zero point is not 0.
    """
    if quant.zero:
        return quant.limits
    if quant.signed:
        most = (1 << (bits - 1)) - 1
        return -most, most
    return 0, (1 << bits) - 1


def code_limits(value: SSAValue) -> tuple[int, int]:
    """Smallest and largest code that quantised `value` can hold, by what makes it."""
    quant, owner = quant_of(value), value.owner
    assert quant is not None
    if isinstance(owner, MoveOp):
        return code_limits(owner.x)
    ends = (
        [owner.properties.get(k) for k in ("low", "high")] if isinstance(owner, Operation) else []
    )
    known = [end.value.data for end in ends if isinstance(end, IntegerAttr)]
    return (known[0], known[1]) if len(known) == 2 else quant.limits


def bits_of(value: SSAValue) -> int:
    """Bits of the codes that quantised `value` can hold, at least 2."""
    low, high = code_limits(value)
    return max(2, (high - low).bit_length())


def activation_type(
    low: float, high: float, bits: int, counts: NDArray[np.int64] | None = None
) -> QuantType:
    """Type for real values in [low, high]; `counts` is a histogram of their magnitudes, or None.

    All zeros get the scale of [0, 1].
    """
    signed = low < 0
    codes = (1 << (bits - signed)) - 1
    largest = max(abs(low), abs(high))
    if largest == 0:
        return QuantType.of(signed, 1.0 / codes)
    level = largest if counts is None else best_clip(largest, codes, counts)
    return QuantType.of(signed, level / codes)


def score_type(low: float, high: float, ends: tuple[float, float], images: int) -> QuantType:
    """Type for the scores of a network, seen in [low, high] in `images`, clamped to `ends`.

    Nothing is clipped: scores that saturate are ties, and the fewer the images, the further beyond
    them a sure answer may lie. No product reads the codes, so a zero point costs nothing.
    """
    room = 1 + min(1.0, FEW_IMAGES / max(images, 1))
    low, high = max(min(room * low, 0.0), ends[0]), min(max(room * high, 0.0), ends[1])
    if low >= 0 or high <= 0:
        return activation_type(low, high, 8)
    scale = (high - low) / 255
    return QuantType.of(False, scale, round(-low / scale))


def best_clip(largest: float, codes: int, counts: NDArray[np.int64]) -> float:
    """The clipping level, at most `largest`, with the least squared error of `codes` steps.

    `counts` are magnitudes above 0 in equal bins up to `histogram_top(largest)`.
    """
    used = np.flatnonzero(counts)
    weight = counts[used].astype(np.float64)
    centres = (used + 0.5) * (histogram_top(largest) / len(counts))
    errors: list[float] = []
    for level in LEVELS:
        scale = level * largest / codes
        rounded = np.minimum(np.rint(centres / scale), codes) * scale
        errors.append(float((weight * (centres - rounded) ** 2).sum()))
    return float(LEVELS[int(np.argmin(errors))]) * largest
