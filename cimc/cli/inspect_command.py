"""`cimc inspect MODEL`: what becomes of each node, before any work."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from cimc import targets
from cimc.backend.inspection import Inspection, NodeReport, inspect
from cimc.backend.terminal_table import text_table
from cimc.diagnostics import CimcError
from cimc.passes.plan import Plan


def run(argv: Sequence[str]) -> int:
    """Print the table; 1 when the model does not compile."""
    parser = argparse.ArgumentParser(
        prog="cimc inspect",
        description="Show what becomes of each ONNX node, with work, buffers and expected cycles.",
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="ONNX file")
    parser.add_argument("--target", default="daism", metavar="NAME", help="machine (daism)")
    parser.add_argument("--multiplier", metavar="NAME", help="for all layers (the target's own)")
    parser.add_argument("--plan", type=Path, metavar="FILE", help="an edited plan.json")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.add_argument("--debug", action="store_true", help="tracebacks for errors")
    args = parser.parse_args(argv)
    plan = None if args.plan is None else Plan.read(args.plan)
    found = inspect(args.model, targets.get(args.target), args.multiplier, plan)
    print(as_json(found) if args.json else as_text(found))
    return 0 if found.compiles else CimcError.exit_code


def as_json(found: Inspection) -> str:
    """Nodes, totals and the problem."""
    nodes = [asdict(node) for node in found.nodes]
    return json.dumps({"nodes": nodes, "compiles": found.compiles, "problem": found.problem})


def as_text(found: Inspection) -> str:
    """A line a node, then totals."""
    header = ("#", "node", "operator", "becomes", "parameters", "MACs", "buffer bytes", "cycles")
    lines = [text_table(header, [_row(node) for node in found.nodes], left=4), ""]
    counts = {
        kind: sum(node.outcome == kind for node in found.nodes)
        for kind in ("mapped", "folded", "host", "unsupported")
    }
    lines.append("nodes       " + ", ".join(f"{n} {kind}" for kind, n in counts.items() if n))
    for node in found.nodes:
        if node.reason:
            lines.append(f"{node.outcome:11} #{node.index} '{node.node}': {node.reason}")
    if found.report:
        report = found.report
        parameters = sum(node.parameters for node in found.nodes)
        lines += [
            f"parameters  {parameters:,}",
            f"MACs        {report['macs']:,}",
            f"cycles      {report['cycles']['estimated']:,} "
            f"({report['cycles']['ideal']:,} at peak; time of the host not included)",
            f"DRAM        {report['memory']['dram_bytes']:,} bytes",
        ]
    else:
        lines.append(f"cannot be compiled{': ' if found.problem else ''}{found.problem}")
    return "\n".join(lines)


def _row(node: NodeReport) -> list[str]:
    becomes = f"part of {node.into}" if node.into else node.outcome
    buffer = f"{node.buffer_bytes:,}{' in DRAM' if node.in_dram else ''}"
    return [
        str(node.index),
        node.node,
        node.operator,
        becomes,
        f"{node.parameters:,}" if node.parameters else "",
        f"{node.macs:,}" if node.macs else "",
        buffer if node.buffer_bytes else "",
        f"{node.cycles:,}" if node.cycles else "",
    ]
