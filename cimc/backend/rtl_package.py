"""The SystemVerilog package `cimc_pkg` of a target: sizes, opcodes and command fields."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from cimc.diagnostics import CimcError
from cimc.targets import Target
from cimc.targets.base import MAGNITUDE_BITS, Geometry
from cimc.targets.isa import (
    COMMAND_BYTES,
    FIELDS,
    HEADER,
    UNIT_OF,
    Opcode,
    Unit,
    VectorOp,
    layout,
)
from cimc.targets.packing import WeightPacking, window_bytes

TEMPLATE = "cimc_pkg.sv.j2"


def rtl_package(target: Target) -> str:
    """Text of cimc_pkg.sv for `target`; the same input gives the same text.

    Raises:
        CimcError: the geometry is one that the command fields cannot express.
    """
    check_geometry(target)
    text = (files("cimc.backend") / "templates" / TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(text).render(
        version=tool_version(),
        target=target.name,
        sizes=sizes(target),
        group_tables=group_tables(target),
        opcodes=[(f"OP_{op.name}", int(op)) for op in Opcode],
        vector_ops=[(f"VOP_{op.name}", int(op)) for op in VectorOp],
        packings=[(f"PACKING_{p.name}", int(p)) for p in WeightPacking],
        fields=field_constants(),
    )


def tool_version() -> str:
    """Version of the installed cimc, ``unknown`` in a tree that is not installed."""
    try:
        return version("cimc")
    except PackageNotFoundError:
        return "unknown"


def check_geometry(target: Target) -> None:
    """Reject sizes that Geometry accepts and the RTL cannot build.

    Raises:
        CimcError: naming the field, its value and the limit.
    """
    geometry = target.geometry
    if not 4 <= geometry.lanes <= 32:
        raise CimcError(
            f"geometry: lanes={geometry.lanes} is not in 4..32: a beat holds whole step offsets "
            "(4 bytes) and command field VECTOR.tail counts up to 63 bytes"
        )
    if geometry.block_commands < 4:
        raise CimcError(f"geometry: block_commands={geometry.block_commands} is below 4")
    if geometry.outputs > 255:
        raise CimcError(
            f"geometry: {geometry.outputs} outputs exceed half of command field ARRAY.lanes (255)"
        )
    if target.multipliers and geometry.lane_columns < MAGNITUDE_BITS:
        raise CimcError(
            f"geometry: lane_columns={geometry.lane_columns} do not hold a weight's magnitude of "
            f"{MAGNITUDE_BITS} bits"
        )
    if product_bits(target) < geometry.reduction_banks.bit_length() + 1:
        raise CimcError(
            f"geometry: sums of {geometry.reduction_banks} products do not fit twice "
            f"the {product_bits(target)} bits of one"
        )


def product_bits(target: Target) -> int:
    """Bits of the magnitude of a lane's product."""
    return 2 * MAGNITUDE_BITS if target.multipliers else target.geometry.lane_columns


def operand_bits(target: Target) -> int:
    """Bits of what the product stage is told of an activation: its magnitude, or a shift."""
    return MAGNITUDE_BITS if target.multipliers else index_bits(MAGNITUDE_BITS)


def group_tables(target: Target) -> list[tuple[str, list[int], str]]:
    """Name, entries and note of each table of the bank groups."""
    groups = target.groups
    sizes = [group.geometry.clusters for group in groups]
    of_cluster = [number for number, size in enumerate(sizes) for _ in range(size)]
    return [
        ("ClusterGroups", of_cluster, "bank group of each cluster"),
        ("GroupFirsts", [group.first for group in groups], "first cluster of each bank group"),
        ("GroupShifts", [size.bit_length() - 1 for size in sizes], "log2 of its clusters"),
    ]


def index_bits(count: int) -> int:
    """Bits of an index below `count`; 1 at least, so that every vector has a bit."""
    return max(1, (count - 1).bit_length())


def sizes(target: Target) -> list[tuple[str, int, str]]:
    """Name, value and note of each size."""
    g = target.geometry
    return [
        ("ReductionBanks", g.reduction_banks, "Bc: banks whose products are added"),
        ("Clusters", g.clusters, "Bk: groups of banks with outputs of their own"),
        ("Groups", len(target.groups), "bank groups: clusters with multipliers of one kind"),
        ("Banks", g.banks, ""),
        ("BankBits", index_bits(g.banks), ""),
        ("BankRows", g.bank_rows, "physical rows"),
        ("BankRowBits", index_bits(g.bank_rows), ""),
        ("Lanes", g.lanes, "of one bank"),
        ("LaneColumns", g.lane_columns, "magnitude columns of a lane"),
        ("ProductBits", product_bits(target), "magnitude of a product"),
        ("DualLanes", int(not target.multipliers), "1: a lane can hold two weights"),
        ("OperandBits", operand_bits(target), "of an activation, beside the row that it reads"),
        ("RowColumns", g.lanes * (g.lane_columns + 1), "magnitudes, above them the signs"),
        ("WordlineWindow", g.wordline_window, "rows that one read can combine"),
        ("WindowBytes", window_bytes(g), "activation bytes that one access may read"),
        ("Outputs", g.outputs, "output channels computed at once"),
        ("BeatBytes", g.beat_bytes, ""),
        ("BeatBits", 8 * g.beat_bytes, ""),
        ("BeatIndexBits", index_bits(g.beat_bytes), "byte within a beat"),
        ("BeatAddressBits", 32 - index_bits(g.beat_bytes), "beat address in DRAM"),
        ("ActivationBytes", g.activation_bytes, ""),
        ("ActivationAddressBits", index_bits(g.activation_bytes), ""),
        ("PsumEntries", g.psum_entries, ""),
        ("PsumIndexBits", index_bits(g.psum_entries), ""),
        ("StepEntries", g.step_entries, ""),
        ("StepIndexBits", index_bits(g.step_entries), ""),
        ("VectorTaps", g.vector_taps, "weight beats of the vector unit"),
        ("VectorTapBits", index_bits(g.vector_taps), ""),
        ("RequantLanes", g.requant_lanes, "lanes that the post-processor does a cycle"),
        ("QueueDepth", g.queue_depth, ""),
        ("BlockCommands", g.block_commands, "commands of one half of the instruction memory"),
        ("BlockBeats", g.block_commands * COMMAND_BYTES // g.beat_bytes, ""),
        ("CommandIndexBits", index_bits(g.block_commands), ""),
        ("CommandBits", 8 * COMMAND_BYTES, ""),
        ("TableIndexBits", index_bits(table_beats(g)), "beat of the longest table that DMA fills"),
        ("MemoryLatency", target.timing.memory_latency, "cycles, request to data"),
    ]


def table_beats(g: Geometry) -> int:
    """Beats of the longest of: a block of commands, the look-up table, a parameter set (of two
    outputs a lane).
    """
    return max(g.block_commands * COMMAND_BYTES, 256, 16 * g.outputs) // g.beat_bytes


def field_constants() -> list[tuple[str, int, int]]:
    """(CMD_<OP>_<FIELD>, lowest bit, bits) of every field, and the whole command of each unit."""
    constants: list[tuple[str, int, int]] = []
    at = 0
    for f in HEADER:
        constants.append((f"CMD_{f.name.upper()}", at, f.bits))
        at += f.bits
    for opcode in FIELDS:
        for f, lsb in layout(opcode)[len(HEADER) :]:
            constants.append((f"CMD_{opcode.name}_{f.name.upper()}", lsb, f.bits))
    for unit in Unit:
        ops = [op for op in FIELDS if UNIT_OF.get(op) is unit]
        constants.append((f"CMD_{unit.name}_ANY", 0, max(command_bits(op) for op in ops)))
    return constants


def command_bits(opcode: Opcode) -> int:
    """Bits that the fields of `opcode` take, header included."""
    f, lsb = layout(opcode)[-1]
    return lsb + f.bits
