"""What the lanes of the array multiply by, ready for windows of activation bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cimc.kernels import (
    Alphabet,
    Finish,
    Operand,
    TableProduct,
    Windows,
    approx_matmul,
    in_parts,
)
from cimc.sim.emulator_memory import Bytes


class LaneProduct(Protocol):
    """Sums over a window, for each of some lanes."""

    def run(self, windows: Windows, finish: Finish) -> None:
        """Finish the accumulators of `windows`."""
        ...


@dataclass(frozen=True)
class ProductOfTable:
    """Windows that are whole row-groups: one product table for all of them."""

    alphabet: Alphabet
    weights: Operand
    multiply: TableProduct

    @property
    def plan(self) -> Any | None:
        """How the compiled code computes it in one go; None where it does not."""
        return self.multiply.fused_plan(self.alphabet, self.weights)

    def run(self, windows: Windows, finish: Finish) -> None:
        """Finish the accumulators of `windows`."""
        self.multiply.layer(windows, self.alphabet, self.weights, finish)


@dataclass(frozen=True)
class WideProduct:
    """The same for weights that span more values than a byte has."""

    alphabet: Alphabet
    magnitude: NDArray[np.uint8]
    negative: NDArray[np.bool_]
    table: NDArray[np.uint32]

    def run(self, windows: Windows, finish: Finish) -> None:
        """Finish the accumulators of `windows`."""
        for some, end in in_parts(windows, finish):
            x = Operand(some.gather(), self.alphabet)
            weights = self.magnitude, self.negative
            end.apply(approx_matmul(x.magnitudes, x.signs, *weights, self.table))


@dataclass(frozen=True)
class RowProduct:
    """Windows over anything: the products of every reduction position from its rows."""

    alphabet: Alphabet
    products: NDArray[np.int32]
    """[steps * reduction_banks, 2^bits, outputs]"""

    def run(self, windows: Windows, finish: Finish) -> None:
        """Finish the accumulators of `windows`."""
        for some, end in in_parts(windows, finish):
            end.apply(self._sums(some.gather()))

    def _sums(self, codes: Bytes) -> NDArray[np.int32]:
        acc = np.zeros((len(codes), self.products.shape[2]), np.int32)
        for products, column in zip(self.products, codes.T, strict=True):
            term = products[self.alphabet.magnitude[column]]
            acc += np.where(self.alphabet.negative[column][:, None], -term, term)
        return acc


def product_through_table(
    alphabet: Alphabet,
    magnitude: NDArray[np.uint8],
    negative: NDArray[np.bool_],
    multiply: TableProduct,
) -> LaneProduct:
    """Products of weights [steps * reduction_banks, lanes] through one table."""
    weights = Operand.of_magnitudes(magnitude, negative)
    if weights is None:
        return WideProduct(alphabet, magnitude.copy(), negative.copy(), multiply.table)
    return ProductOfTable(alphabet, weights, multiply)


@dataclass(frozen=True)
class Pass:
    """What the lanes multiply by with one of their weights."""

    weight: int
    lanes: int
    """Outputs of it."""
    products: tuple[tuple[range, LaneProduct], ...]
    """By clusters that read the same bytes; each makes sums of all `lanes`."""
