"""Bit-true matrix products with table multipliers, on magnitudes and signs.

Callers use the names below; which code computes them is this folder's business.
"""

from __future__ import annotations

from cimc.kernels import native
from cimc.kernels.layer import Finish, Windows, in_parts, scatter
from cimc.kernels.operand import Alphabet, Operand
from cimc.kernels.product import TableProduct, table_product
from cimc.kernels.reference import approx_matmul

__all__ = [
    "Alphabet",
    "Finish",
    "Operand",
    "TableProduct",
    "Windows",
    "approx_matmul",
    "in_parts",
    "native",
    "scatter",
    "table_product",
]
