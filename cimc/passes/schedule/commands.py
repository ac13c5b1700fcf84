"""A command together with the exclusive resources that it uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cimc.passes.schedule.views import View
from cimc.targets.isa import Command, Opcode

ACTIVATIONS = "activations"
"""The activation buffer with its two ports: one unit at a time, so nothing arbitrates."""
LUT = "lut"


def half_resource(half: int) -> str:
    """The rows, step entries and parameter set of ping-pong half `half` of the array."""
    return f"half{half}"


def tap_resource(half: int) -> str:
    """The tap entries and parameter set of ping-pong half `half` of the vector unit."""
    return f"taps{half}"


def parameter_bytes(
    bias: NDArray[np.int64], m: NDArray[np.int64], s: NDArray[np.int64], channels: int
) -> bytes:
    """Requantisation parameters of `channels` channels, zeros behind the given ones.

    Eight bytes a channel, laid out as in docs/machine.md.
    """
    word = np.zeros(channels, np.uint64)
    word[: len(bias)] = ((bias & 0xFFFFFFFF) | (m & 0xFFFFFF) << 32 | s << 56).astype(np.uint64)
    return word.astype("<u8").tobytes()


@dataclass
class Step:
    """One command of the schedule; units order themselves by the resources that steps share."""

    command: Command
    resources: frozenset[str]
    data: bool = False
    """The command's DRAM address counts from the data segment (see backend/image.py)."""


def move_step(opcode: Opcode, dram: int, buffer: int, size: int, comment: str) -> Step:
    """A LOAD or STORE of `size` bytes; `dram` counts from the data segment."""
    values = {"dram": dram, "buffer": buffer, "bytes": size}
    return make_step(opcode, values, {ACTIVATIONS}, data=True, comment=comment)


FetchPart = Callable[[int], tuple[View, Sequence[Step]]]
"""The operand for the part of a number, and what brings it to the buffer."""


def make_step(
    opcode: Opcode, values: dict[str, int], resources: set[str], *, data: bool, comment: str
) -> Step:
    """A step with a new command."""
    return Step(Command(opcode, values, comment), frozenset(resources), data)


@dataclass
class DataSegment:
    """What the program finds in DRAM behind itself: weights, inputs, outputs, spilled tensors."""

    beat_bytes: int
    size: int = 0
    chunks: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])

    def reserve(self, size: int) -> int:
        """Byte offset of `size` new zero bytes, beat aligned."""
        at = self.size
        self.size += -(-size // self.beat_bytes) * self.beat_bytes
        return at

    def put(self, data: bytes) -> int:
        """Byte offset of `data`, beat aligned."""
        at = self.reserve(len(data))
        self.chunks.append((at, data))
        return at
