"""What runs on the host, why, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from xdsl.ir import Operation, SSAValue

from cimc.backend.compiler import Compilation, HostPart, Network
from cimc.diagnostics import node_names
from cimc.dialects.nn import HostOp, shape_of
from cimc.interp.nn import main_function

FLOAT_BYTES = 4


@dataclass(frozen=True)
class HostReport:
    """One entry of ``host[]``; fields are documented in docs/report.md."""

    nodes: list[str]
    operators: list[str]
    reasons: list[str]
    after_layers: int
    input_bytes: int
    output_bytes: int


def host_reports(network: Network) -> list[HostReport]:
    """One report for each part of `network` that runs on the host, in order."""
    reports: list[HostReport] = []
    layers = 0
    for part in network.parts:
        if isinstance(part, Compilation):
            layers += len(part.image.regions)
        else:
            reports.append(_report(part, layers))
    return reports


def _report(part: HostPart, layers: int) -> HostReport:
    block = main_function(part.quantised).body.block
    last = block.last_op
    assert last is not None
    return HostReport(
        nodes=[name for op in part.operations for name in node_names(op.location)],
        operators=[_operators(op) for op in part.operations],
        reasons=sorted({_reason(op) for op in part.operations}),
        after_layers=layers,
        input_bytes=_bytes(block.args),
        output_bytes=_bytes(last.operands),
    )


def _operators(op: Operation) -> str:
    return op.nodes.data if isinstance(op, HostOp) else op.name.removeprefix("nn.").capitalize()


def _reason(op: Operation) -> str:
    return op.reason.data if isinstance(op, HostOp) else "needs real numbers"


def _bytes(values: Iterable[SSAValue[Any]]) -> int:
    """Bytes of tensors as floats, one image."""
    return sum(FLOAT_BYTES * math.prod(shape_of(value)) for value in values)
