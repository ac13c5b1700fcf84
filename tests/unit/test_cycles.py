"""The cycle model against schedules worked out by hand from docs/machine.md.

Target daism-small: beats of 8 bytes, 16 commands a block, queues of 4; L = 64, A = 8, Q = 4,
V = 6 and 4 requantised lanes a cycle are pinned here.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from cimc.cost.cycles import ScheduleDefect, duration, estimate, vector_slots
from cimc.targets import Timing, get
from cimc.targets.isa import Command, Opcode, Unit, VectorOp
from cimc.targets.program import assemble_blocks

TIMING = Timing(memory_latency=64, array_latency=8, requant_latency=4, vector_latency=6)
SMALL = replace(get("daism-small"), timing=TIMING)
DMA, ARRAY, VECTOR = 1, 2, 4
BOOT_DONE = 2 + 16 * 64 // 8 + 64 + 1  # starts in cycle 2
ISSUE = BOOT_DONE + 3


def load(**values: int) -> Command:
    return Command(Opcode.LOAD, {"bytes": 8, **values})


def fill(n0: int = 1, **values: int) -> Command:
    return Command(
        Opcode.VECTOR, {"op": VectorOp.FILL, "n0": n0, "n1": 1, "n2": 1, "tail": 8, **values}
    )


def report(*commands: Command):
    return estimate(assemble_blocks(commands, SMALL), SMALL)


LOAD_D = 1 + 64 + 1
FILL_D = 1 + 6 + 1


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Command(Opcode.FETCH), 128 + 65),
        (load(), 1 + 65),
        (load(dram=7, bytes=2), 2 + 65),
        (load(dram=7, bytes=9), 2 + 65),
        (load(dram=7, bytes=10), 3 + 65),
        (Command(Opcode.STORE, {"dram": 4, "bytes": 20}), 3 + 2),
        (Command(Opcode.LOAD_LUT), 32 + 65),
        # 9 beats of weights, 8 of parameters
        (Command(Opcode.LOAD_TAPS, {"taps": 9}), 9 + 8 + 65),
        # 5 steps: 20 bytes of offsets are 3 beats; 20 weight beats, 3 cycles apart
        (
            Command(Opcode.LOAD_WEIGHTS, {"steps": 5, "rows": 11, "pace": 3}),
            3 + 1 + 19 * 3 + 64 + 11 + 1,
        ),
        # 16 lanes of parameters are 128 bytes, 16 beats
        (
            Command(Opcode.LOAD_WEIGHTS, {"steps": 5, "rows": 11, "pace": 3, "has_params": 1}),
            3 + 16 + 1 + 19 * 3 + 64 + 11 + 1,
        ),
        (
            Command(
                Opcode.ARRAY,
                {"nx": 3, "ny": 2, "period": 12, "steps": 5, "reads": 2, "psum_out": 1},
            ),
            5 * 12 + 10 + 8 + 1,
        ),
        (
            Command(
                Opcode.ARRAY, {"nx": 3, "ny": 2, "period": 3, "steps": 1, "reads": 1, "lanes": 9}
            ),
            5 * 3 + 1 + 8 + 3 + 4 + 1,
        ),
        (fill(7), 7 + 6 + 1),
    ],
)
def test_durations(command: Command, expected: int) -> None:
    assert duration(command, SMALL) == expected


@pytest.mark.parametrize(
    ("op", "slots"),
    [
        ("MAX", 360),
        ("SUM", 360),
        ("ADD", 48),
        ("MUL", 48),
        ("LUT", 24),
        ("FILL", 24),
        ("DEPTHWISE", 360),
    ],
)
def test_vector_slots(op: str, slots: int) -> None:
    values = {"op": VectorOp[op], "n0": 2, "n1": 3, "n2": 4, "wx": 3, "wy": 5}
    assert vector_slots(Command(Opcode.VECTOR, values)) == slots


def test_empty_program() -> None:
    found = report()
    # END at issue; everything has been idle since the boot FETCH
    assert found.total == ISSUE + 1
    assert found.done == [ISSUE]
    assert found.busy == {Unit.DMA: 128 + 66, Unit.ARRAY: 0, Unit.VECTOR: 0}


def test_one_unit_runs_back_to_back() -> None:
    found = report(load(), load(mark=1, tag=5))
    first = ISSUE + 1
    second = first + LOAD_D + 1
    assert found.start == [first, second, ISSUE + 4]
    assert found.done[:2] == [first + LOAD_D, second + LOAD_D]
    assert found.total == second + LOAD_D + 2
    assert found.retires == [(Unit.DMA, 5, second + LOAD_D)]
    assert found.busy[Unit.DMA] == 128 + 66 + 2 * (LOAD_D + 1)


def test_units_overlap_and_tokens_order_them() -> None:
    found = report(load(signal=VECTOR), fill(), fill(wait=DMA, mark=1), load(mark=1, tag=1))
    done = ISSUE + 1 + LOAD_D
    assert found.start[0] == ISSUE + 1
    assert found.start[1] == ISSUE + 3  # at issue 2 later
    assert found.start[2] == done + 1
    assert found.start[3] == done + 1
    assert found.retires == [
        (Unit.VECTOR, 0, done + 1 + FILL_D),
        (Unit.DMA, 1, done + 1 + LOAD_D),
    ]


def test_a_giver_may_come_later_in_the_program() -> None:
    found = report(fill(wait=DMA), load(), load(signal=VECTOR))
    assert found.start[0] == found.done[2] + 1


def test_a_full_queue_holds_the_controller() -> None:
    found = report(*[load() for _ in range(6)], fill())
    starts = [ISSUE + 1 + i * (LOAD_D + 1) for i in range(6)]
    assert found.start[:6] == starts
    # loads 0..4 go in at once (0 has started); 5 waits until 1 has freed its slot
    pushed_5 = starts[1] + 1
    assert ISSUE + 5 * 2 < pushed_5
    assert found.start[6] == pushed_5 + 2 + 1


def test_blocks() -> None:
    # 14 commands, FETCH and NEXT in block 0; the last two in block 1
    found = report(*[fill() for _ in range(16)])
    fetch_done = ISSUE + 1 + 128 + 65
    assert found.done[0] == fetch_done
    # queues hold: FILL i of block 0 is at issue at ISSUE + 2 + 2 i until the queue is full
    starts = [ISSUE + 3 + i * (FILL_D + 1) for i in range(14)]
    assert found.start[1:15] == starts
    last_pushed = starts[9] + 1
    assert found.start[15] == last_pushed + 2  # NEXT at issue
    assert last_pushed + 2 < fetch_done
    assert found.done[15] == fetch_done + 1
    assert found.start[16] == fetch_done + 1 + 2 + 1


def test_next_waits_no_longer_than_needed() -> None:
    found = report(*[fill(40) for _ in range(16)])
    assert found.start[15] == found.done[15] > found.done[0]


def test_end_waits_for_every_unit() -> None:
    found = report(load(), fill(300))
    assert found.total == found.done[1] + 2
    assert found.done[1] > found.done[0]


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        ((load(wait=VECTOR),), "command 1 END waits for ever for the units; stuck: command 0 LOAD"),
        (
            (load(wait=VECTOR), fill(wait=DMA, signal=DMA)),
            r"stuck: command 0 LOAD \(wait 100\), command 1 VECTOR \(wait 001\)",
        ),
        (
            tuple(load(wait=VECTOR) for _ in range(5)),
            "command 4 LOAD waits for ever for room in its queue",
        ),
        ((load(wait=DMA),), "command 0 LOAD: wait names its own unit"),
        ((fill(signal=VECTOR),), "command 0 VECTOR: signal names its own unit"),
    ],
)
def test_hanging_programs_are_defects(commands: tuple[Command, ...], message: str) -> None:
    with pytest.raises(ScheduleDefect, match=message):
        report(*commands)


def test_token_counters_must_not_pass_255() -> None:
    last = load(mark=1)
    last.comment = "/conv1"
    report(*[fill(signal=DMA) for _ in range(255)])
    with pytest.raises(ScheduleDefect, match=r"VECTOR: token counter VECTOR -> DMA passes 255"):
        report(*[fill(signal=DMA) for _ in range(256)])
    report(
        *[fill(signal=DMA) for _ in range(255)], load(wait=VECTOR), fill(signal=DMA, wait=0), last
    )


def test_structure_defects() -> None:
    with pytest.raises(ScheduleDefect, match="command 0 NEXT: its block has no FETCH"):
        estimate([Command(Opcode.NEXT)], SMALL)
    with pytest.raises(ScheduleDefect, match="no END"):
        estimate([fill()], SMALL)
