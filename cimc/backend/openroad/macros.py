"""The memory macros of a target: which sized blocks its RTL instantiates, and their pins."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from cimc.targets.base import Target
from cimc.targets.isa import COMMAND_BYTES
from cimc.targets.packing import WeightPacking, psum_pixels

Role = Literal["clock", "control", "data"]
Direction = Literal["input", "output"]

READ_ENABLE = "re_i"
WRITE_ENABLE = "we_i"


@dataclass(frozen=True)
class Port:
    """A port of a memory module; `width` is None for a scalar, else the bits of a bus."""

    name: str
    direction: Direction
    width: int | None = None
    role: Role = "data"

    @property
    def pins(self) -> list[str]:
        """Pin names as LEF, Liberty and a netlist write them, bit 0 first."""
        if self.width is None:
            return [self.name]
        return [f"{self.name}[{bit}]" for bit in range(self.width)]


@dataclass(frozen=True)
class Macro:
    """One size of a memory module of rtl/, as a block to be placed.

    `parameters` are the values of the RTL module's parameters that this block stands for;
    `wordlines` is the most rows that one read turns on (1: an ordinary memory).
    """

    module: str
    rows: int
    columns: int
    parameters: tuple[tuple[str, int], ...]
    ports: tuple[Port, ...]
    wordlines: int = 1

    @property
    def name(self) -> str:
        """Cell name in LEF, Liberty and netlist: module and rows x columns."""
        return f"{self.module}_{self.rows}x{self.columns}"

    @property
    def bits(self) -> int:
        """Stored bits."""
        return self.rows * self.columns

    @property
    def clock(self) -> str:
        """Name of the clock pin."""
        return next(p.name for p in self.ports if p.role == "clock")

    def pins(self, direction: Direction) -> list[str]:
        """Pins of one direction, in port order."""
        return [pin for p in self.ports if p.direction == direction for pin in p.pins]


def bank_macro(rows: int, columns: int, window: int) -> Macro:
    """Block for cimc_bank: one write port, one read port that ORs rows of a window."""
    address = _address_bits(rows)
    ports = (
        *_write_ports(address, columns),
        *_read_ports(address, columns),
        Port("wordlines_i", "input", window),
    )
    parameters = (("Rows", rows), ("Columns", columns), ("Window", window))
    return Macro("cimc_bank", rows, columns, parameters, ports, wordlines=window)


def memory_macro(depth: int, width: int, *, strobe: bool = False) -> Macro:
    """Block for cimc_sram_1r1w, or cimc_sram_1r1w_strobe when `strobe`: 1 write, 1 read port."""
    address = _address_bits(depth)
    strobes = (Port("wstrb_i", "input", width // 8),) if strobe else ()
    ports = (*_write_ports(address, width), *strobes, *_read_ports(address, width))
    module = "cimc_sram_1r1w_strobe" if strobe else "cimc_sram_1r1w"
    return Macro(module, depth, width, (("Width", width), ("Depth", depth)), ports)


def _address_bits(rows: int) -> int:
    return max(1, (rows - 1).bit_length())


def _write_ports(address: int, width: int) -> tuple[Port, ...]:
    return (
        Port("clk_i", "input", role="clock"),
        Port(WRITE_ENABLE, "input", role="control"),
        Port("waddr_i", "input", address),
        Port("wdata_i", "input", width),
    )


def _read_ports(address: int, width: int) -> tuple[Port, ...]:
    return (
        Port(READ_ENABLE, "input", role="control"),
        Port("raddr_i", "input", address),
        Port("rdata_o", "output", width),
    )


def _bank(target: Target) -> Macro:
    """An array bank: an ordinary memory where a read is of one row."""
    g = target.geometry
    columns = g.lanes * (g.lane_columns + 1)
    if target.multipliers:
        return memory_macro(g.bank_rows, columns)
    return bank_macro(g.bank_rows, columns, g.wordline_window)


def macro_counts(target: Target) -> dict[Macro, int]:
    """Every macro of the machine and how often cimc_core holds it, sorted by name."""
    g = target.geometry
    beat_bits = 8 * g.beat_bytes
    parameter_parts = max(1, 64 * g.requant_lanes // beat_bits)
    step_words = g.beat_bytes // 4
    counts = Counter({_bank(target): g.banks})
    # Partial sums: an accumulator of every lane; two halves, for the two weights of a lane.
    counts[memory_macro(max(1, psum_pixels(g, WeightPacking.LANES)), 32 * g.lanes)] += (
        2 * g.clusters
    )
    # Activation buffer: even and odd words.
    counts[memory_macro(g.activation_bytes // g.beat_bytes // 2, beat_bits, strobe=True)] += 2
    # Instruction memory: two blocks, a command in parts of a beat.
    counts[memory_macro(2 * g.block_commands, beat_bits)] += 8 * COMMAND_BYTES // beat_bits
    # Requantisation parameters: two sets of 8 bytes an output, two outputs a lane; a group of
    # lanes in parts of a beat.
    parameter_rows = max(2, g.clusters * 16 // parameter_parts)
    counts[memory_macro(2 * parameter_rows, beat_bits)] += parameter_parts
    # Step table: a beat holds 32-bit entries of which the address bits are kept.
    offset_bits = _address_bits(g.activation_bytes)
    counts[memory_macro(g.step_entries // step_words, step_words * offset_bits)] += 1
    # Weights of depthwise convolutions.
    counts[memory_macro(g.vector_taps, beat_bits)] += 1
    return dict(sorted(counts.items(), key=lambda item: item[0].name))
