"""A program that is decoded once and run often.

What the commands of a program do, up to the numbers in the buffers, follows from what they find
in DRAM: the commands themselves, weights, tables, parameters. So machines that find the same take
the same steps, and nothing of that need be looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cimc.kernels import native
from cimc.sim.emulator_memory import Bytes, Dram
from cimc.sim.emulator_steps import Step
from cimc.targets import Target
from cimc.targets.isa import Command


@dataclass(frozen=True)
class Found:
    """What a command found in DRAM, the same for every item."""

    command: Command
    address: int
    data: Bytes


@dataclass
class Trace:
    """What a machine did from its reset on."""

    target: Target
    image: bytes | Bytes
    """DRAM began with it."""
    kernels: str
    """Steps are those of this choice of kernels."""
    commands: list[Command] = field(default_factory=list[Command])
    """In order, with FETCH, NEXT and END."""
    steps: list[Step] = field(default_factory=list[Step])
    """What the commands do to buffer, partial sums and DRAM."""
    found: list[Found] = field(default_factory=list[Found])
    """In the order of the commands."""
    whole: bool = True
    """What was found was there at the beginning."""

    def holds(self, target: Target, image: bytes | Bytes, dram: Dram) -> bool:
        """Whether a machine out of reset, with `dram` that began with `image`, does the same."""
        if target is not self.target or native.chosen() != self.kernels:
            return False
        if len(image) != len(self.image):
            return False
        same = isinstance(image, bytes) and image is self.image
        return all(
            (same and dram.unwritten(each.address, len(each.data)))
            or dram.holds(each.address, each.data)
            for each in self.found
        )


@dataclass
class ProgramMemory:
    """The last run of a program from reset, if it can be repeated."""

    trace: Trace | None = None
