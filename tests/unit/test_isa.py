"""Command encoding, its listing and its page of documentation."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimc.backend.listing import disassemble, listing
from cimc.backend.microcode_doc import microcode_markdown
from cimc.diagnostics import InvalidInput
from cimc.targets.isa import (
    COMMAND_BYTES,
    FIELDS,
    HEADER,
    Command,
    Opcode,
    VectorOp,
    decode,
    encode,
    encode_program,
    layout,
)

DOCS = Path(__file__).parents[2] / "docs"


@st.composite
def commands(draw: st.DrawFn) -> Command:
    opcode = draw(st.sampled_from(list(Opcode)))
    values = {}
    for f in (*HEADER, *FIELDS[opcode]):
        low = -(1 << (f.bits - 1)) if f.signed else 0
        edge = st.sampled_from([low, low + (1 << f.bits) - 1, 0])
        values[f.name] = draw(edge | st.integers(low, low + (1 << f.bits) - 1))
    del values["opcode"]
    return Command(opcode, values)


@given(commands())
def test_decode_undoes_encode(command: Command) -> None:
    data = encode(command)
    assert len(data) == COMMAND_BYTES
    assert decode(data) == command


@pytest.mark.parametrize("opcode", list(Opcode))
def test_fields_neither_overlap_nor_leave_the_command(opcode: Opcode) -> None:
    used = [bit for f, at in layout(opcode) for bit in range(at, at + f.bits)]
    assert len(used) == len(set(used))
    assert max(used) < 8 * COMMAND_BYTES
    names = [f.name for f, _ in layout(opcode)]
    assert len(names) == len(set(names))


def test_fields_that_were_not_set_are_zero() -> None:
    command = decode(encode(Command(Opcode.ARRAY, {"nx": 5})))
    assert command["nx"] == 5
    assert all(v == 0 for k, v in command.values.items() if k != "nx")


def test_encoding_refuses_what_does_not_fit() -> None:
    with pytest.raises(OverflowError, match=r"ARRAY\.nx=4096 is not in \[0, 4096\)"):
        encode(Command(Opcode.ARRAY, {"nx": 4096}))
    with pytest.raises(OverflowError, match=r"ARRAY\.low=256 is not in \[-256, 256\)"):
        encode(Command(Opcode.ARRAY, {"low": 256}))
    with pytest.raises(KeyError, match=r"END has no field \['nx'\]"):
        encode(Command(Opcode.END, {"nx": 1}))
    with pytest.raises(ValueError, match="10 is not a valid Opcode"):
        decode(bytes([10]) + bytes(63))


PROGRAM = [
    Command(Opcode.FETCH, {"dram": 0x1000}, "next block"),
    Command(
        Opcode.ARRAY,
        {"wait": 0b101, "signal": 0b100, "mark": 1, "tag": 7, "src_x": -3, "masks": 0xFF55},
        "/layer1/0/conv1/Conv: channels 0..63",
    ),
    Command(Opcode.VECTOR, {"op": VectorOp.MAX, "n0": 2}),
    Command(Opcode.END),
    Command(Opcode.END),
]
LISTING = """\
; address  command       fields that are not zero
000000  FETCH         dram=0x1000 {} ; next block
000040  ARRAY         wait=dma+vector signal=vector mark=1 tag=7 src_x=-3 masks=0xff55 {} ; {}
000080  VECTOR        op=MAX n0=2
0000c0  END
"""


def test_listing() -> None:
    got = listing(PROGRAM)
    assert [line.split() for line in got.splitlines()] == [
        line.split() for line in LISTING.format("", "", PROGRAM[1].comment).splitlines()
    ]
    assert [line.index(" ; ") for line in got.splitlines()[1:3]] == [96, 96]


def test_listing_of_bytes_has_no_comments() -> None:
    got = listing(encode_program(PROGRAM))
    assert got.splitlines()[1] == "000000  FETCH         dram=0x1000"
    assert len(got.splitlines()) == 5


def test_listing_shows_a_flipped_bit() -> None:
    data = bytearray(encode_program(PROGRAM))
    at = dict((f.name, at) for f, at in layout(Opcode.VECTOR))["n0"]
    data[2 * COMMAND_BYTES + at // 8] ^= 1 << at % 8
    assert "n0=3" in listing(bytes(data))


def test_disassembly_of_garbage() -> None:
    with pytest.raises(InvalidInput, match="program of 65 bytes is not a whole number"):
        disassemble(bytes(65))
    with pytest.raises(InvalidInput, match="program byte 0x000040: 15 is not a valid Opcode"):
        disassemble(bytes(64) + b"\x0f" + bytes(63))


def test_the_page_of_the_fields_is_current() -> None:
    page = (DOCS / "microcode.md").read_text("utf-8")
    assert page == microcode_markdown(), (
        "run python -m cimc.backend.microcode_doc > docs/microcode.md"
    )
