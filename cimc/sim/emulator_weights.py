"""LOAD_WEIGHTS: a tile of DRAM to step table, parameters and banks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cimc.quant import sign_magnitude
from cimc.sim.emulator_array import ArrayState
from cimc.sim.emulator_built_in import PlainBanks, bank_group
from cimc.sim.emulator_memory import Bytes, require
from cimc.sim.emulator_rows import RowConfig
from cimc.targets import Geometry, Target
from cimc.targets.isa import PARAMETER_BYTES, Command
from cimc.targets.packing import (
    WeightPacking,
    half_lane_bits,
    parameter_lanes,
    step_beats,
    weight_pace,
)


@dataclass(frozen=True)
class Tile:
    """What LOAD_WEIGHTS takes from DRAM: bytes of its parts, in their order."""

    steps: int
    parameters: int
    weights: int

    @property
    def size(self) -> int:
        """Bytes of all."""
        return self.steps + self.parameters + self.weights


def tile(target: Target, command: Command) -> Tile:
    """The tile that `command` takes.

    Raises:
        MachineFault: a field is outside what docs/machine.md defines.
    """
    g = bank_group(target, command).geometry
    packing = weight_packing(g, command)
    plain, dual = bool(target.multipliers), packing is WeightPacking.LANES
    require(not (plain and dual), "a lane with a multiplier built in holds one weight")
    _check(g, command, 1 if plain else _row_config(g, command).rows)
    steps = command["steps"]
    entries = -(-4 * steps // g.beat_bytes) * g.beat_bytes
    parameters = PARAMETER_BYTES * parameter_lanes(g, packing) if command["has_params"] else 0
    return Tile(entries, parameters, steps * step_beats(g, packing) * g.beat_bytes)


def load_weights(state: ArrayState, command: Command, data: Bytes) -> None:
    """Put the tile `data` where it belongs.

    Raises:
        MachineFault: weights do not fit in a lane, or in the banks.
    """
    group, parts = bank_group(state.target, command), tile(state.target, command)
    g, base, ends = group.geometry, command["step_base"], parts.steps + parts.parameters
    # Only the low 20 bits count, since addresses wrap at 2^20 bytes or less.
    state.steps[base : base + parts.steps // 4] = data[: parts.steps].view("<u4")
    if parts.parameters:
        kept, given = command["param_set"], data[parts.steps : ends]
        first = group.first * g.lanes
        state.parameters[kept] = state.parameters[kept].overwritten(first, given)
    codes = weight_codes(g, weight_packing(g, command), data[ends:], bool(command["w_signed"]))
    magnitude, negative = sign_magnitude(codes, command["w_zero"])
    if isinstance(state.banks, PlainBanks):
        state.banks.store(command["row_base"], group, magnitude[0], negative[0])
        return
    config = _row_config(g, command)
    if config.dual:
        largest = int(magnitude.max())
        fits = largest.bit_length() + config.bits <= half_lane_bits(g)
        require(fits, f"products of weight {largest} do not fit half a lane")
    state.banks.store(command["row_base"], config, magnitude, negative)


def _row_config(geometry: Geometry, command: Command) -> RowConfig:
    bits, pc_bits, first_row, cut = (
        command[name] for name in ("bits", "pc_bits", "first_row", "cut")
    )
    dual = weight_packing(geometry, command) is WeightPacking.LANES
    return RowConfig(bits, pc_bits, first_row, cut, dual)


def weight_packing(geometry: Geometry, command: Command) -> WeightPacking:
    """How the weight beats of `command` are packed.

    Raises:
        MachineFault: a packing that does not exist, or pairs of banks on a machine with one.
    """
    packing = command["packing"]
    require(packing in list(WeightPacking), f"packing={packing} is not in 0..2")
    pairs = packing != WeightPacking.BANKS or geometry.banks % 2 == 0
    require(pairs, f"packing={packing} needs two banks, there is {geometry.banks}")
    return WeightPacking(packing)


def weight_codes(
    geometry: Geometry, packing: WeightPacking, data: Bytes, signed: bool
) -> NDArray[np.integer]:
    """Codes [weights a lane, steps, banks, lanes] of the weight beats `data`."""
    beats = data.reshape(1, -1, geometry.lanes)
    if packing is WeightPacking.BYTES:
        codes = beats.view(np.int8) if signed else beats
    else:
        # Shifted up, the sign of a half byte is that of the byte.
        halves = np.stack([beats[0] << 4, beats[0] & 0xF0]).astype(np.uint8)
        codes = (halves.view(np.int8) if signed else halves) >> 4
    if packing is WeightPacking.BANKS:
        codes = codes.transpose(1, 0, 2)
    count = 2 if packing is WeightPacking.LANES else 1
    return codes.reshape(count, -1, geometry.banks, geometry.lanes)


def _check(geometry: Geometry, command: Command, group_rows: int) -> None:
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
