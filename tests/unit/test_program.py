"""Block structure of programs."""

from __future__ import annotations

import pytest

from cimc.targets import get
from cimc.targets.isa import COMMAND_BYTES, Command, Opcode, decode
from cimc.targets.program import assemble_blocks, program_bytes

SMALL = get("daism-small")  # 16 commands a block
F, X, N, E = Opcode.FETCH, Opcode.VECTOR, Opcode.NEXT, Opcode.END


def opcodes(count: int) -> list[Opcode]:
    return [c.opcode for c in assemble_blocks([Command(X)] * count, SMALL)]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, [E] * 16),
        (1, [X] + [E] * 15),
        (15, [X] * 15 + [E]),
        (16, [F, *[X] * 14, N, X, X, *[E] * 14]),
        (29, [F, *[X] * 14, N, *[X] * 15, E]),
        (30, [F, *[X] * 14, N, F, *[X] * 14, N, X, X, *[E] * 14]),
    ],
)
def test_blocks(count: int, expected: list[Opcode]) -> None:
    assert opcodes(count) == expected


def test_each_fetch_names_the_next_block_and_order_is_kept() -> None:
    body = [Command(X, {"tag": i}) for i in range(50)]
    data = program_bytes(body, SMALL)
    assert len(data) % (16 * COMMAND_BYTES) == 0
    decoded = [decode(data[i : i + COMMAND_BYTES]) for i in range(0, len(data), COMMAND_BYTES)]
    assert [c["tag"] for c in decoded if c.opcode == X] == list(range(50))
    fetches = [(i, c["dram"]) for i, c in enumerate(decoded) if c.opcode == F]
    assert fetches == [(0, 16 * 64), (16, 32 * 64), (32, 48 * 64)]


def test_control_commands_are_not_for_the_caller() -> None:
    with pytest.raises(ValueError, match="NEXT is placed by assemble_blocks"):
        assemble_blocks([Command(N)], SMALL)
