"""Figures of each layer: work, configuration, cycles, and where the cycles go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cimc.backend.image import Image, Region
from cimc.diagnostics import node_names
from cimc.dialects.cim import AddOp, ConvOp, InputOp, OutputOp, PoolOp, act_type, ints
from cimc.multipliers import get as get_multiplier
from cimc.targets import Geometry
from cimc.targets.isa import Command, Opcode


@dataclass(frozen=True)
class LayerReport:
    """One entry of ``layers[]``; fields are documented in docs/report.md."""

    node: str
    fused: list[str]
    op: str
    output_shape: list[int]
    macs: int
    multiplier: str | None
    rows: int | None
    reads: int | None
    weight_bits: int | None
    activation_bits: int | None
    tiles: int
    cycles: int
    utilisation: float
    ideal_cycles: int
    array_accesses: int
    array_cycles: int


def layer_reports(image: Image) -> list[LayerReport]:
    """One report for each region of `image`, in program order.

    The commands of a region are those behind the mark of the region before it, up to its own.
    """
    by_tag = {region.tag: region for region in image.regions}
    reports: list[LayerReport] = []
    for tag, commands in _runs(image.commands):
        if tag in by_tag:
            reports.append(_layer_report(by_tag[tag], commands, image.target.geometry))
    return reports


def _runs(commands: Sequence[Command]) -> Iterator[tuple[int, list[Command]]]:
    """The commands cut behind each marked one, with its tag."""
    run: list[Command] = []
    for command in commands:
        run.append(command)
        if command["mark"]:
            yield command["tag"], run
            run = []


def _layer_report(region: Region, commands: list[Command], geometry: Geometry) -> LayerReport:
    op = region.op
    assert isinstance(op, InputOp | OutputOp | ConvOp | PoolOp | AddOp)
    assert op.cycles is not None, "cim-estimate-cycles runs before the report"
    cycles = op.cycles.value.data
    macs, rows, reads = 0, None, None
    if isinstance(op, ConvOp):
        macs = conv_macs(op)
        multiplier = get_multiplier(op.multiplier.data)
        config = multiplier.array_config(op.stored_bits.value.data, op.broadcast_bits.value.data)
        rows, reads = config.rows, config.reads
    nodes = node_names(op.location) or [region.node]
    arrays = [c for c in commands if c.opcode == Opcode.ARRAY]
    pixels = [c["nx"] * c["ny"] for c in arrays]
    peak = geometry.products_per_cycle
    return LayerReport(
        node=nodes[0],
        fused=nodes[1:],
        op=op.name.removeprefix("cim.")
        if isinstance(op, InputOp | OutputOp)
        else op.source_op.data,
        output_shape=_chw(region),
        macs=macs,
        multiplier=op.multiplier.data if isinstance(op, ConvOp) else None,
        rows=rows,
        reads=reads,
        weight_bits=op.weight_bits.value.data if isinstance(op, ConvOp) else None,
        activation_bits=op.activation_bits.value.data if isinstance(op, ConvOp) else None,
        tiles=sum(c.opcode == Opcode.LOAD_WEIGHTS for c in commands),
        cycles=cycles,
        utilisation=round(macs / (cycles * peak), 4) if cycles > 0 else 0.0,
        ideal_cycles=-(-macs // peak),
        array_accesses=sum(
            n * c["steps"] * c["reads"] for n, c in zip(pixels, arrays, strict=True)
        ),
        array_cycles=sum(n * c["period"] for n, c in zip(pixels, arrays, strict=True)),
    )


def _chw(region: Region) -> list[int]:
    height, width, channels = region.type.hwc
    return [channels, height, width]


def conv_macs(op: ConvOp) -> int:
    """Multiply-accumulates of one image, padding counted as the ONNX operator counts it."""
    height, width, channels = act_type(op.y).hwc
    kernel_height, kernel_width = ints(op.kernel)
    per_output = kernel_height * kernel_width * act_type(op.x).hwc[2] // op.group.value.data
    return height * width * channels * per_output
