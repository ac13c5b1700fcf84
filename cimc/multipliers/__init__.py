"""The multiplier library, found by scanning this folder.

A family file defines ``MULTIPLIERS``, those that listings show, and ``FAMILY`` when its names have
parameters.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from cimc.diagnostics import InvalidInput, did_you_mean
from cimc.multipliers.base import ArrayConfig, ErrorStats, error_stats
from cimc.multipliers.family import Family
from cimc.multipliers.files import from_file, is_file_name
from cimc.multipliers.multiplier import Multiplier

__all__ = [
    "ArrayConfig",
    "ErrorStats",
    "Multiplier",
    "accepted_names",
    "error_stats",
    "families",
    "get",
    "names",
]


@cache
def _scan() -> tuple[dict[str, Multiplier], tuple[Family, ...]]:
    """Named multipliers, `exact` first, and families; in the order of their files."""
    found: list[Multiplier] = []
    families: list[Family] = []
    for info in iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        found.extend(getattr(module, "MULTIPLIERS", ()))
        if isinstance(family := getattr(module, "FAMILY", None), Family):
            families.append(family)
    found.sort(key=lambda multiplier: multiplier.name != "exact")
    return {multiplier.name: multiplier for multiplier in found}, tuple(families)


def get(name: str) -> Multiplier:
    """The multiplier called `name`, or that of the file `name` (.npy, .v, .sv).

    Raises:
        InvalidInput: there is none, with the nearest name; or the file holds no multiplier.
        ToolMissing: a circuit needs a simulator, and none is installed.
    """
    return from_file(name) if is_file_name(name) else _named(name)


@cache
def _named(name: str) -> Multiplier:
    library, known = _scan()
    if name in library:
        return library[name]
    for family in known:
        if (multiplier := family.parse(name)) is not None:
            return multiplier
    raise InvalidInput(f"unknown multiplier '{name}'{did_you_mean(name, library)}")


def names() -> tuple[str, ...]:
    """Names for listings, `exact` first."""
    return tuple(name for name, multiplier in _scan()[0].items() if multiplier.listed)


def accepted_names() -> tuple[str, ...]:
    """Every name without a free parameter that `get` accepts, `exact` first."""
    return tuple(_scan()[0])


def families() -> tuple[str, ...]:
    """Forms of the names with parameters."""
    return tuple(family.form for family in _scan()[1])
