"""What import made of each ONNX node: mapped, folded, on the host, unsupported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cimc.frontend.host import operator_name
from cimc.frontend.node import Node, is_constant

Outcome = Literal["mapped", "folded", "host", "unsupported"]


@dataclass(frozen=True)
class NodeOutcome:
    """What import made of an ONNX node."""

    index: int
    name: str
    operator: str
    outcome: Outcome
    """``folded`` when nothing of it is left to compute: constants, views, what is not read."""
    reason: str = ""
    """Why it runs on the host, or cannot be compiled; with the attribute at fault."""
    parameters: int = 0
    """Constant numbers that it reads, weights and biases."""


SEVERITY: tuple[Outcome, ...] = ("folded", "mapped", "host", "unsupported")


@dataclass
class Outcomes:
    """The outcome of every node that import has come to."""

    by_index: dict[int, NodeOutcome] = field(default_factory=dict[int, NodeOutcome])

    def note(self, node: Node, outcome: Outcome, reason: str = "") -> None:
        """Keep what became of `node`; of the operators that one stands for, the worst counts."""
        before = self.by_index.get(node.index)
        if before and SEVERITY.index(before.outcome) > SEVERITY.index(outcome):
            outcome, reason = before.outcome, before.reason
        constants = [v for v in node.inputs if is_constant(v)]
        parameters = sum(v.size for v in constants if v.dtype.kind == "f")
        self.by_index[node.index] = NodeOutcome(
            node.index, node.name, operator_name(node.proto), outcome, reason, parameters
        )

    @property
    def unsupported(self) -> bool:
        """Some node cannot be compiled."""
        return any(each.outcome == "unsupported" for each in self.by_index.values())

    def in_order(self) -> list[NodeOutcome]:
        """All of them, as in the file."""
        return [self.by_index[index] for index in sorted(self.by_index)]
