"""From files of users to `nn`: ONNX models and calibration data."""

from __future__ import annotations

from cimc.frontend.importer import ImportedModel, TensorInfo, load

__all__ = ["ImportedModel", "TensorInfo", "load"]
