"""`Steps`: what is known of a float constant that arrived as codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Steps:
    """A float constant is `(code - zero) * scale`, codes being int8.

    `scale` has one value, or one for each position along `axis`; `bits` is the precision.
    """

    scale: NDArray[np.float64]
    zero: int
    axis: int
    bits: int
