"""Executes a memory image as docs/machine.md says, command by command in program order.

Tokens make the hardware equal to program order, so they are not looked at here;
`cimc.cost.cycles` tells when things happen. A leading batch axis runs one program on many
inputs at once: DRAM pages that differ, activation buffers and partial sums exist per item.

Commands are decoded into steps, which run as late as nothing sees the difference: then many of
them are one call of the compiled code, and a program that runs again is not decoded again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cimc.kernels import native
from cimc.sim.emulator_array import ArrayState, array_step
from cimc.sim.emulator_built_in import PlainBanks
from cimc.sim.emulator_memory import (
    ActivationBuffer,
    Bytes,
    Dram,
    MachineFault,
    require,
    untouched_bytes,
)
from cimc.sim.emulator_parameters import Parameters
from cimc.sim.emulator_rows import Banks
from cimc.sim.emulator_steps import Load, Memories, Step, Store, execute
from cimc.sim.emulator_trace import Found, ProgramMemory, Trace
from cimc.sim.emulator_vector import VectorState, load_taps, vector_step
from cimc.sim.emulator_weights import load_weights, tile
from cimc.targets import Geometry, Target
from cimc.targets.isa import COMMAND_BYTES, PARAMETER_BYTES, Command, Opcode, decode

__all__ = ["Emulator", "EmulatorRun", "MachineFault", "batch_limit"]

_LUT_BYTES = 256


@dataclass
class EmulatorRun:
    """What was executed."""

    commands: list[Command] = field(default_factory=list[Command])
    """In order, with FETCH, NEXT and END: what `cimc.cost.cycles.estimate` takes."""


def batch_limit(geometry: Geometry, dram_bytes: int, memory_bytes: int = 1 << 30) -> int:
    """Largest batch that keeps the per-item memories within `memory_bytes`, at least 1.

    `dram_bytes` counts the DRAM that differs between items: inputs, outputs, spilled tensors.
    Working memory of a command comes on top and does not grow with the batch.
    """
    psums = 4 * geometry.psum_entries * geometry.outputs
    return max(1, memory_bytes // (geometry.activation_bytes + psums + dram_bytes))


class Emulator:
    """One machine, or `batch` machines in step, with the memory `image` from DRAM address 0.

    SRAM contents start as zeros and survive from one `run` to the next, as in hardware.
    """

    def __init__(
        self,
        target: Target,
        image: bytes | Bytes,
        *,
        batch: int = 1,
        memory: ProgramMemory | None = None,
    ):
        """Copy `image`; DRAM is as long as it, and at least one program block.

        `memory` makes further machines with the same program and target faster.
        """
        g = target.geometry
        self.target = target
        self.batch = batch
        self._image = image
        psums = untouched_bytes(4 * batch * g.psum_entries * g.outputs)
        self._memories = Memories(
            ActivationBuffer(
                untouched_bytes(batch * g.activation_bytes).reshape(batch, g.activation_bytes)
            ),
            psums.view(np.int32).reshape(batch, g.psum_entries, g.outputs),
            Dram(image, g.block_commands * COMMAND_BYTES, batch),
        )
        nothing = Parameters.decode(np.zeros(PARAMETER_BYTES * g.beat_bytes, np.uint8))
        self._vector = VectorState(
            np.zeros(_LUT_BYTES, np.uint8),
            np.zeros((g.vector_taps, g.beat_bytes), np.uint8),
            [nothing, nothing],
        )
        zero = Parameters.decode(np.zeros(2 * PARAMETER_BYTES * g.outputs, np.uint8))
        self._array = ArrayState(
            target,
            PlainBanks(target) if target.multipliers else Banks(g),
            np.zeros(g.step_entries, np.int64),
            [zero, zero],
        )
        self._fetched = b""
        self._memory = ProgramMemory() if memory is None else memory
        self._fresh = True
        self._unloaded: list[Found] = []
        """What a repeated run found and did not yet put where it belongs."""
        self._trace = Trace(target, image, "")
        self._waiting: list[Step] = []
        self._stored: list[Store] = []

    def read_dram(self, address: int, size: int) -> Bytes:
        """[batch, size] bytes of main memory."""
        return self._memories.dram.read(address, size)

    def write_dram(self, address: int, data: Bytes) -> None:
        """Put `data` into main memory: [size] for every item, or [batch, size]."""
        self._memories.dram.write(address, data)

    def read_buffer(self, address: int, size: int) -> Bytes:
        """[batch, size] bytes of the activation buffer; addresses wrap."""
        return self._memories.buffer.read(address, size)

    def physical_rows(
        self, row_base: int, count: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        """Magnitude and sign columns of bank rows, each [count, banks, lanes]."""
        self._load_all()
        return self._array.banks.physical_rows(row_base, count)

    def run(
        self,
        on_retire: Callable[[int, Emulator], None] | None = None,
        on_command: Callable[[int, Command], None] | None = None,
    ) -> EmulatorRun:
        """Execute the program at DRAM address 0 up to END.

        `on_retire` gets the tag of every marked command and this machine just after it,
        `on_command` the number of every command and the command just before it.

        Raises:
            MachineFault: a command asks for something undefined; number and fields are named.
        """
        watched = on_retire is not None or on_command is not None
        trace, fresh = self._memory.trace, self._fresh and not watched
        self._fresh = False
        if fresh and trace and trace.holds(self.target, self._image, self._memories.dram):
            self._unloaded, self._fetched = trace.found, b""
            execute(trace.steps, self._memories)
            return EmulatorRun(list(trace.commands))
        self._load_all()
        self._trace = Trace(self.target, self._image, native.chosen())
        self._stored.clear()
        self._decode_all(on_retire, on_command)
        self._catch_up()
        if fresh and self._trace.whole:
            self._memory.trace = self._trace
        return EmulatorRun(self._trace.commands)

    def _decode_all(
        self,
        on_retire: Callable[[int, Emulator], None] | None,
        on_command: Callable[[int, Command], None] | None,
    ) -> None:
        """Decode the commands; their steps run when something would see that they did not."""
        done = self._trace.commands
        self._fetch(Command(Opcode.FETCH))
        block, at = self._take_block(0), 0
        while True:
            number = len(done)
            command = _decode(block, at, number)
            done.append(command)
            if on_command is not None:
                self._catch_up()
                on_command(number, command)
            if command.opcode is Opcode.END:
                return
            if command.opcode is Opcode.NEXT:
                block, at = self._take_block(number), 0
                continue
            self._prepare(number, command)
            at += COMMAND_BYTES
            if command["mark"] and on_retire is not None:
                self._catch_up()
                on_retire(command["tag"], self)

    def _catch_up(self) -> None:
        """Run the steps that wait."""
        waiting, self._waiting = self._waiting, []
        execute(waiting, self._memories)

    def _load_all(self) -> None:
        """Bring everything but the memories to where the run that was repeated left it."""
        found, self._unloaded = self._unloaded, []
        for each in found:
            self._load(each.command, each.data)

    def _take_block(self, number: int) -> bytes:
        require(bool(self._fetched), f"command {number} NEXT: no block was fetched")
        block, self._fetched = self._fetched, b""
        return block

    def _prepare(self, number: int, command: Command) -> None:
        try:
            if (step := self._step(command)) is not None:
                self._waiting.append(step)
                self._trace.steps.append(step)
        except MachineFault as fault:
            fields = " ".join(f"{k}={v}" for k, v in command.values.items() if v)
            where = f"command {number} {command.opcode.name} ({fields})"
            raise MachineFault(f"{where}: {fault}") from None

    def _step(self, command: Command) -> Step | None:
        """What `command` does to the memories; anything else that it does is done."""
        match command.opcode:
            case Opcode.LOAD:
                address, size = self._span(command)
                return Load(address, command["buffer"], size)
            case Opcode.STORE:
                address, size = self._span(command)
                self._stored.append(Store(command["buffer"], address, size))
                return self._stored[-1]
            case Opcode.ARRAY:
                return array_step(self._array, command)
            case Opcode.VECTOR:
                return vector_step(self._vector, command)
            case Opcode.END | Opcode.NEXT:
                raise AssertionError("handled by the controller")
            case _:
                self._fetch(command)
                return None

    def _fetch(self, command: Command) -> None:
        """Execute a command that takes from DRAM what all items have in common."""
        address, size = command["dram"], self._size(command)
        beat = self.target.geometry.beat_bytes
        require(address % beat == 0, f"address {address} is not beat aligned")
        if any(store.meets(address, size) for store in self._stored):
            self._catch_up()
            self._trace.whole = False
        data = self._memories.dram.read_common(address, size)
        data = data.copy() if data.flags.writeable else data
        self._trace.found.append(Found(command, address, data))
        self._load(command, data)

    def _size(self, command: Command) -> int:
        """Bytes that `command` takes from DRAM.

        Raises:
            MachineFault: a field of LOAD_WEIGHTS is outside what docs/machine.md defines.
        """
        g = self.target.geometry
        match command.opcode:
            case Opcode.FETCH:
                return g.block_commands * COMMAND_BYTES
            case Opcode.LOAD_LUT:
                return _LUT_BYTES
            case Opcode.LOAD_TAPS:
                return (command["taps"] + PARAMETER_BYTES) * g.beat_bytes
            case _:
                return tile(self.target, command).size

    def _load(self, command: Command, data: Bytes) -> None:
        """Put what `command` found where it belongs."""
        match command.opcode:
            case Opcode.FETCH:
                self._fetched = data.tobytes()
            case Opcode.LOAD_LUT:
                self._vector.lut = data.copy()
            case Opcode.LOAD_TAPS:
                load_taps(self._vector, command, data)
            case _:
                load_weights(self._array, command, data)

    def _span(self, command: Command) -> tuple[int, int]:
        address, size = command["dram"], command["bytes"]
        beat = self.target.geometry.beat_bytes
        require(size >= 1, "bytes must be positive")
        aligned = (address - command["buffer"]) % beat == 0
        require(aligned, f"dram and buffer addresses differ modulo {beat}")
        self._memories.dram.check(address, size)
        return address, size


_decoded = lru_cache(maxsize=1 << 13)(decode)


def _decode(block: bytes, at: int, number: int) -> Command:
    require(at < len(block), f"command {number}: the block ends without NEXT or END")
    try:
        return _decoded(block[at : at + COMMAND_BYTES])
    except ValueError as error:
        raise MachineFault(f"command {number}: {error}") from None
