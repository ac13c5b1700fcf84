"""Weight beats of LOAD_WEIGHTS to the weight codes of the banks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cimc.sim.emulator_memory import Bytes, require
from cimc.targets import Geometry
from cimc.targets.isa import Command
from cimc.targets.packing import WeightPacking


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
