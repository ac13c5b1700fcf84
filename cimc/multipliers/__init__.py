"""The multiplier library, found by scanning this folder: a family file defines ``MULTIPLIERS``."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from cimc.diagnostics import InvalidInput, did_you_mean
from cimc.multipliers.base import ArrayConfig, ErrorStats, error_stats
from cimc.multipliers.multiplier import Multiplier

__all__ = [
    "ArrayConfig",
    "ErrorStats",
    "Multiplier",
    "accepted_names",
    "error_stats",
    "get",
    "names",
]


@cache
def _library() -> dict[str, Multiplier]:
    found: list[Multiplier] = []
    for info in iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        found.extend(getattr(module, "MULTIPLIERS", ()))
    # `exact` first, then the families in the order of their files.
    found.sort(key=lambda multiplier: multiplier.name != "exact")
    return {multiplier.name: multiplier for multiplier in found}


def get(name: str) -> Multiplier:
    """The multiplier called `name`.

    Raises:
        InvalidInput: there is none; the message proposes the nearest name.
    """
    library = _library()
    if name not in library:
        raise InvalidInput(f"unknown multiplier '{name}'{did_you_mean(name, library)}")
    return library[name]


def names() -> tuple[str, ...]:
    """Names for listings, `exact` first."""
    return tuple(name for name, multiplier in _library().items() if multiplier.listed)


def accepted_names() -> tuple[str, ...]:
    """Every name that `get` accepts, `exact` first."""
    return tuple(_library())
