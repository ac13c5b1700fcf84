"""Programs as text: one line a command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cimc.diagnostics import InvalidInput
from cimc.targets.isa import (
    COMMAND_BYTES,
    FIELDS,
    HEADER,
    Command,
    Opcode,
    Unit,
    VectorOp,
    decode,
    encode,
)

_HEX = {"dram", "masks"}
_UNITS = {"wait", "signal"}
_COLUMN = 96
"""Where comments start, unless the fields are longer."""


def disassemble(program: bytes, comments: Sequence[Command] = ()) -> list[Command]:
    """The commands in `program`, with the comments of the commands it was made from, in order.

    Raises:
        InvalidInput: its size is not a whole number of commands, or an opcode does not exist.
    """
    if len(program) % COMMAND_BYTES:
        size = f"program of {len(program)} bytes"
        raise InvalidInput(f"{size} is not a whole number of {COMMAND_BYTES}-byte commands")
    commands: list[Command] = []
    for address in range(0, len(program), COMMAND_BYTES):
        try:
            command = decode(program[address : address + COMMAND_BYTES])
        except ValueError as error:
            raise InvalidInput(f"program byte 0x{address:06x}: {error}") from error
        number = len(commands)
        command.comment = comments[number].comment if number < len(comments) else ""
        commands.append(command)
    return commands


def listing(program: bytes | Sequence[Command]) -> str:
    """`program`, from DRAM address 0, as text: address, command, fields that are not zero, comment.

    Commands are listed as their bytes decode. What follows END is not listed.

    Raises:
        InvalidInput: `program` is bytes that do not decode.
        OverflowError: a value does not fit its field.
    """
    if isinstance(program, bytes):
        commands = disassemble(program)
    else:
        commands = disassemble(b"".join(encode(c) for c in program), program)
    lines = ["; address  command       fields that are not zero"]
    for number, command in enumerate(commands):
        lines.append(_line(number * COMMAND_BYTES, command))
        if command.opcode is Opcode.END:
            break
    return "\n".join(lines) + "\n"


def _line(address: int, command: Command) -> str:
    text = f"{address:06x}  {command.opcode.name:<12}  {' '.join(_fields(command))}".rstrip()
    return f"{text:<{_COLUMN}} ; {command.comment}" if command.comment else text


def _fields(command: Command) -> Iterable[str]:
    for f in (*HEADER, *FIELDS[command.opcode]):
        value = command[f.name]
        if f.name == "op":
            yield f"op={_operation(value)}"
        elif f.name == "opcode" or value == 0:
            continue
        elif f.name in _UNITS:
            names = [unit.name.lower() for unit in Unit if value >> unit & 1]
            yield f"{f.name}={'+'.join(names)}"
        else:
            yield f"{f.name}=0x{value:x}" if f.name in _HEX else f"{f.name}={value}"


def _operation(value: int) -> str:
    return VectorOp(value).name if value in list(VectorOp) else str(value)
