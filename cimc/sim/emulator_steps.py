"""Commands that are ready to run: all that they need but the memories is in them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cimc.kernels import native
from cimc.sim.emulator_memory import ActivationBuffer, Dram


@dataclass(frozen=True)
class Memories:
    """What commands read and write, of the items of a batch."""

    buffer: ActivationBuffer
    psums: NDArray[np.int32]
    """[batch, psum_entries, outputs]"""
    dram: Dram

    def part(self, items: slice) -> Memories:
        """Those of some items."""
        buffer = ActivationBuffer(self.buffer.data[items])
        return Memories(buffer, self.psums[items], self.dram.part(items))


class Step(Protocol):
    """A command that is ready to run."""

    def run(self, memories: Memories) -> None:
        """Execute it on all items."""
        ...


@dataclass(frozen=True)
class Load:
    """`size` bytes of DRAM from `address` on, to `to` of the activation buffer."""

    address: int
    to: int
    size: int

    def run(self, memories: Memories) -> None:
        """Execute it on all items."""
        memories.buffer.write(self.to, memories.dram.read(self.address, self.size))


@dataclass(frozen=True)
class Store:
    """`size` bytes of the activation buffer from `source` on, to `address` of DRAM."""

    source: int
    address: int
    size: int

    def meets(self, address: int, size: int) -> bool:
        """Whether it writes one of `size` bytes from `address` on."""
        return self.address < address + size and address < self.address + self.size

    def run(self, memories: Memories) -> None:
        """Execute it on all items."""
        memories.dram.write(self.address, memories.buffer.read(self.source, self.size))


@dataclass(frozen=True)
class Compiled:
    """A command of the compiled code."""

    command: Any

    def run(self, memories: Memories) -> None:
        """Execute it on all items."""
        _run_compiled([self.command], memories)


def execute(steps: Sequence[Step], memories: Memories) -> None:
    """Run `steps` in order on all items; threads divide the items, or each step of a few."""
    for step in steps:
        if isinstance(step, Store):
            memories.dram.claim(step.address, step.size)
    threads, items = native.threads(), len(memories.psums)
    if threads == 1 or threads > items:
        _execute_in_step(steps, memories)
        return
    ends = [items * i // threads for i in range(threads + 1)]
    parts = [memories.part(slice(*each)) for each in pairwise(ends)]

    def work(part: Memories) -> None:
        with native.one_thread():
            _execute_in_step(steps, part)

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, parts):
            pass


def _execute_in_step(steps: Sequence[Step], memories: Memories) -> None:
    for compiled, some in groupby(steps, lambda step: isinstance(step, Compiled)):
        if compiled:
            _run_compiled([step.command for step in some if isinstance(step, Compiled)], memories)
            continue
        for step in some:
            step.run(memories)


def _run_compiled(commands: list[Any], memories: Memories) -> None:
    ours = memories.buffer.data, memories.psums
    native.native.run_commands(native.chosen(), commands, *ours, native.threads())
