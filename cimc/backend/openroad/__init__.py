"""Hand-over to OpenROAD: the flow/ folder of the output directory (docs/openroad.md)."""

from __future__ import annotations

from cimc.backend.openroad.flow import flow_texts, write_flow

__all__ = ["flow_texts", "write_flow"]
