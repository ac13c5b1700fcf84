"""cimc: compiles a CNN in ONNX to an SRAM compute-in-memory accelerator.

m = cimc.compile("model.onnx", target="daism", calibration={"x": images})
(y,) = m.run(None, {"x": x})
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cimc.api import CompiledModel as CompiledModel
    from cimc.api import compile as compile

__version__ = "0.1.0"

__all__ = ["CompiledModel", "__version__", "compile"]


def __getattr__(name: str) -> object:
    """The interface, imported at first use: it takes half a second."""
    if name in ("CompiledModel", "compile"):
        from cimc import api

        return getattr(api, name)
    raise AttributeError(f"module 'cimc' has no attribute '{name}'")
