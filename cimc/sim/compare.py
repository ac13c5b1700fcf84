"""Compares tensors of two levels that must agree, and says where they first do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimc.backend.image import Codes, Region
from cimc.diagnostics import VerifyFailed, loc_text


@dataclass
class Comparison:
    """Counts differing bytes over many tensors, compared in program order."""

    compared_bytes: int = 0
    differing_bytes: int = 0
    first: str = ""
    """Description of the first difference; empty while there is none."""

    def tensor(self, region: Region, levels: tuple[str, str], expected: Codes, got: Codes) -> None:
        """Compare codes [N, H, W, C] of one tensor; `levels` names who expects and who got."""
        self.compared_bytes += expected.size
        if expected.shape != got.shape:
            self.differing_bytes += expected.size
            self._note(region, levels, f"shape {got.shape} instead of {expected.shape}")
            return
        differing = np.argwhere(expected != got)
        self.differing_bytes += len(differing)
        if len(differing):
            at = tuple(int(i) for i in differing[0])
            image, row, column, channel = at
            self._note(
                region,
                levels,
                f"{len(differing)} of {expected.size} codes differ, first at image {image}, "
                f"channel {channel}, row {row}, column {column}: "
                f"expected {int(expected[at])}, got {int(got[at])}",
            )

    def _note(self, region: Region, levels: tuple[str, str], what: str) -> None:
        if not self.first:
            name = f"{loc_text(region.op.location)} ({region.op.name}, tag {region.tag})"
            self.first = f"{name}: {levels[1]} disagrees with {levels[0]}: {what}"

    def check(self) -> None:
        """Pass when nothing differed.

        Raises:
            VerifyFailed: naming the first differing tensor, its ONNX node, index and values.
        """
        if self.differing_bytes:
            raise VerifyFailed(
                f"{self.first}; {self.differing_bytes} of {self.compared_bytes} bytes differ in "
                "all; this is a defect of cimc or of a changed image, not of the model"
            )
