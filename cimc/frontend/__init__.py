"""From files of users to `nn`: ONNX models and calibration data."""

from __future__ import annotations

from cimc.frontend.data import Calibration, load_calibration, noise
from cimc.frontend.importer import load, survey
from cimc.frontend.model import ImportedModel, TensorInfo
from cimc.frontend.outcomes import NodeOutcome
from cimc.frontend.preprocess import Preprocess

__all__ = [
    "Calibration",
    "ImportedModel",
    "NodeOutcome",
    "Preprocess",
    "TensorInfo",
    "load",
    "load_calibration",
    "noise",
    "survey",
]
