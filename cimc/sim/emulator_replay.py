"""Spares repeated runs of one program the unpacking of its weights.

What an ARRAY command multiplies by follows from the weights that were loaded before it. So runs
that loaded the same bytes by the same commands, from the beginning, have the same products: they
are kept, and as long as a run repeats the last one its weights need not be stored at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from cimc.targets.isa import Command

Product = TypeVar("Product")
Bytes = NDArray[np.uint8]


@dataclass
class _Entry(Generic[Product]):
    command: Command
    data: bytes | None
    """What a load found in DRAM."""
    product: Product | None = None


@dataclass
class ProgramMemory(Generic[Product]):
    """What the last run of a program loaded and multiplied by, in order."""

    entries: list[_Entry[Product]] = field(default_factory=list[_Entry[Product]])


class Replay(Generic[Product]):
    """One machine's way through a program, beside what `memory` has of earlier machines."""

    def __init__(self, memory: ProgramMemory[Product]):
        """Start at the beginning: nothing is loaded."""
        self._memory = memory
        self._at = 0
        self._waiting: list[tuple[bytes, Callable[[Bytes], None]]] = []

    def knows(self, command: Command) -> bool:
        """Whether the last run had the same command here, so that it is valid."""
        return self._known(command) is not None

    def load(self, command: Command, data: Bytes, store: Callable[[Bytes], None]) -> None:
        """`command` found `data`; `store` puts them into the banks, now or when they are needed."""
        known = self._known(command)
        found = data.tobytes()
        if known is not None and known.data == found:
            self._waiting.append((found, store))
        else:
            self.settle()
            store(data)
            self._record(_Entry(command, found))
        self._at += 1

    def product(self, command: Command, make: Callable[[], Product]) -> Product:
        """What `command` multiplies by; `make` finds it in the banks."""
        known = self._known(command)
        found = None if known is None else known.product
        if found is None:
            self.settle()
            found = make()
            self._record(_Entry(command, None, found))
        self._at += 1
        return found

    def settle(self) -> None:
        """Store all that is waiting."""
        for data, store in self._waiting:
            store(np.frombuffer(data, np.uint8))
        self._waiting.clear()

    def _known(self, command: Command) -> _Entry[Product] | None:
        entries = self._memory.entries
        if self._at < len(entries) and entries[self._at].command == command:
            return entries[self._at]
        return None

    def _record(self, entry: _Entry[Product]) -> None:
        """From here on this run is another than the last one."""
        self._memory.entries[self._at :] = [entry]
