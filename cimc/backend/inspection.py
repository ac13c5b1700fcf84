"""What becomes of each ONNX node on a target, before any calibration data or proof.

Cycles and places do not depend on weights and ranges, so noise stands for calibration data.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from cimc.backend.compiler import Network, Options, compile_network
from cimc.backend.report import build_report
from cimc.diagnostics import CimcError, node_names
from cimc.frontend import NodeOutcome, noise, survey
from cimc.passes.context import CimContext
from cimc.passes.plan import Plan
from cimc.targets import Target


@dataclass(frozen=True)
class NodeReport:
    """One ONNX node; docs/cli.md explains the outcomes."""

    index: int
    node: str
    operator: str
    outcome: str
    reason: str
    into: str
    """The node whose layer does its work in passing."""
    parameters: int
    macs: int
    buffer_bytes: int
    """Of its result, one image."""
    in_dram: bool
    """The result does not fit the activation buffer."""
    cycles: int


@dataclass(frozen=True)
class Inspection:
    """All nodes, and the report of the network when it compiles."""

    nodes: list[NodeReport]
    report: dict[str, Any] | None
    problem: str
    """Why it does not compile though every node is supported; empty otherwise."""

    @property
    def compiles(self) -> bool:
        """Nothing stands against compiling the model."""
        return self.report is not None


def inspect(model: Path, target: Target, multiplier: str | None, plan: Plan | None) -> Inspection:
    """Look at ONNX file `model`.

    Raises:
        InvalidModel: it is not a usable ONNX model.
        UnsupportedModel: its inputs or outputs are of no supported kind.
    """
    outcomes, imported = survey(model)
    if imported is None:
        return Inspection([_without_layer(each) for each in outcomes], None, "")
    calibration = noise({info.name: info.shape for info in imported.inputs}, count=1)
    ctx = CimContext(target, imported.weights, calibration, plan)
    try:
        network = compile_network(imported, ctx, Options(multiplier))
    except CimcError as error:
        return Inspection([_without_layer(each) for each in outcomes], None, str(error))
    report = build_report(network)
    return Inspection(_with_layers(outcomes, network, report), report, "")


def _without_layer(node: NodeOutcome) -> NodeReport:
    """What is known of a node of a network that does not compile."""
    return NodeReport(
        node.index,
        node.name,
        node.operator,
        node.outcome,
        node.reason,
        into="",
        parameters=node.parameters,
        macs=0,
        buffer_bytes=0,
        in_dram=False,
        cycles=0,
    )


def _with_layers(
    outcomes: list[NodeOutcome], network: Network, report: dict[str, Any]
) -> list[NodeReport]:
    """Each node with the figures of the layer that it leads; the others name that layer."""
    layers = {each["node"]: each for each in report["layers"] if each["op"] not in _ENDS}
    leader = {name: each["node"] for each in layers.values() for name in each["fused"]}
    spilled = {
        name
        for program in network.programs
        for region in program.image.regions
        if region.space == "dram" and not region.op.name.startswith("cim.out")
        for name in node_names(region.op.location)
    }
    nodes: list[NodeReport] = []
    for each in outcomes:
        layer = layers.get(each.name)
        fused = each.outcome == "mapped" and layer is None
        nodes.append(
            NodeReport(
                each.index,
                each.name,
                each.operator,
                "folded" if fused else each.outcome,
                each.reason,
                into=leader.get(each.name, "") if fused else "",
                parameters=each.parameters,
                macs=layer["macs"] if layer else 0,
                buffer_bytes=prod(layer["output_shape"]) if layer else 0,
                in_dram=layer is not None and each.name in spilled,
                cycles=layer["cycles"] if layer else 0,
            )
        )
    return nodes


_ENDS = ("input", "output")
