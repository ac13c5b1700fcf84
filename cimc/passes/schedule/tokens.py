"""Tokens: make units wait for each other exactly where they share a resource."""

from __future__ import annotations

from collections.abc import Sequence

from cimc.passes.schedule.commands import Step
from cimc.targets.isa import Unit


def insert_tokens(steps: Sequence[Step]) -> None:
    """Set `wait` and `signal` so that steps sharing a resource run in program order.

    A unit executes in order, so for each other unit only the latest step that shares a resource
    matters, and only when no earlier wait already covers it. Both sides of an edge are visited in
    program order: the k-th token given is the k-th taken.
    """
    last_use: dict[str, dict[Unit, int]] = {}
    covered: dict[tuple[Unit, Unit], int] = {}
    for index, step in enumerate(steps):
        unit = step.command.unit
        assert unit is not None, "controller commands are not scheduled"
        for other in Unit:
            uses = (last_use.get(r, {}).get(other, -1) for r in step.resources)
            giver = max(uses, default=-1)
            if other is unit or giver <= covered.get((other, unit), -1):
                continue
            covered[other, unit] = giver
            _add(steps[giver], "signal", unit)
            _add(step, "wait", other)
        for resource in step.resources:
            last_use.setdefault(resource, {})[unit] = index


def _add(step: Step, name: str, unit: Unit) -> None:
    step.command.values[name] = step.command[name] | 1 << unit
