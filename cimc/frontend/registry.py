"""Import functions by ONNX operator: supporting an operator takes one function.

A function takes a `Node` and returns its first result, or all of them: tensors that it has emitted,
views, constants.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeAlias, TypeVar

from cimc.frontend import ops
from cimc.frontend.node import Node, Operand, Tensor

ImportFunction: TypeAlias = Callable[[Node], Operand | list[Tensor]]
Function = TypeVar("Function", bound=ImportFunction)

IMPORTERS: dict[str, ImportFunction] = {}
"""Operator name, with its domain before a dot unless it is a standard one."""


def onnx_op(*names: str) -> Callable[[Function], Function]:
    """Register the decorated function for operators `names`."""

    def register(function: Function) -> Function:
        for name in names:
            assert name not in IMPORTERS, f"{name} is registered twice"
            IMPORTERS[name] = function
        return function

    return register


def load_importers() -> None:
    """Import every file of the `ops` folder, so that its functions register themselves."""
    for module in iter_modules(ops.__path__):
        import_module(f"{ops.__name__}.{module.name}")
