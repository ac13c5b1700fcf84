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
from cimc.backend.compiler import Network
from cimc.backend.host_report import host_reports
from cimc.backend.layers import LayerReport, layer_reports
from cimc.frontend.data import Calibration
from cimc.passes.choose_plan import Chosen
from cimc.passes.repair import Repaired
from cimc.targets import Target

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


def build_report(network: Network) -> dict[str, Any]:
    """The report of a network that has not been verified yet."""
    model, target = network.model.path, network.ctx.target
    calibration = network.ctx.calibration
    assert calibration is not None
    images = [program.image for program in network.programs]
    cycles = sum(program.cycles.total for program in network.programs)
    layers = [layer for image in images for layer in layer_reports(image, network.ctx.layer_errors)]
    return {
        "schema": SCHEMA,
        "model": {"file": model.name, "sha256": sha256_of(model)},
        "target": {
            "name": target.name,
            "geometry": asdict(target.geometry),
            "timing": asdict(target.timing),
            "products_per_cycle": target.geometry.products_per_cycle,
            "multipliers": list(target.multipliers),
        },
        "calibration": {
            "source": calibration.source,
            "images": calibration_images(calibration),
            "ranges_are_real": calibration.ranges_are_real,
            "note": calibration_note(calibration),
        },
        "choice": asdict(network.ctx.chosen or Chosen()),
        "repair": asdict(network.ctx.repaired or Repaired()),
        "errors": unmeasured_errors(),
        "cycles": {
            "estimated": cycles,
            "rtl": None,
            "ideal": sum(layer.ideal_cycles for layer in layers),
        },
        "macs": sum(layer.macs for layer in layers),
        "utilisation": _utilisation(layers, cycles, target),
        "memory": {
            "program_bytes": sum(image.program_bytes for image in images),
            "dram_bytes": sum(len(image.dram) for image in images),
            "commands": sum(len(image.commands) for image in images),
        },
        "layers": [asdict(layer) for layer in layers],
        "host": [asdict(part) for part in host_reports(network)],
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


def _utilisation(layers: Sequence[LayerReport], cycles: int, target: Target) -> float:
    peak = cycles * target.geometry.products_per_cycle
    return round(sum(layer.macs for layer in layers) / peak, 4) if peak else 0.0
