"""Proof that the levels agree, and the three errors kept apart.

quantisation    exact integer network against a float reference that is not ours
approximation   the network with its multipliers, repaired or not, against the one with exact ones
implementation  bytes in which interpreters (nn, cim), emulator and RTL differ: must be 0
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Operation

from cimc.backend.compiler import Compilation, HostPart, Network
from cimc.backend.image import Codes, Image, Region
from cimc.backend.report import SignalToNoise
from cimc.cost.cycles import CycleReport
from cimc.diagnostics import InvalidInput, VerifyFailed, loc_text
from cimc.dialects import cim
from cimc.dialects.nn import FlattenOp, UnflattenOp, quant_of
from cimc.interp import cim as cim_level
from cimc.interp import nn as nn_level
from cimc.passes.repair_streams import exact_twin
from cimc.sim.compare import Comparison
from cimc.sim.cosim.tools import SimulatorName
from cimc.sim.emulate import Bytes, EmulatedRun, pack_inputs, region_codes, run_batch
from cimc.sim.reference import float_reference
from cimc.sim.rtl_runner import Region as RtlRegion
from cimc.sim.rtl_runner import RtlRun, RtlStopped, simulate
from cimc.sim.standalone import CosimCase

Level = Literal["none", "emulate", "rtl"]
Inputs = Mapping[str, NDArray[Any]]
Tensors = dict[Operation, Codes]
"""Codes [N, H, W, C] by the op that makes them."""
NodeTensors = dict[str, list[Codes]]
"""Codes [N, H, W, C] by the ONNX nodes that make them, in their order."""
Say = Callable[[str], None]

CYCLE_MARGIN = 1000
"""The RTL is stopped this many cycles behind the estimate: it hangs."""


@dataclass(frozen=True)
class Verification:
    """What was measured; `errors` and `verification` are entries of the report."""

    errors: dict[str, Any]
    verification: dict[str, Any]
    rtl_cycles: int | None
    cosim: list[CosimCase]
    """The first image of each program, for the output directory's own test."""


def verify(
    network: Network, inputs: Inputs, level: Level, simulator: SimulatorName, say: Say
) -> Verification:
    """Check all levels on float `inputs` [N, ...] by name and measure the errors.

    Raises:
        VerifyFailed: two levels differ in a byte, or estimate and RTL in a cycle.
        ToolMissing: the simulator is not installed.
        InvalidInput: the inputs do not fit the model.
    """
    images = len(next(iter(inputs.values())))
    comparison = Comparison()
    say("verify: interpreters")
    reference_tensors, approximate = nn_codes(network, inputs)
    values, rtl_cycles = dict(inputs), 0
    cases: list[CosimCase] = []
    for part in network.parts:
        if isinstance(part, HostPart):
            values |= part.run(values)
            continue
        packed = pack_inputs(part.image, part_inputs(part, values))
        emulated = check_program(part, values, reference_tensors, comparison, say)
        if level == "rtl":
            rtl_cycles += check_rtl(part, packed, emulated, simulator, comparison, say)
            comparison.check()
        cases.append(CosimCase.first(packed, emulated))
        values |= {p.name: p.values(emulated.outputs[p.name]) for p in part.image.outputs}
    say("verify: float reference")
    exact = nn_level.run(exact_twin(network.unrepaired), network.ctx.weights, inputs)
    reference = float_reference(network.model.path)
    truth = reference(inputs, network.model.batch)
    names = sorted(exact.outputs)
    outputs = [[run[name] for name in names] for run in (truth, exact.outputs, approximate)]
    errors = {
        "quantisation": asdict(SignalToNoise.of(outputs[0], outputs[1])),
        "approximation": asdict(SignalToNoise.of(outputs[1], outputs[2])),
        "implementation": {
            "differing_bytes": comparison.differing_bytes,
            "compared_bytes": comparison.compared_bytes,
        },
    }
    verification = {
        "level": level,
        "images": images,
        "simulator": simulator if level == "rtl" else None,
        "reference": reference.name,
    }
    return Verification(errors, verification, rtl_cycles if level == "rtl" else None, cases)


def part_inputs(part: Compilation, values: Inputs) -> dict[str, NDArray[Any]]:
    """Those of `values` that `part` reads.

    Raises:
        InvalidInput: one is missing.
    """
    names = [port.name for port in part.image.inputs]
    missing = [name for name in names if name not in values]
    if missing:
        raise InvalidInput(f"the model's inputs are {names}, given were {sorted(values)}")
    return {name: values[name] for name in names}


def check_program(
    part: Compilation,
    values: Inputs,
    reference: NodeTensors,
    comparison: Comparison,
    say: Say,
) -> EmulatedRun:
    """Compare interpreters and emulator on one program; `values` are floats by name."""
    tensors = cim_codes(part, values)
    check_interpreters(part, reference, tensors, comparison)
    say("verify: emulator")
    emulated = check_emulator(part.image, part_inputs(part, values), tensors, comparison)
    comparison.check()
    return emulated


def cim_codes(part: Compilation, inputs: Inputs) -> Tensors:
    """Every tensor by the `cim` interpreter."""
    image = part.image
    codes = {port.name: port.codes(inputs[port.name]) for port in image.inputs}
    return cim_level.run(part.scheduled, part.ctx.weights, codes).tensors


def nn_codes(network: Network, inputs: Inputs) -> tuple[NodeTensors, dict[str, NDArray[Any]]]:
    """By ONNX node the quantised tensors that the `nn` interpreter makes; its float outputs."""
    run = nn_level.run(network.quantised, network.ctx.weights, inputs, intermediates=True)
    by_node: NodeTensors = {}
    for op, value in run.tensors.items():
        if quant_of(op.results[0]) is not None and not isinstance(op, FlattenOp | UnflattenOp):
            by_node.setdefault(loc_text(op.location), []).append(_channels_last(value))
    return by_node, run.outputs


def check_interpreters(
    part: Compilation, reference: NodeTensors, tensors: Tensors, comparison: Comparison
) -> None:
    """Compare `reference`, of the `nn` interpreter, with `tensors`; what is met is taken out.

    Tensors are matched by the ONNX nodes that made them, several of one node in their order;
    those without a partner are skipped.
    """
    for region in part.image.regions:
        found = reference.get(loc_text(region.op.location))
        if region.op in tensors and found and not isinstance(region.op, cim.FlattenOp):
            got = tensors[region.op]
            levels = ("the nn interpreter", "the cim interpreter")
            comparison.tensor(region, levels, found.pop(0).reshape(got.shape), got)


def _channels_last(value: NDArray[Any]) -> Codes:
    """[N, C, H, W] or [N, C] as [N, H, W, C]."""
    four = value.reshape(*value.shape, *(1,) * (4 - value.ndim))
    return four.transpose(0, 2, 3, 1).astype(np.int64)


def check_emulator(
    image: Image, inputs: Inputs, tensors: Tensors, comparison: Comparison
) -> EmulatedRun:
    """Compare every tensor of the emulated program with those of the `cim` interpreter."""
    emulated = run_batch(image, pack_inputs(image, inputs), regions=True)
    levels = ("the cim interpreter", "the emulator")
    for region in image.regions:
        expected = tensors.get(region.op)
        if expected is None:  # an output: what is stored is its operand
            expected = tensors[producer(region.op)]
        if region.tag not in emulated.regions:
            raise VerifyFailed(f"{region.node}: the program never completes tag {region.tag}")
        got = region_codes(region, emulated.regions[region.tag])
        comparison.tensor(region, levels, expected, got)
    return emulated


def producer(op: Operation) -> Operation:
    """The op that made the first operand of `op`."""
    owner = op.operands[0].owner
    assert isinstance(owner, Operation)
    return owner


def check_rtl(
    part: Compilation,
    packed: Mapping[str, Bytes],
    emulated: EmulatedRun,
    simulator: SimulatorName,
    comparison: Comparison,
    say: Say,
) -> int:
    """Co-simulate each image; compare every tensor and every cycle. Returns the cycles."""
    image, estimate = part.image, part.cycles
    count = len(next(iter(packed.values())))
    for i in range(count):
        say(f"verify: RTL ({simulator}), image {i + 1} of {count}, {estimate.total:,} cycles")
        memory = image.with_inputs({name: data[i : i + 1] for name, data in packed.items()})
        run = run_rtl(image, memory, estimate, simulator)
        for region in image.regions:
            compare_rtl(region, emulated.regions[region.tag][i : i + 1], run, comparison)
        comparison.check()  # before the cycles: a wrong byte says more than a late one
        check_cycles(image, estimate, run)
    return estimate.total


def run_rtl(image: Image, memory: bytes, estimate: CycleReport, simulator: SimulatorName) -> RtlRun:
    """Run `memory`, an `image` with inputs, on the RTL.

    Raises:
        VerifyFailed: it does not end; the message names the first node that is not complete.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="cimc-") as work:
            return simulate(
                image.target,
                memory,
                rtl_regions(image),
                simulator=simulator,
                max_cycles=estimate.total + CYCLE_MARGIN,
                work_dir=Path(work),
            )
    except RtlStopped as stopped:
        got = [(retire.tag, retire.cycle) for retire in stopped.retires]
        due = [(tag, cycle) for _, tag, cycle in estimate.retires]
        late = next((i for i, one in enumerate(due) if got[i : i + 1] != [one]), None)
        where = "the end" if late is None else node_of(image, due[late][0])
        raise VerifyFailed(f"{where} is not reached as estimated: {stopped}") from stopped


def node_of(image: Image, tag: int) -> str:
    """ONNX node whose tensor is complete when a command retires with `tag`."""
    return next((region.node for region in image.regions if region.tag == tag), f"tag {tag}")


def rtl_regions(image: Image) -> list[RtlRegion]:
    """What the test bench dumps: every tensor when it is complete."""
    return [RtlRegion(r.tag, r.space, r.address, r.size) for r in image.regions]


def compare_rtl(
    region: Region, expected: NDArray[np.uint8], run: RtlRun, comparison: Comparison
) -> None:
    """Compare one dumped tensor with the emulator's bytes [1, size], without the halo."""
    if region.tag not in run.dumps:
        raise VerifyFailed(f"{region.node}: the RTL never completes tag {region.tag}")
    raw = np.frombuffer(run.dumps[region.tag], np.uint8)[None]
    levels = ("the emulator", "the RTL")
    comparison.tensor(region, levels, region_codes(region, expected), region_codes(region, raw))


def check_cycles(image: Image, estimate: CycleReport, run: RtlRun) -> None:
    """Every retire must be in its estimated cycle.

    Raises:
        VerifyFailed: naming the first layer whose cycle differs.
    """
    measured = [(retire.unit, retire.tag, retire.cycle) for retire in run.retires]
    for (_, tag, cycle), (_, got_tag, got) in zip(estimate.retires, measured, strict=False):
        if (tag, cycle) != (got_tag, got):
            raise VerifyFailed(
                f"{node_of(image, tag)}: estimated to be complete in cycle {cycle}, "
                f"the RTL completes {node_of(image, got_tag)} in cycle {got}"
            )
    if len(measured) != len(estimate.retires) or run.cycles != estimate.total:
        raise VerifyFailed(
            f"the RTL took {run.cycles} cycles and {len(measured)} retires, "
            f"estimated were {estimate.total} and {len(estimate.retires)}"
        )
