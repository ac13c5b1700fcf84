"""Families with parameters: more names than a listing shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cimc.multipliers.multiplier import Multiplier


@dataclass(frozen=True)
class Family:
    """Names that `pattern` matches in full; `make` gets its groups, None where one is absent."""

    form: str
    """The names, for people: ``drum-kK``."""
    pattern: str
    make: Callable[..., Multiplier]

    def parse(self, name: str) -> Multiplier | None:
        """The multiplier called `name`, or None when it is none of this family."""
        match = re.fullmatch(self.pattern, name)
        return None if match is None else self.make(*match.groups())
