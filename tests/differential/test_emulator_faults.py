"""What docs/machine.md leaves undefined is refused, with the command and its fields."""

from __future__ import annotations

import pytest

from cimc.sim.emulator import Emulator, MachineFault
from cimc.targets import get
from cimc.targets.isa import COMMAND_BYTES, Command, Opcode
from cimc.targets.program import program_bytes

SMALL = get("daism-small")
WEIGHTS = {"dram": 2048, "bits": 8, "pc_bits": 3, "rows": 12, "pace": 3, "steps": 1}
ARRAY = {
    "nx": 1,
    "ny": 1,
    "steps": 1,
    "bits": 8,
    "pc_bits": 3,
    "rows": 12,
    "reads": 1,
    "lanes": 1,
    "period": 1,
}
TAPS = {"dram": 2048, "taps": 1}
VECTOR = {"op": 0, "n0": 1, "n1": 1, "n2": 1, "wx": 1, "wy": 1, "tail": 8}


def run(opcode: Opcode, values: dict[str, int]) -> None:
    image = program_bytes([Command(opcode, values)], SMALL)
    Emulator(SMALL, image + bytes(4096 - len(image))).run()


@pytest.mark.parametrize(
    ("opcode", "values"),
    [
        (Opcode.LOAD_WEIGHTS, WEIGHTS),
        (Opcode.ARRAY, ARRAY),
        (Opcode.LOAD_TAPS, TAPS | {"base": 127}),
        (Opcode.VECTOR, VECTOR),
        (Opcode.VECTOR, VECTOR | {"op": 6, "tap_base": 127}),
        (Opcode.LOAD, {"dram": 4095, "buffer": 65535, "bytes": 1}),
    ],
)
def test_the_programs_below_are_sound_but_for_their_fault(
    opcode: Opcode, values: dict[str, int]
) -> None:
    run(opcode, values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps must be positive"),
        ({"bits": 9}, r"bits=9 is not in 1\.\.8"),
        ({"pc_bits": 5}, r"pc_bits=5 is not in 1\.\.4"),
        ({"bits": 2, "pc_bits": 3}, r"pc_bits=3 is not in 1\.\.2"),
        ({"bits": 2, "pc_bits": 2, "first_row": 1}, "first_row=1 leaves no plain row"),
        ({"rows": 11}, "rows=11, the row-group has 12"),
        ({"row_base": 53}, r"rows 53\.\.64 pass the bank's 64 rows"),
        ({"step_base": 1}, "step_base=1 is not a multiple of 2"),
        ({"step_base": 62, "steps": 3}, "steps pass the 64 entries"),
        ({"pace": 2}, "pace=2 is below 3"),
        ({"dram": 2052}, "address 2052 is not beat aligned"),
        ({"dram": 4088}, r"DRAM bytes 4088\.\.4127 are outside its 4096 bytes"),
        ({"packing": 1, "pace": 5}, "pace=5 is below 6"),
        ({"packing": 3}, r"packing=3 is not in 0\.\.2"),
        ({"packing": 2, "w_zero": -1}, "products of weight 1 do not fit half a lane"),
    ],
)
def test_load_weights(change: dict[str, int], message: str) -> None:
    with pytest.raises(MachineFault, match=rf"^command 0 LOAD_WEIGHTS \(.*\): {message}$"):
        run(Opcode.LOAD_WEIGHTS, WEIGHTS | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nx": 0}, "nx=0, ny=1, steps=1 must be positive"),
        ({"reads": 0}, r"reads=0 is not in 1\.\.8"),
        ({"reads": 9}, r"reads=9 is not in 1\.\.8"),
        ({"rows": 11}, "rows=11, the row-group has 12"),
        ({"row_base": 53}, r"rows 53\.\.64 pass the bank's 64 rows"),
        ({"step_base": 64}, "steps pass the 64 entries"),
        ({"lanes": 0}, r"lanes=0 is not in 1\.\.16"),
        ({"lanes": 17}, r"lanes=17 is not in 1\.\.16"),
        ({"low": 1}, "low is above high"),
        ({"reads": 2}, "period=1 is below 2"),
        ({"lanes": 5}, "period=1 is below 2"),
        ({"psum_in": 1, "psum": 256}, "partial sums up to 257 pass the memory"),
        ({"psum_out": 1, "psum": 256}, "partial sums up to 257 pass the memory"),
        ({"psum_out": 1, "psum": 128, "dual": 1}, "partial sums up to 129 pass the memory"),
        ({"dual": 1, "lanes": 33}, r"lanes=33 is not in 1\.\.32"),
        ({"wide": 1, "lanes": 9}, r"lanes=9 is not in 1\.\.8"),
        ({"wide": 1, "dual": 1, "lanes": 17}, r"lanes=17 is not in 1\.\.16"),
    ],
)
def test_array(change: dict[str, int], message: str) -> None:
    with pytest.raises(MachineFault, match=rf"^command 0 ARRAY \(.*\): {message}$"):
        run(Opcode.ARRAY, ARRAY | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"op": 7}, "op=7 does not exist"),
        ({"n1": 0}, "n1 must be positive"),
        ({"wy": 0}, "wy must be positive"),
        ({"tail": 0}, r"tail=0 is not in 1\.\.8"),
        ({"tail": 9}, r"tail=9 is not in 1\.\.8"),
        ({"low": 1}, "low is above high"),
        ({"op": 6, "wx": 0}, "wx must be positive"),
        ({"op": 6, "wx": 3, "wy": 3, "tap_base": 120}, "taps up to 129 pass the 128 entries"),
    ],
)
def test_vector(change: dict[str, int], message: str) -> None:
    with pytest.raises(MachineFault, match=rf"^command 0 VECTOR \(.*\): {message}$"):
        run(Opcode.VECTOR, VECTOR | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"taps": 0}, "taps must be positive"),
        ({"base": 127, "taps": 2}, "taps up to 129 pass the 128 entries"),
        ({"dram": 2052}, "address 2052 is not beat aligned"),
        ({"dram": 4032}, r"DRAM bytes 4032\.\.4103 are outside its 4096 bytes"),
    ],
)
def test_load_taps(change: dict[str, int], message: str) -> None:
    with pytest.raises(MachineFault, match=rf"^command 0 LOAD_TAPS \(.*\): {message}$"):
        run(Opcode.LOAD_TAPS, TAPS | change)


@pytest.mark.parametrize("opcode", [Opcode.LOAD, Opcode.STORE])
def test_load_and_store(opcode: Opcode) -> None:
    with pytest.raises(MachineFault, match="bytes must be positive"):
        run(opcode, {})
    with pytest.raises(MachineFault, match="addresses differ modulo 8"):
        run(opcode, {"dram": 8, "buffer": 4, "bytes": 1})
    with pytest.raises(MachineFault, match=r"DRAM bytes 4095\.\.4096 are outside"):
        run(opcode, {"dram": 4095, "buffer": 7, "bytes": 2})


def test_broken_block_structure() -> None:
    def emulate(data: bytes) -> None:
        Emulator(SMALL, data).run()

    filler = {"op": 5, "n0": 1, "n1": 1, "n2": 1, "tail": 1}
    body = [Command(Opcode.VECTOR, filler)] * 20
    program = bytearray(program_bytes(body, SMALL))
    no_fetch = program[COMMAND_BYTES:]
    with pytest.raises(MachineFault, match="command 14 NEXT: no block was fetched"):
        emulate(bytes(no_fetch))
    unending = program[: 15 * COMMAND_BYTES] + program[COMMAND_BYTES : 2 * COMMAND_BYTES]
    with pytest.raises(MachineFault, match="command 16: the block ends without NEXT or END"):
        emulate(bytes(unending) + bytes(1024))
    program[2 * COMMAND_BYTES] |= 0xF
    with pytest.raises(MachineFault, match="command 2: 15 is not a valid Opcode"):
        emulate(bytes(program))
