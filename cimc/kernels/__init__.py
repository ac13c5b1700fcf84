"""Bit-true matrix products with table multipliers, on magnitudes and signs.

Callers use the names below; which code computes them is this folder's business.
"""

from __future__ import annotations

from cimc.kernels.im2col import im2col
from cimc.kernels.reference import approx_matmul

__all__ = ["approx_matmul", "im2col"]
