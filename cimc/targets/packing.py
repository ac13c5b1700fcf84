"""How stored weights share bytes, lanes and clusters: what fewer bits buy on the machine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from math import ceil

from cimc.targets.base import Geometry

PACKED_BITS = 4
"""Bits of a weight code that shares its byte."""


class WeightPacking(IntEnum):
    """Field `packing` of LOAD_WEIGHTS."""

    BYTES = 0
    """A byte of a weight beat holds one weight."""
    BANKS = 1
    """Its low and its high half hold weights for the same lane of banks 2i and 2i+1."""
    LANES = 2
    """They are two weights of one lane, which then computes two products."""


@dataclass(frozen=True)
class LaneUse:
    """What a convolution makes of banks and lanes."""

    packing: WeightPacking = WeightPacking.BYTES
    pixels: int = 1
    """Neighbouring pixels of a line that are computed together, each on lanes of its own."""
    wide: bool = False
    """Clusters take further bytes of the window; otherwise further output channels."""

    @property
    def dual(self) -> bool:
        """A lane holds two weights."""
        return self.packing is WeightPacking.LANES

    def outputs(self, geometry: Geometry) -> int:
        """Sums that one array access adds to."""
        return (geometry.lanes if self.wide else geometry.outputs) * (2 if self.dual else 1)

    def window_bytes(self, geometry: Geometry) -> int:
        """Activation bytes of one array access."""
        return window_bytes(geometry) if self.wide else geometry.reduction_banks


def window_bytes(geometry: Geometry) -> int:
    """Most activation bytes of one array access: one a bank, if a buffer word has as many."""
    fits = geometry.banks <= geometry.beat_bytes
    return geometry.banks if fits else geometry.reduction_banks


def step_beats(geometry: Geometry, packing: WeightPacking) -> int:
    """Weight beats of one step: of the row-groups of all banks."""
    return geometry.banks // 2 if packing is WeightPacking.BANKS else geometry.banks


def weight_pace(geometry: Geometry, packing: WeightPacking, rows: int) -> int:
    """Least cycles between weight beats: a row generator writes `rows` rows before its next."""
    return ceil(rows / step_beats(geometry, packing))


def parameter_lanes(geometry: Geometry, packing: WeightPacking) -> int:
    """Output channels that the parameters of LOAD_WEIGHTS count."""
    return geometry.outputs * (2 if packing is WeightPacking.LANES else 1)


def half_lane_bits(geometry: Geometry) -> int:
    """Columns of a product that shares its lane; one more holds the sign of the lower one."""
    return geometry.lane_columns // 2 - 1


def psum_pixels(geometry: Geometry, packing: WeightPacking) -> int:
    """Pixels whose partial sums fit: a lane that holds two weights takes two entries each."""
    return geometry.psum_entries // (2 if packing is WeightPacking.LANES else 1)
