"""Exact cycles of a program: the Timing section of docs/machine.md, evaluated.

Every push, start and done cycle is a maximum over earlier ones, so no cycle is stepped through.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from cimc.targets import Target
from cimc.targets.isa import (
    COMMAND_BYTES,
    PARAMETER_BYTES,
    UNIT_OF,
    Command,
    Opcode,
    Unit,
    VectorOp,
)
from cimc.targets.packing import WeightPacking, parameter_lanes, step_beats

_TOKEN_LIMIT = 255
_WINDOW_OPS = (VectorOp.MAX, VectorOp.SUM, VectorOp.DEPTHWISE)
_PAIR_OPS = (VectorOp.ADD, VectorOp.MUL)


class ScheduleDefect(RuntimeError):
    """The program would hang the machine or overflow a token counter: a defect of the compiler."""


@dataclass(frozen=True)
class CycleReport:
    """When everything happens; cycle 0 is the cycle in which start_i is high."""

    total: int
    """The value of cycles_o when done_o rises."""
    retires: list[tuple[Unit, int, int]]
    """(unit, tag, done cycle) of every marked command, by cycle, then unit."""
    busy: dict[Unit, int]
    """Cycles from start to done, both included, of all commands of a unit and the boot FETCH."""
    start: list[int]
    """By command up to END: cycle in which its unit starts it (NEXT, END: of their issue)."""
    done: list[int]
    """By command up to END: its done cycle (NEXT, END: in which it completes)."""


def duration(command: Command, target: Target) -> int:
    """D: cycles from the start of a unit's `command` to its done.

    Raises:
        ValueError: END and NEXT belong to the controller.
    """
    g, t = target.geometry, target.timing
    beat = g.beat_bytes
    match command.opcode:
        case Opcode.FETCH:
            return g.block_commands * COMMAND_BYTES // beat + t.memory_latency + 1
        case Opcode.LOAD:
            return _beats(command, beat) + t.memory_latency + 1
        case Opcode.STORE:
            return _beats(command, beat) + 2
        case Opcode.LOAD_LUT:
            return -(-256 // beat) + t.memory_latency + 1
        case Opcode.LOAD_TAPS:
            return command["taps"] + PARAMETER_BYTES + t.memory_latency + 1
        case Opcode.LOAD_WEIGHTS:
            packing = WeightPacking(command["packing"])
            group = target.groups[command["group"]].geometry
            head = -(-4 * command["steps"] // beat)
            if command["has_params"]:
                head += -(-PARAMETER_BYTES * parameter_lanes(group, packing) // beat)
            gaps = (command["steps"] * step_beats(group, packing) - 1) * command["pace"]
            return head + 1 + gaps + t.memory_latency + command["rows"] + 1
        case Opcode.ARRAY:
            pixels = (command["nx"] * command["ny"] - 1) * command["period"]
            cycles = pixels + command["steps"] * command["reads"] + t.array_latency + 1
            if command["psum_out"]:
                return cycles
            return cycles + -(-command["lanes"] // g.requant_lanes) + t.requant_latency
        case Opcode.VECTOR:
            return vector_slots(command) + t.vector_latency + 1
        case Opcode.END | Opcode.NEXT:
            raise ValueError(f"{command.opcode.name} has no unit")


def vector_slots(command: Command) -> int:
    """R: reads of all results of a VECTOR command; FILL: its results."""
    results = command["n0"] * command["n1"] * command["n2"]
    op = VectorOp(command["op"])
    if op in _WINDOW_OPS:
        return results * command["wx"] * command["wy"]
    return 2 * results if op in _PAIR_OPS else results


def estimate(commands: Sequence[Command], target: Target) -> CycleReport:
    """Schedule `commands`, the program in execution order with FETCH, NEXT and END.

    What follows END is ignored.

    Raises:
        ScheduleDefect: the program has no END, a block has no FETCH before its NEXT, the units
            wait for each other for ever, or a token counter passes 255; it names the command.
    """
    return _Controller(target).run(commands)


def _beats(command: Command, beat: int) -> int:
    return -(-(command["dram"] % beat + command["bytes"]) // beat)


@dataclass
class _Queue:
    """One unit: commands that wait for tokens, and the cycles of those that have started."""

    pending: deque[tuple[int, Command, int]] = field(
        default_factory=deque[tuple[int, Command, int]]
    )
    starts: list[int] = field(default_factory=list[int])
    pushed: int = 0
    done: int = 0


class _Controller:
    """Issues commands in order and advances the units as far as tokens allow."""

    def __init__(self, target: Target):
        self._target = target
        self._queues = {unit: _Queue() for unit in Unit}
        self._given = {(a, b): list[int]() for a in Unit for b in Unit if a is not b}
        self._taken = {pair: list[int]() for pair in self._given}
        self._start: dict[int, int] = {}
        self._done: dict[int, int] = {}
        self._busy = dict.fromkeys(Unit, 0)
        self._commands: Sequence[Command] = ()

    def run(self, commands: Sequence[Command]) -> CycleReport:
        self._commands = commands
        boot = -1
        self._push(boot, Command(Opcode.FETCH), 1)
        self._advance()
        issue = self._done[boot] + 3
        fetch: int | None = None
        for index, command in enumerate(commands):
            if command.opcode is Opcode.END:
                return self._end(index, issue)
            if command.opcode is Opcode.NEXT:
                complete = max(issue, self._done_of_fetch(fetch, index) + 1)
                self._start[index], self._done[index] = issue, complete
                fetch = None
            else:
                complete = self._push(index, command, issue)
                fetch = index if command.opcode is Opcode.FETCH else fetch
                self._advance()
            issue = complete + 2
        raise ScheduleDefect("the program has no END")

    def _push(self, index: int, command: Command, issue: int) -> int:
        queue = self._queues[UNIT_OF[command.opcode]]
        blocking = queue.pushed - self._target.geometry.queue_depth
        if blocking >= len(queue.starts):
            raise self._hang(index, "waits for ever for room in its queue")
        pushed = max(issue, queue.starts[blocking] + 1) if blocking >= 0 else issue
        queue.pushed += 1
        queue.pending.append((index, command, pushed))
        return pushed

    def _advance(self) -> None:
        """Start every head whose tokens are already known to come."""
        moved = True
        while moved:
            moved = False
            for unit, queue in self._queues.items():
                while queue.pending and self._try_start(unit, queue):
                    moved = True

    def _try_start(self, unit: Unit, queue: _Queue) -> bool:
        index, command, pushed = queue.pending[0]
        start = max(pushed, queue.done) + 1
        givers = self._units(index, command, "wait", unit)
        for giver in givers:
            given, taken = self._given[giver, unit], self._taken[giver, unit]
            if len(taken) >= len(given):
                return False
            start = max(start, given[len(taken)] + 1)
        queue.pending.popleft()
        for giver in givers:
            self._taken[giver, unit].append(start)
        length = duration(command, self._target)
        done = start + length
        for taker in self._units(index, command, "signal", unit):
            self._given[unit, taker].append(done)
        queue.starts.append(start)
        queue.done = done
        self._start[index], self._done[index] = start, done
        self._busy[unit] += length + 1
        return True

    def _units(self, index: int, command: Command, name: str, own: Unit) -> list[Unit]:
        units = [u for u in Unit if command[name] >> u & 1]
        if own in units:
            raise ScheduleDefect(f"{self._name(index)}: {name} names its own unit")
        return units

    def _done_of_fetch(self, fetch: int | None, index: int) -> int:
        if fetch is None:
            raise ScheduleDefect(f"{self._name(index)}: its block has no FETCH")
        if fetch not in self._done:
            raise self._hang(index, "waits for ever for the FETCH of its block")
        return self._done[fetch]

    def _end(self, index: int, issue: int) -> CycleReport:
        if any(queue.pending for queue in self._queues.values()):
            raise self._hang(index, "waits for ever for the units")
        self._check_counters()
        last = max(queue.done for queue in self._queues.values())
        complete = max(issue, last + 1)
        self._start[index], self._done[index] = issue, complete
        marked = [i for i in range(index) if self._commands[i]["mark"]]
        retires = [
            (UNIT_OF[c.opcode], c["tag"], self._done[i])
            for i in marked
            if (c := self._commands[i]).opcode in UNIT_OF
        ]
        return CycleReport(
            total=complete + 1,
            retires=sorted(retires, key=lambda r: (r[2], r[0])),
            busy=self._busy,
            start=[self._start[i] for i in range(index + 1)],
            done=[self._done[i] for i in range(index + 1)],
        )

    def _check_counters(self) -> None:
        for (unit, taker), given in self._given.items():
            taken = self._taken[unit, taker]
            for count, cycle in enumerate(given, 1):
                if count - bisect_right(taken, cycle) > _TOKEN_LIMIT:
                    pair = f"{unit.name} -> {taker.name}"
                    index = self._command_done_in(cycle, unit)
                    raise ScheduleDefect(
                        f"{self._name(index)}: token counter {pair} passes {_TOKEN_LIMIT}"
                    )

    def _command_done_in(self, cycle: int, unit: Unit) -> int:
        ends = ((i, c) for i, c in self._done.items() if i >= 0 and c == cycle)
        return next(i for i, _ in ends if self._commands[i].unit is unit)

    def _hang(self, index: int, what: str) -> ScheduleDefect:
        heads = [
            f"{self._name(queue.pending[0][0])} (wait {queue.pending[0][1]['wait']:03b})"
            for queue in self._queues.values()
            if queue.pending
        ]
        return ScheduleDefect(f"{self._name(index)} {what}; stuck: {', '.join(heads)}")

    def _name(self, index: int) -> str:
        if index < 0:
            return "boot FETCH"
        command = self._commands[index]
        return f"command {index} {command.opcode.name} {command.comment}".rstrip()
