"""Where the macros go: shelves of macros at the bottom and the top, standard cells between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from cimc.backend.openroad.estimate import ROW_UM, SITE_UM, estimate
from cimc.backend.openroad.macros import Macro

CHANNEL_UM = 56.0
"""Least distance between macros, and from macros to the core's edge.

It is the pitch of the platform's metal4 supply stripes, so a channel always holds one of each
supply; narrower channels end in PDN-0178/0179 "Unable to repair all channels".
"""
MARGIN_X_UM = 53 * SITE_UM
MARGIN_Y_UM = 8 * ROW_UM
"""Core edge to die edge."""
CELL_DENSITY = 0.4
"""Share of the free area that standard cells should take."""


@dataclass(frozen=True)
class Placed:
    """A macro with its lower left corner (micrometres from the die's), orientation R0."""

    macro: Macro
    x: float
    y: float


@dataclass(frozen=True)
class Floorplan:
    """Die from (0, 0), core inside it, macros inside the core."""

    die: tuple[float, float]
    placed: tuple[Placed, ...]

    @property
    def core(self) -> tuple[float, float, float, float]:
        """x low, y low, x high, y high."""
        width, height = self.die
        return (MARGIN_X_UM, MARGIN_Y_UM, width - MARGIN_X_UM, height - MARGIN_Y_UM)


def _up(value: float, step: float) -> float:
    return round(ceil(round(value / step, 6)) * step, 3)


def _shelves(macros: Sequence[Macro], width: float) -> list[list[Macro]]:
    """Rows of macros no wider than `width`, tallest first; order within a kind is kept."""
    by_height = sorted(macros, key=lambda m: -estimate(m).height_um)
    rows: list[list[Macro]] = []
    used = width
    for macro in by_height:
        need = estimate(macro).width_um + CHANNEL_UM
        if used + need > width or not rows:
            rows.append([])
            used = CHANNEL_UM
        rows[-1].append(macro)
        used += need
    return rows


def _row_height(row: Sequence[Macro]) -> float:
    return max(estimate(m).height_um for m in row) + CHANNEL_UM


def _place_row(row: Sequence[Macro], y: float) -> list[Placed]:
    placed: list[Placed] = []
    x = _up(MARGIN_X_UM + CHANNEL_UM, SITE_UM)
    for macro in row:
        placed.append(Placed(macro, x, y))
        x = _up(x + estimate(macro).width_um + CHANNEL_UM, SITE_UM)
    return placed


def _height(macros: Sequence[Macro], width: float, room: float) -> float:
    """Core height when macros stand in shelves of `width` and cells get `room` of the rest."""
    rows = _shelves(macros, width)
    shelves = sum(map(_row_height, rows)) + CHANNEL_UM
    beside = width * shelves - _occupied(macros)
    return shelves + _up(max((room - beside) / width, CHANNEL_UM), ROW_UM)


def _occupied(macros: Sequence[Macro]) -> float:
    sizes = [estimate(macro) for macro in macros]
    return sum((s.width_um + CHANNEL_UM) * (s.height_um + CHANNEL_UM) for s in sizes)


def _best_width(macros: Sequence[Macro], room: float) -> float:
    """The width, out of a few around a square, that gives the shortest outline."""
    side = sqrt(_occupied(macros) + room)
    widest = max(estimate(macro).width_um for macro in macros) + 2 * CHANNEL_UM
    widths = [_up(max(side * step / 20, widest), SITE_UM) for step in range(16, 41)]
    return min(widths, key=lambda width: width + _height(macros, width, room))


def floorplan(counts: Mapping[Macro, int], cell_area_um2: float) -> Floorplan:
    """Places `counts[macro]` copies of each macro in a die with room for `cell_area_um2` of cells.

    Shelves go to the bottom and to the top in turn, tallest first, so that the free middle
    is near every macro.
    """
    macros = [macro for macro, count in counts.items() for _ in range(count)]
    room = cell_area_um2 / CELL_DENSITY
    width = _best_width(macros, room)
    height = _up(_height(macros, width, room), ROW_UM)
    bottom = _up(MARGIN_Y_UM + CHANNEL_UM, ROW_UM)
    top = _up(MARGIN_Y_UM + height, ROW_UM)
    placed: list[Placed] = []
    for number, row in enumerate(_shelves(macros, width)):
        need = _row_height(row)
        if number % 2 == 0:
            placed += _place_row(row, bottom)
            bottom = _up(bottom + need, ROW_UM)
        else:
            top = _up(top - need, ROW_UM)
            placed += _place_row(row, top)
    die = (round(width + 2 * MARGIN_X_UM, 3), round(height + 2 * MARGIN_Y_UM, 3))
    return Floorplan(die, tuple(placed))
