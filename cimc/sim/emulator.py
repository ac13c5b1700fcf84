"""Executes a memory image as docs/machine.md says, command by command in program order.

Tokens make the hardware equal to program order, so they are not looked at here;
`cimc.cost.cycles` tells when things happen. A leading batch axis runs one program on many
inputs at once: DRAM pages that differ, activation buffers and partial sums exist per item.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cimc.quant import sign_magnitude
from cimc.sim.emulator_array import ArrayState, Product, run_array
from cimc.sim.emulator_built_in import PlainBanks, bank_group
from cimc.sim.emulator_memory import (
    ActivationBuffer,
    Bytes,
    Dram,
    MachineFault,
    require,
    untouched_bytes,
)
from cimc.sim.emulator_parameters import Parameters
from cimc.sim.emulator_replay import ProgramMemory, Replay
from cimc.sim.emulator_rows import Banks, RowConfig
from cimc.sim.emulator_vector import VectorState, load_taps, run_vector
from cimc.sim.emulator_weights import weight_codes, weight_packing
from cimc.targets import Geometry, Target
from cimc.targets.isa import COMMAND_BYTES, PARAMETER_BYTES, Command, Opcode, decode
from cimc.targets.packing import (
    WeightPacking,
    half_lane_bits,
    parameter_lanes,
    step_beats,
    weight_pace,
)

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
        memory: ProgramMemory[Product] | None = None,
    ):
        """Copy `image`; DRAM is as long as it, and at least one program block.

        `memory` makes further machines with the same program and target faster.
        """
        g = target.geometry
        block = g.block_commands * COMMAND_BYTES
        dram = np.zeros(max(len(image), block), np.uint8)
        dram[: len(image)] = np.frombuffer(image, np.uint8)
        self.target = target
        self.batch = batch
        self._dram = Dram(dram, batch)
        self._buffer = ActivationBuffer(batch, g.activation_bytes)
        nothing = Parameters.decode(np.zeros(PARAMETER_BYTES * g.beat_bytes, np.uint8))
        self._vector = VectorState(
            self._buffer,
            np.zeros(_LUT_BYTES, np.uint8),
            np.zeros((g.vector_taps, g.beat_bytes), np.uint8),
            [nothing, nothing],
        )
        psums = untouched_bytes(4 * batch * g.psum_entries * g.outputs)
        zero = Parameters.decode(np.zeros(2 * PARAMETER_BYTES * g.outputs, np.uint8))
        self._array = ArrayState(
            target,
            self._buffer,
            PlainBanks(target) if target.multipliers else Banks(g),
            np.zeros(g.step_entries, np.int64),
            [zero, zero],
            psums.view(np.int32).reshape(batch, g.psum_entries, g.outputs),
            Replay(ProgramMemory() if memory is None else memory),
        )
        self._fetched = b""

    def read_dram(self, address: int, size: int) -> Bytes:
        """[batch, size] bytes of main memory."""
        return self._dram.read(address, size)

    def write_dram(self, address: int, data: Bytes) -> None:
        """Put `data` into main memory: [size] for every item, or [batch, size]."""
        self._dram.write(address, data)

    def read_buffer(self, address: int, size: int) -> Bytes:
        """[batch, size] bytes of the activation buffer; addresses wrap."""
        return self._buffer.read(address, size)

    def physical_rows(
        self, row_base: int, count: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        """Magnitude and sign columns of bank rows, each [count, banks, lanes]."""
        self._array.replay.settle()
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
        done = EmulatorRun()
        self._fetch(Command(Opcode.FETCH))
        block, at = self._take_block(0), 0
        while True:
            number = len(done.commands)
            command = _decode(block, at, number)
            done.commands.append(command)
            if on_command is not None:
                on_command(number, command)
            if command.opcode is Opcode.END:
                return done
            if command.opcode is Opcode.NEXT:
                block, at = self._take_block(number), 0
                continue
            self._execute(number, command)
            at += COMMAND_BYTES
            if command["mark"] and on_retire is not None:
                on_retire(command["tag"], self)

    def _take_block(self, number: int) -> bytes:
        require(bool(self._fetched), f"command {number} NEXT: no block was fetched")
        block, self._fetched = self._fetched, b""
        return block

    def _execute(self, number: int, command: Command) -> None:
        try:
            self._dispatch(command)
        except MachineFault as fault:
            fields = " ".join(f"{k}={v}" for k, v in command.values.items() if v)
            where = f"command {number} {command.opcode.name} ({fields})"
            raise MachineFault(f"{where}: {fault}") from None

    def _dispatch(self, command: Command) -> None:
        match command.opcode:
            case Opcode.FETCH:
                self._fetch(command)
            case Opcode.LOAD:
                address, size = self._span(command)
                self._buffer.write(command["buffer"], self._dram.read(address, size))
            case Opcode.STORE:
                address, size = self._span(command)
                self._dram.write(address, self._buffer.read(command["buffer"], size))
            case Opcode.LOAD_LUT:
                self._vector.lut = self._common(command["dram"], _LUT_BYTES).copy()
            case Opcode.LOAD_TAPS:
                size = (command["taps"] + PARAMETER_BYTES) * self.target.geometry.beat_bytes
                load_taps(self._vector, command, self._common(command["dram"], size))
            case Opcode.LOAD_WEIGHTS:
                self._load_weights(command)
            case Opcode.ARRAY:
                run_array(self._array, command)
            case Opcode.VECTOR:
                run_vector(self._vector, command)
            case Opcode.END | Opcode.NEXT:
                raise AssertionError("handled by the controller")

    def _fetch(self, command: Command) -> None:
        size = self.target.geometry.block_commands * COMMAND_BYTES
        self._fetched = self._common(command["dram"], size).tobytes()

    def _common(self, address: int, size: int) -> Bytes:
        beat = self.target.geometry.beat_bytes
        require(address % beat == 0, f"address {address} is not beat aligned")
        return self._dram.read_common(address, size)

    def _span(self, command: Command) -> tuple[int, int]:
        address, size = command["dram"], command["bytes"]
        beat = self.target.geometry.beat_bytes
        require(size >= 1, "bytes must be positive")
        aligned = (address - command["buffer"]) % beat == 0
        require(aligned, f"dram and buffer addresses differ modulo {beat}")
        return address, size

    def _load_weights(self, command: Command) -> None:
        state, group = self._array, bank_group(self.target, command)
        g = group.geometry
        steps, base = command["steps"], command["step_base"]
        packing = weight_packing(g, command)
        dual = packing is WeightPacking.LANES
        bits, pc_bits = command["bits"], command["pc_bits"]
        config = RowConfig(bits, pc_bits, command["first_row"], command["cut"], dual)
        plain = isinstance(state.banks, PlainBanks)
        if not state.replay.knows(command):
            require(not (plain and dual), "a lane with a multiplier built in holds one weight")
            _check_load(g, command, 1 if plain else config.rows)
        entries = -(-4 * steps // g.beat_bytes) * g.beat_bytes // 4
        params = PARAMETER_BYTES * parameter_lanes(g, packing) if command["has_params"] else 0
        size = 4 * entries + params + steps * step_beats(g, packing) * g.beat_bytes
        data = self._common(command["dram"], size)
        # Only the low 20 bits count, since addresses wrap at 2^20 bytes or less.
        state.steps[base : base + entries] = data[: 4 * entries].view("<u4")
        if params:
            kept, given = command["param_set"], data[4 * entries : 4 * entries + params]
            first = group.first * g.lanes
            state.parameters[kept] = state.parameters[kept].overwritten(first, given)

        def store(weights: Bytes) -> None:
            codes = weight_codes(g, packing, weights, bool(command["w_signed"]))
            magnitude, negative = sign_magnitude(codes, command["w_zero"])
            if isinstance(state.banks, PlainBanks):
                state.banks.store(command["row_base"], group, magnitude[0], negative[0])
                return
            if dual:
                largest = int(magnitude.max())
                fits = largest.bit_length() + bits <= half_lane_bits(g)
                require(fits, f"products of weight {largest} do not fit half a lane")
            state.banks.store(command["row_base"], config, magnitude, negative)

        state.replay.load(command, data[4 * entries + params :], store)


_decoded = lru_cache(maxsize=1 << 13)(decode)


def _decode(block: bytes, at: int, number: int) -> Command:
    require(at < len(block), f"command {number}: the block ends without NEXT or END")
    try:
        return _decoded(block[at : at + COMMAND_BYTES])
    except ValueError as error:
        raise MachineFault(f"command {number}: {error}") from None


def _check_load(geometry: Geometry, command: Command, group_rows: int) -> None:
    """Check the fields; `geometry` is that of the bank group, `group_rows` of a row-group."""
    steps, base = command["steps"], command["step_base"]
    packing = weight_packing(geometry, command)
    per_beat = max(1, geometry.beat_bytes // 4)
    require(steps >= 1, "steps must be positive")
    require(base % per_beat == 0, f"step_base={base} is not a multiple of {per_beat}")
    last = base + -(-steps // per_beat) * per_beat
    require(last <= geometry.step_entries, f"steps pass the {geometry.step_entries} entries")
    rows = command["rows"]
    require(rows == group_rows, f"rows={rows}, the row-group has {group_rows}")
    least = weight_pace(geometry, packing, rows)
    require(command["pace"] >= least, f"pace={command['pace']} is below {least}")
