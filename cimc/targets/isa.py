"""Microcode: the fields of every command, their encoding and decoding.

A command is 64 bytes, little endian. Fields are packed from bit 0 upwards in the order of the
tables below: first `HEADER`, then the fields of the opcode. The SystemVerilog package, the
listing and docs/microcode.md are generated from the same tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

COMMAND_BYTES = 64

PARAMETER_BYTES = 8
"""Requantisation parameters of one channel: bias, M and S (docs/machine.md)."""


class Unit(IntEnum):
    """The units that execute commands; each takes its own in order."""

    DMA = 0
    ARRAY = 1
    VECTOR = 2


class Opcode(IntEnum):
    """Command kinds."""

    END = 0
    NEXT = 1
    FETCH = 2
    LOAD = 3
    STORE = 4
    LOAD_WEIGHTS = 5
    LOAD_LUT = 6
    ARRAY = 7
    VECTOR = 8
    LOAD_TAPS = 9


class VectorOp(IntEnum):
    """What the vector unit does with the bytes it reads; formulas in docs/machine.md."""

    MAX = 0
    SUM = 1
    ADD = 2
    MUL = 3
    LUT = 4
    FILL = 5
    DEPTHWISE = 6


UNIT_OF = {
    Opcode.FETCH: Unit.DMA,
    Opcode.LOAD: Unit.DMA,
    Opcode.STORE: Unit.DMA,
    Opcode.LOAD_WEIGHTS: Unit.DMA,
    Opcode.LOAD_LUT: Unit.DMA,
    Opcode.LOAD_TAPS: Unit.DMA,
    Opcode.ARRAY: Unit.ARRAY,
    Opcode.VECTOR: Unit.VECTOR,
}
"""Executing unit; END and NEXT are the controller's own."""


@dataclass(frozen=True)
class Field:
    """One bit field: `bits` wide, two's complement when `signed`."""

    name: str
    bits: int
    doc: str
    signed: bool = False

    def check(self, value: int, command: str) -> int:
        """`value` as an unsigned bit pattern.

        Raises:
            OverflowError: it does not fit (a defect of the compiler, not of the input).
        """
        low, high = (-(1 << (self.bits - 1)), 1 << (self.bits - 1))
        if not self.signed:
            low, high = 0, 1 << self.bits
        if not low <= value < high:
            raise OverflowError(f"{command}.{self.name}={value} is not in [{low}, {high})")
        return value & ((1 << self.bits) - 1)


HEADER = (
    Field("opcode", 4, "command kind"),
    Field("wait", 3, "take one token from each unit whose bit is set before starting"),
    Field("signal", 3, "give one token to each unit whose bit is set when done"),
    Field("mark", 1, "report the tag on the retire port when done"),
    Field("tag", 16, "which tensor is complete when this command is done"),
)

_DRAM = Field("dram", 32, "byte address in DRAM")
_LOAD_STORE = (
    _DRAM,
    Field("buffer", 20, "byte address in the activation buffer; equal to dram modulo a beat"),
    Field("bytes", 21, "bytes to move; partial first and last beats are masked"),
)

FIELDS: dict[Opcode, tuple[Field, ...]] = {
    Opcode.END: (),
    Opcode.NEXT: (),
    Opcode.FETCH: (Field("dram", 32, "byte address of the block (beat aligned)"),),
    Opcode.LOAD: _LOAD_STORE,
    Opcode.STORE: _LOAD_STORE,
    Opcode.LOAD_LUT: (Field("dram", 32, "byte address of 256 bytes (beat aligned)"),),
    Opcode.LOAD_TAPS: (
        Field("dram", 32, "byte address of the taps (beat aligned), parameters behind them"),
        Field("taps", 9, "weight beats"),
        Field("base", 8, "first entry of the tap memory"),
        Field("param_set", 1, "which parameter set of the vector unit is loaded"),
    ),
    Opcode.LOAD_WEIGHTS: (
        Field("dram", 32, "byte address of the tile (beat aligned)"),
        Field("steps", 10, "row-groups a bank"),
        Field("step_base", 9, "first entry of the step table"),
        Field("row_base", 9, "first physical row of the first row-group"),
        Field("rows", 5, "physical rows of a row-group (rho)"),
        Field("pace", 4, "cycles between weight beats: ceil(rows / beats of a step)"),
        Field("bits", 4, "n: bits of the broadcast magnitude"),
        Field("pc_bits", 3, "k: top bits with pre-computed rows, 1..4"),
        Field("first_row", 1, "1: plain row 0 is not stored"),
        Field("cut", 4, "low columns cleared in every stored row"),
        Field("w_signed", 1, "weight codes are int8, else uint8"),
        Field("w_zero", 9, "zero point of the weight codes", signed=True),
        Field("has_params", 1, "the tile carries requantisation parameters"),
        Field("param_set", 1, "which parameter set they go to"),
        Field("packing", 2, "weights of a byte: 0 one, 1 of two banks, 2 of one lane"),
        Field("group", 5, "bank group that takes the tile"),
    ),
    Opcode.ARRAY: (
        Field("src", 20, "byte address of the window of pixel (0, 0)"),
        Field("nx", 12, "pixels in x"),
        Field("ny", 12, "pixels in y"),
        Field("src_x", 20, "bytes between windows in x", signed=True),
        Field("src_y", 20, "bytes between windows in y", signed=True),
        Field("steps", 10, "row-groups read for one pixel"),
        Field("step_base", 9, "first entry of the step table"),
        Field("row_base", 9, "first physical row of the first row-group"),
        Field("rows", 5, "physical rows of a row-group (rho)"),
        Field("bits", 4, "n: bits of the broadcast magnitude"),
        Field("pc_bits", 3, "k: top bits with pre-computed rows, 1..4"),
        Field("first_row", 1, "1: plain row 0 is not stored"),
        Field("left_justify", 1, "shift the magnitude up to its top bit, the product down again"),
        Field("reads", 4, "reads of a product"),
        Field("masks", 64, "byte r: magnitude bits of read r"),
        Field("a_signed", 1, "activation codes are int8, else uint8"),
        Field("a_zero", 9, "zero point of the activation codes", signed=True),
        Field("period", 14, "cycles a pixel: max(steps * reads, post ? ceil(lanes / Q) : 1)"),
        Field("psum", 10, "partial-sum entry of the first pixel"),
        Field("psum_in", 1, "start from the partial sums, else from zero"),
        Field("psum_out", 1, "end in the partial sums, else post-process"),
        Field("lanes", 9, "valid output channels, from 1"),
        Field("param_set", 1, "requantisation parameters"),
        Field("dst", 20, "byte address of output pixel (0, 0), first channel"),
        Field("dst_x", 20, "bytes between output pixels in x", signed=True),
        Field("dst_y", 20, "bytes between output pixels in y", signed=True),
        Field("y_zero", 9, "zero point of the output codes", signed=True),
        Field("low", 9, "clamp", signed=True),
        Field("high", 9, "clamp", signed=True),
        Field("dual", 1, "1: a lane holds two weights and gives two output channels"),
        Field("wide", 1, "1: clusters take further bytes of the window, their sums are added"),
        Field("group", 5, "bank group that computes"),
    ),
    Opcode.VECTOR: (
        Field("op", 3, "VectorOp"),
        Field("a_signed", 1, "first source codes are int8, else uint8"),
        Field("b_signed", 1, "codes of the second source, or taps, are int8, else uint8"),
        Field("a", 20, "byte address of the first source"),
        Field("b", 20, "byte address of the second source (ADD, MUL)"),
        Field("dst", 20, "byte address of the result"),
        Field("n0", 12, "innermost output loop (beats of channels)"),
        Field("n1", 12, "middle output loop"),
        Field("n2", 12, "outer output loop"),
        Field("a0", 20, "first source stride of loop 0", signed=True),
        Field("a1", 20, "first source stride of loop 1", signed=True),
        Field("a2", 20, "first source stride of loop 2", signed=True),
        Field("b0", 20, "second source stride of loop 0; windows: stride of wx", signed=True),
        Field("b1", 20, "second source stride of loop 1; windows: stride of wy", signed=True),
        Field("b2", 20, "second source stride of loop 2", signed=True),
        Field("d0", 20, "result stride of loop 0", signed=True),
        Field("d1", 20, "result stride of loop 1", signed=True),
        Field("d2", 20, "result stride of loop 2", signed=True),
        Field("wx", 10, "inner window loop (MAX, SUM, DEPTHWISE)"),
        Field("wy", 10, "outer window loop (MAX, SUM, DEPTHWISE)"),
        Field("tail", 6, "valid bytes in the last beat of loop 0"),
        Field("m0", 32, "multiplier of the first source or of the result", signed=True),
        Field("m1", 32, "multiplier of the second source (ADD)", signed=True),
        Field("shift", 6, "S: right shift, rounding half to even"),
        Field("a_zero", 9, "zero point of the first source", signed=True),
        Field("b_zero", 9, "zero point of the second source, or of the taps", signed=True),
        Field("y_zero", 9, "zero point of the result; FILL: the value", signed=True),
        Field("low", 9, "clamp", signed=True),
        Field("high", 9, "clamp", signed=True),
        Field("tap_base", 8, "entry of the first tap (DEPTHWISE)"),
        Field("param_set", 1, "requantisation parameters (DEPTHWISE)"),
    ),
}


def layout(opcode: Opcode) -> list[tuple[Field, int]]:
    """Every field of `opcode`, header first, with its lowest bit."""
    placed: list[tuple[Field, int]] = []
    at = 0
    for f in (*HEADER, *FIELDS[opcode]):
        placed.append((f, at))
        at += f.bits
    assert at <= COMMAND_BYTES * 8, f"{opcode.name} needs {at} bits"
    return placed


@dataclass
class Command:
    """One command: field values by name; fields that are not named are zero."""

    opcode: Opcode
    values: dict[str, int] = field(default_factory=dict[str, int])
    comment: str = ""
    """For the listing: ONNX node and what the command does."""

    def __getitem__(self, name: str) -> int:
        """Value of a field, 0 when never set."""
        return self.values.get(name, 0)

    @property
    def unit(self) -> Unit | None:
        """The unit that executes it, None for the controller."""
        return UNIT_OF.get(self.opcode)


def encode(command: Command) -> bytes:
    """The 64 bytes of `command`.

    Raises:
        OverflowError: a value does not fit its field.
        KeyError: a value is named that the opcode does not have.
    """
    values = {**command.values, "opcode": int(command.opcode)}
    word = 0
    for f, at in layout(command.opcode):
        word |= f.check(values.pop(f.name, 0), command.opcode.name) << at
    if values:
        raise KeyError(f"{command.opcode.name} has no field {sorted(values)}")
    return word.to_bytes(COMMAND_BYTES, "little")


def decode(data: bytes) -> Command:
    """The command in 64 bytes; zero fields are present too.

    Raises:
        ValueError: the opcode does not exist.
    """
    word = int.from_bytes(data, "little")
    opcode = Opcode(word & 0xF)
    values: Mapping[str, int] = {f.name: _extract(word, f, at) for f, at in layout(opcode)}
    return Command(opcode, {k: v for k, v in values.items() if k != "opcode"})


def _extract(word: int, f: Field, at: int) -> int:
    value = (word >> at) & ((1 << f.bits) - 1)
    return value - (1 << f.bits) if f.signed and value >> (f.bits - 1) else value


def encode_program(commands: Iterable[Command]) -> bytes:
    """The bytes of a sequence of commands."""
    return b"".join(encode(c) for c in commands)
