"""Import functions by ONNX operator: supporting an operator takes one function.

A function takes a `Node` and returns its first result: a tensor that it has emitted, or a constant.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeAlias

from cimc.frontend import ops
from cimc.frontend.node import Node, Value

ImportFunction: TypeAlias = Callable[[Node], Value]

IMPORTERS: dict[str, ImportFunction] = {}
"""Operator name, with its domain before a dot unless it is a standard one."""


def onnx_op(*names: str) -> Callable[[ImportFunction], ImportFunction]:
    """Register the decorated function for operators `names`."""

    def register(function: ImportFunction) -> ImportFunction:
        for name in names:
            assert name not in IMPORTERS, f"{name} is registered twice"
            IMPORTERS[name] = function
        return function

    return register


def load_importers() -> None:
    """Import every file of the `ops` folder, so that its functions register themselves."""
    for module in iter_modules(ops.__path__):
        import_module(f"{ops.__name__}.{module.name}")
