"""Figures of each layer: work, configuration, cycles, and where the cycles go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from cimc.backend.image import Image, Region
from cimc.diagnostics import node_names
from cimc.dialects.cim import ConvOp, DepthwiseOp, InputOp, LayerOp, OutputOp, act_type, ints
from cimc.passes.bank_groups import array_config, group_of
from cimc.passes.depthwise import VECTOR_MULTIPLIER
from cimc.passes.predict_errors import LayerError
from cimc.targets import Target
from cimc.targets.isa import Command, Opcode
from cimc.targets.packing import LaneUse, WeightPacking, step_beats


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
    packing: str | None
    pixels_together: int | None
    wide: bool | None
    weight_bytes: int
    tiles: int
    cycles: int
    products_per_cycle: int
    utilisation: float
    ideal_cycles: int
    array_accesses: int
    array_cycles: int
    predicted_snr_db: float | None
    measured_snr_db: float | None


def layer_reports(image: Image, errors: Mapping[str, LayerError]) -> list[LayerReport]:
    """One report for each region of `image`, in program order; `errors` by ONNX node.

    The commands of a region are those behind the mark of the region before it, up to its own.
    """
    by_tag = {region.tag: region for region in image.regions}
    reports: list[LayerReport] = []
    for tag, commands in _runs(image.commands):
        if tag in by_tag:
            region = by_tag[tag]
            reports.append(_layer_report(region, commands, image.target, errors))
    return reports


def _runs(commands: Sequence[Command]) -> Iterator[tuple[int, list[Command]]]:
    """The commands cut behind each marked one, with its tag."""
    run: list[Command] = []
    for command in commands:
        run.append(command)
        if command["mark"]:
            yield command["tag"], run
            run = []


@dataclass(frozen=True)
class _Work:
    """What a layer multiplies, and how; nothing for a layer without weights."""

    macs: int = 0
    multiplier: str | None = None
    rows: int | None = None
    reads: int | None = None
    weight_bits: int | None = None
    activation_bits: int | None = None
    peak: int = 0
    """Products a cycle of the unit that does it."""
    use: LaneUse | None = None


def _work(op: InputOp | OutputOp | LayerOp, target: Target) -> _Work:
    match op:
        case ConvOp():
            name = op.multiplier.data
            config, group = array_config(op, target), group_of(op, target)
            assert op.tiling is not None
            rows, reads, use = config.rows, config.reads, op.tiling.use
            peak = group.geometry.products_per_cycle * (2 if use.dual else 1)
        case DepthwiseOp():
            name, rows, reads, peak = VECTOR_MULTIPLIER, None, 1, target.geometry.beat_bytes
            use = None
        case _:
            return _Work()
    bits = op.weight_bits.value.data, op.activation_bits.value.data
    return _Work(layer_macs(op), name, rows, reads, *bits, peak, use)


def _layer_report(
    region: Region,
    commands: list[Command],
    target: Target,
    errors: Mapping[str, LayerError],
) -> LayerReport:
    op = region.op
    assert isinstance(op, InputOp | OutputOp | LayerOp)
    assert op.cycles is not None, "cim-estimate-cycles runs before the report"
    cycles = op.cycles.value.data
    work = _work(op, target)
    macs = work.macs
    nodes = node_names(op.location) or [region.node]
    arrays = [c for c in commands if c.opcode == Opcode.ARRAY]
    pixels = [c["nx"] * c["ny"] for c in arrays]
    peak = work.peak
    return LayerReport(
        node=nodes[0],
        fused=nodes[1:],
        op=op.name.removeprefix("cim.")
        if isinstance(op, InputOp | OutputOp)
        else op.source_op.data,
        output_shape=_chw(region),
        macs=macs,
        multiplier=work.multiplier,
        rows=work.rows,
        reads=work.reads,
        weight_bits=work.weight_bits,
        activation_bits=work.activation_bits,
        packing=work.use and work.use.packing.name.lower(),
        pixels_together=work.use and work.use.pixels,
        wide=work.use and work.use.wide,
        weight_bytes=sum(_weight_bytes(c, target) for c in commands),
        tiles=sum(c.opcode in (Opcode.LOAD_WEIGHTS, Opcode.LOAD_TAPS) for c in commands),
        cycles=cycles,
        products_per_cycle=peak,
        utilisation=round(macs / (cycles * peak), 4) if peak and cycles > 0 else 0.0,
        ideal_cycles=-(-macs // peak) if peak else 0,
        array_accesses=sum(
            n * c["steps"] * c["reads"] for n, c in zip(pixels, arrays, strict=True)
        ),
        array_cycles=sum(n * c["period"] for n, c in zip(pixels, arrays, strict=True)),
        **asdict(errors.get(nodes[0], LayerError()) if macs else LayerError()),
    )


def _weight_bytes(command: Command, target: Target) -> int:
    """Bytes of weights that `command` moves, without step offsets and parameters."""
    geometry = target.groups[command["group"]].geometry
    match command.opcode:
        case Opcode.LOAD_WEIGHTS:
            beats = command["steps"] * step_beats(geometry, WeightPacking(command["packing"]))
        case Opcode.LOAD_TAPS:
            beats = command["taps"]
        case _:
            return 0
    return beats * geometry.beat_bytes


def _chw(region: Region) -> list[int]:
    height, width, channels = region.type.hwc
    return [channels, height, width]


def layer_macs(op: ConvOp | DepthwiseOp) -> int:
    """Multiply-accumulates of one image, padding counted as the ONNX operator counts it."""
    height, width, channels = act_type(op.y).hwc
    kernel_height, kernel_width = ints(op.kernel)
    inputs = 1 if isinstance(op, DepthwiseOp) else act_type(op.x).hwc[2] // op.group.value.data
    return height * width * channels * kernel_height * kernel_width * inputs
