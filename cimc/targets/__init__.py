"""Targets, found by scanning this folder: each file defines ``TARGETS``."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from cimc.diagnostics import InvalidInput, did_you_mean
from cimc.targets.base import BankGroup, Geometry, Target, Timing

__all__ = ["BankGroup", "Geometry", "Target", "Timing", "all_targets", "get"]


@cache
def all_targets() -> dict[str, Target]:
    """Every target by name."""
    found: dict[str, Target] = {}
    for info in iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        found.update({t.name: t for t in getattr(module, "TARGETS", ())})
    return found


def get(name: str) -> Target:
    """The target called `name`.

    Raises:
        InvalidInput: there is none; the message proposes the nearest name.
    """
    targets = all_targets()
    if name not in targets:
        raise InvalidInput(f"unknown target '{name}'{did_you_mean(name, targets)}")
    return targets[name]
