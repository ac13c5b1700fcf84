"""Errors to plant in a memory image: single fields of microcode, single bits of weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cimc.backend.image import Image
from cimc.targets.isa import COMMAND_BYTES, Opcode, layout

Plant = Callable[[Image], Image]


def with_dram(image: Image, change: Callable[[bytearray], None]) -> Image:
    """`image` with `change` made to its bytes; its list of commands stays as it was."""
    memory = bytearray(image.dram)
    change(memory)
    return replace(image, dram=bytes(memory))


def numbers_of(image: Image, opcode: Opcode) -> list[int]:
    """Where the commands of a kind stand in the program."""
    return [i for i, command in enumerate(image.commands) if command.opcode is opcode]


def set_field(
    image: Image, opcode: Opcode, name: str, value: Callable[[int], int], nth: int = 0
) -> Image:
    """Change one field of the n-th command of a kind, in the bytes of the program."""
    number = numbers_of(image, opcode)[nth]
    field, at = next((f, at) for f, at in layout(opcode) if f.name == name)
    new = value(image.commands[number][name]) & ((1 << field.bits) - 1)

    def change(memory: bytearray) -> None:
        place = slice(number * COMMAND_BYTES, (number + 1) * COMMAND_BYTES)
        word = int.from_bytes(memory[place], "little")
        word &= ~(((1 << field.bits) - 1) << at)
        memory[place] = (word | new << at).to_bytes(COMMAND_BYTES, "little")

    return with_dram(image, change)


def flip_weight_bit(image: Image) -> Image:
    """The top magnitude bit of one weight of the first layer."""
    load = next(c for c in image.commands if c.opcode is Opcode.LOAD_WEIGHTS)
    geometry = image.target.geometry
    head = -(-4 * load["steps"] // geometry.beat_bytes) * geometry.beat_bytes
    first = load["dram"] + head + 8 * geometry.outputs * load["has_params"]

    def change(memory: bytearray) -> None:
        memory[first] ^= 0x40

    return with_dram(image, change)


IN_FIRST_CONV: dict[str, Plant] = {
    "microcode bit": lambda image: set_field(image, Opcode.ARRAY, "src", lambda v: v ^ 1),
    "weight bit": flip_weight_bit,
    "stride": lambda image: set_field(image, Opcode.ARRAY, "src_x", lambda v: v + 1),
    # Read k uses bit 2k + 1 of the activation in place of bit 2k.
    "wordline": lambda image: set_field(image, Opcode.ARRAY, "masks", lambda v: v & ~0x10),
}
"""By name; each changes what the first convolution computes, and no cycle."""
