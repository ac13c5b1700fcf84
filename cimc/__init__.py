"""cimc: compiles a CNN in ONNX to an SRAM compute-in-memory accelerator."""

from __future__ import annotations
