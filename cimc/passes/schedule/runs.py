"""VECTOR commands over runs of bytes: rows of pixels of runs, in up to three maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil

from cimc.passes.schedule.views import View, wrap_address, wrap_stride
from cimc.targets import Geometry

MAX_LOOP = 4095
"""Limit of the n0, n1 and n2 fields of a VECTOR command (cimc/targets/isa.py)."""


@dataclass(frozen=True)
class Plane:
    """Where the runs of a map are: the first at `origin`, others `row` and `pixel` bytes apart."""

    origin: int
    row: int
    pixel: int

    @staticmethod
    def of(view: View, y: int, x: int, c: int = 0, steps: tuple[int, int] = (1, 1)) -> Plane:
        """Runs from channel `c` of every steps[0]-th row and steps[1]-th pixel from (y, x) on."""
        channels = view.type.hwc[2]
        return Plane(view.address(y, x, c), steps[0] * view.type.pitch, steps[1] * channels)


def run_fields(
    dst: Plane, sources: Sequence[Plane], shape: tuple[int, int, int], geometry: Geometry
) -> list[dict[str, int]]:
    """Loops and addresses of the commands for `shape` = rows, pixels of a row, bytes of a run.

    Sources are called a and b. Runs that follow each other without a gap in all maps become one;
    what exceeds a loop counter is cut.
    """
    rows, pixels, count = shape
    planes = [dst, *sources]
    if all(p.row == pixels * p.pixel for p in planes):
        rows, pixels = 1, rows * pixels
    if all(p.pixel == count for p in planes):
        pixels, count = 1, pixels * count
    beat = geometry.beat_bytes
    cuts = (range(0, rows, MAX_LOOP), range(0, pixels, MAX_LOOP), range(0, count, MAX_LOOP * beat))
    found: list[dict[str, int]] = []
    for y, x, at in product(*cuts):
        width = min(count - at, MAX_LOOP * beat)
        beats = ceil(width / beat)
        loops = {"n0": beats, "n1": min(pixels - x, MAX_LOOP), "n2": min(rows - y, MAX_LOOP)}
        values = loops | {"tail": width - (beats - 1) * beat}
        for name, plane in zip(("dst", "a", "b"), planes, strict=False):
            values[name] = wrap_address(plane.origin + y * plane.row + x * plane.pixel + at)
            strides = {0: beat, 1: plane.pixel, 2: plane.row}
            values |= {f"{name[0]}{i}": wrap_stride(stride) for i, stride in strides.items()}
        found.append(values)
    return found
