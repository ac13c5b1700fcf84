"""The report of a compilation: ``report.json``, its schema in docs/report.md.

Nothing in it depends on time, place or machine, so equal inputs give equal reports.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc import __version__
from cimc.backend.compiler import Compilation
from cimc.backend.image import Image
from cimc.backend.layers import LayerReport, layer_reports
from cimc.cost.cycles import CycleReport
from cimc.frontend.data import Calibration

SCHEMA = 1

PACKAGES = ("numpy", "onnx", "onnxruntime", "xdsl")


@dataclass(frozen=True)
class SignalToNoise:
    """How far `noisy` outputs are from `clean` ones, over all outputs and images."""

    sqnr_db: float | None
    """10 log10 (energy of clean / energy of the difference); None when they are identical."""
    max_abs: float
    identical: bool

    @staticmethod
    def of(clean: Sequence[NDArray[Any]], noisy: Sequence[NDArray[Any]]) -> SignalToNoise:
        """Compare arrays pairwise; shapes must agree."""
        pairs = [
            (np.asarray(a, np.float64), np.asarray(b, np.float64))
            for a, b in zip(clean, noisy, strict=True)
        ]
        signal = sum(float((a * a).sum()) for a, _ in pairs)
        noise = sum(float(((a - b) ** 2).sum()) for a, b in pairs)
        worst = max(float(np.abs(a - b).max()) for a, b in pairs)
        if noise == 0:
            return SignalToNoise(None, worst, True)
        ratio = 10 * math.log10(signal / noise) if signal else -math.inf
        return SignalToNoise(round(max(ratio, -999.0), 3), worst, False)


def calibration_note(calibration: Calibration) -> str:
    """One sentence for people about where activation ranges come from."""
    if calibration.ranges_are_real:
        return f"activation ranges from {calibration_images(calibration)} images"
    return (
        "RANGES ARE NOT REAL: no calibration data was given, so activation ranges come from "
        "seeded noise; give --calibration before judging accuracy"
    )


def calibration_images(calibration: Calibration) -> int:
    """How many images there are of each input."""
    return len(next(iter(calibration.arrays.values())))


def sha256_of(path: Path) -> str:
    """Digest of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build_report(compilation: Compilation) -> dict[str, Any]:
    """The report of a compilation that has not been verified yet."""
    image, cycles, model = compilation.image, compilation.cycles, compilation.model.path
    calibration = compilation.ctx.calibration
    assert calibration is not None
    layers = layer_reports(image)
    target = image.target
    return {
        "schema": SCHEMA,
        "model": {"file": model.name, "sha256": sha256_of(model)},
        "target": {
            "name": target.name,
            "geometry": asdict(target.geometry),
            "timing": asdict(target.timing),
            "products_per_cycle": target.geometry.products_per_cycle,
        },
        "calibration": {
            "source": calibration.source,
            "images": calibration_images(calibration),
            "ranges_are_real": calibration.ranges_are_real,
            "note": calibration_note(calibration),
        },
        "errors": unmeasured_errors(),
        "cycles": {
            "estimated": cycles.total,
            "rtl": None,
            "ideal": sum(layer.ideal_cycles for layer in layers),
        },
        "macs": sum(layer.macs for layer in layers),
        "utilisation": _utilisation(layers, cycles, image),
        "memory": {
            "program_bytes": image.program_bytes,
            "dram_bytes": len(image.dram),
            "commands": len(image.commands),
        },
        "layers": [asdict(layer) for layer in layers],
        "verification": {"level": "none", "images": 0, "simulator": None, "reference": None},
        "versions": {"cimc": __version__, **{name: version(name) for name in PACKAGES}},
    }


def unmeasured_errors() -> dict[str, Any]:
    """``errors`` before any verification: every figure is None."""
    distance = {"sqnr_db": None, "max_abs": None, "identical": None}
    return {
        "quantisation": dict(distance),
        "approximation": dict(distance),
        "implementation": {"differing_bytes": None, "compared_bytes": 0},
    }


def _utilisation(layers: Sequence[LayerReport], cycles: CycleReport, image: Image) -> float:
    peak = cycles.total * image.target.geometry.products_per_cycle
    return round(sum(layer.macs for layer in layers) / peak, 4)
