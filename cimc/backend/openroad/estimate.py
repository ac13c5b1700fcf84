"""Size, speed and energy of a memory macro: ESTIMATES, from published figures of a 45 nm process.

Nothing here is extracted or simulated. Sources:

- bit cell: CACTI takes 146 F^2 for a 6T cell; an 8T cell (separate read port, which the
  multi-row read needs) is 30 % larger (Chang et al., VLSI Symposium 2005); F = 45 nm.
- array efficiency, access time, energy and leakage: fits to the fakeram45 memories of the
  OpenROAD-flow-scripts platform nangate45 (bsg_fakeram, which runs CACTI; one port, 6T cells) of
  4 kbit to 80 kbit. With the cell of 146 F^2 the fits are within 25 % of those figures;
  larger memories are extrapolated.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

from cimc.backend.openroad.macros import Macro

SITE_UM = 0.19
"""Width of a placement site of nangate45; macro widths and x positions are multiples."""
ROW_UM = 1.4
"""Height of a placement row of nangate45; macro heights and y positions are multiples."""
PIN_PITCH_UM = 0.28
"""Distance of signal pins: two metal3 tracks, the fakeram45 rule."""

FEATURE_UM = 0.045
CELL_6T_F2 = 146
CELL_8T_RATIO = 1.3
EFFICIENCY = 0.53
SUPPLY_V = 1.1
WORDLINE_FF_PER_CELL = 0.2
"""Gate of the read port's transistor and its share of the wordline wire."""
TYPICAL_WORDLINES = 4
"""Rows that a multi-row read turns on, on average, for the energy figure."""
INPUT_FF = 5.0
CLOCK_FF = 25.0
SETUP_NS = 0.05
HOLD_NS = 0.05
MAX_LOAD_FF = 500.0
SLEW_NS = (0.009, 0.227)
"""Output transition at loads of 5 fF and MAX_LOAD_FF."""


@dataclass(frozen=True)
class Estimate:
    """Figures of one macro; energies are per access at `SUPPLY_V`."""

    width_um: float
    height_um: float
    access_ns: float
    cycle_ns: float
    read_fj: float
    write_fj: float
    leakage_nw: float

    @property
    def area_um2(self) -> float:
        """Area of the block's outline."""
        return round(self.width_um * self.height_um, 3)


def array_area_um2(bits: int, *, ports: int = 2) -> float:
    """Area of a memory of `bits`: cell area / array efficiency; `ports` 1: 6T, 2: 8T cells."""
    cell = CELL_6T_F2 * FEATURE_UM**2 * (CELL_8T_RATIO if ports == 2 else 1.0)
    return bits * cell / EFFICIENCY


def access_ns(bits: int) -> float:
    """Clock edge to data: a constant and a part that grows as the side of the array."""
    return 0.142 + 1.04e-3 * sqrt(bits)


def access_fj(rows: int, columns: int) -> float:
    """Energy of an access to one row: grows with the columns and with the length of a bit line."""
    return 3.7 * columns * sqrt(rows)


def leakage_nw(bits: int) -> float:
    """Leakage of cells and periphery at 25 degrees."""
    return 25.0 * bits


def wordline_fj(columns: int) -> float:
    """Energy of one more wordline in a multi-row read: C V^2 over the row."""
    return columns * WORDLINE_FF_PER_CELL * SUPPLY_V**2


def estimate(macro: Macro) -> Estimate:
    """Figures of `macro`; as square as its pins allow, inputs left and outputs right."""
    area = array_area_um2(macro.bits)
    pins = max(len(macro.pins("input")), len(macro.pins("output")))
    # One row free below and above the pins, for the corners.
    height = max(sqrt(area), pins * PIN_PITCH_UM + 2 * ROW_UM)
    height = round(ceil(height / ROW_UM) * ROW_UM, 3)
    width = round(ceil(max(area / height, 20 * SITE_UM) / SITE_UM) * SITE_UM, 3)
    extra_rows = min(macro.wordlines, TYPICAL_WORDLINES) - 1
    access = access_fj(macro.rows, macro.columns)
    return Estimate(
        width_um=width,
        height_um=height,
        access_ns=round(access_ns(macro.bits), 3),
        cycle_ns=round(access_ns(macro.bits) + SETUP_NS, 3),
        read_fj=round(access + extra_rows * wordline_fj(macro.columns), 1),
        write_fj=round(access, 1),
        leakage_nw=round(leakage_nw(macro.bits), 1),
    )
