"""Programs: commands cut into the blocks that the controller fetches."""

from __future__ import annotations

from collections.abc import Sequence

from cimc.targets.base import Target
from cimc.targets.isa import COMMAND_BYTES, Command, Opcode, encode_program

_CONTROL = (Opcode.END, Opcode.NEXT, Opcode.FETCH)


def assemble_blocks(commands: Sequence[Command], target: Target) -> list[Command]:
    """`commands` in memory order from DRAM address 0, with FETCH, NEXT and END.

    A block that is not the last starts with FETCH of the next one and ends with NEXT; the last
    ends with END, repeated up to the block's size.

    Raises:
        ValueError: `commands` already holds FETCH, NEXT or END.
    """
    for command in commands:
        if command.opcode in _CONTROL:
            raise ValueError(f"{command.opcode.name} is placed by assemble_blocks")
    size = target.geometry.block_commands
    out: list[Command] = []
    rest = list(commands)
    while len(rest) >= size:
        address = (len(out) + size) * COMMAND_BYTES
        fetch = Command(Opcode.FETCH, {"dram": address}, "next block")
        out += [fetch, *rest[: size - 2], Command(Opcode.NEXT)]
        rest = rest[size - 2 :]
    out += rest
    return out + [Command(Opcode.END)] * (size - len(rest))


def program_bytes(commands: Sequence[Command], target: Target) -> bytes:
    """The memory image of `assemble_blocks(commands, target)`: a whole number of blocks."""
    return encode_program(assemble_blocks(commands, target))
