"""ARRAY: dot products of windows of the activation buffer with the stored rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cimc.kernels import (
    Alphabet,
    Finish,
    Operand,
    TableProduct,
    Windows,
    approx_matmul,
    in_parts,
    scatter,
    table_product,
)
from cimc.sim.emulator_memory import ActivationBuffer, Bytes, require
from cimc.sim.emulator_replay import Replay
from cimc.sim.emulator_rows import Banks, DecodeConfig, Pattern, product_table
from cimc.targets import Geometry
from cimc.targets.isa import Command


@dataclass(frozen=True)
class Parameters:
    """One parameter set: bias (int32), M (24 bits) and S of every lane, each [outputs]."""

    bias: NDArray[np.int64]
    multiplier: NDArray[np.int64]
    shift: NDArray[np.int64]

    @staticmethod
    def decode(data: Bytes) -> Parameters:
        """Split the 8-byte words of a tile [outputs * 8]."""
        word = data.view("<u8")
        return Parameters(
            (word & np.uint64(0xFFFFFFFF)).astype(np.uint32).astype(np.int32).astype(np.int64),
            (word >> np.uint64(32) & np.uint64(0xFFFFFF)).astype(np.int64),
            (word >> np.uint64(56) & np.uint64(0x3F)).astype(np.int64),
        )


@dataclass
class ArrayState:
    """What ARRAY reads and writes."""

    geometry: Geometry
    buffer: ActivationBuffer
    banks: Banks
    steps: NDArray[np.int64]
    """Step table [step_entries], byte offsets."""
    parameters: list[Parameters]
    psums: NDArray[np.int32]
    """[batch, psum_entries, outputs]"""
    replay: Replay[Product]


def decode_config(command: Command) -> DecodeConfig:
    """The wordline decode that `command` asks for.

    Raises:
        MachineFault: more than 8 reads, or none.
    """
    reads = command["reads"]
    require(1 <= reads <= 8, f"reads={reads} is not in 1..8")
    masks = tuple(command["masks"] >> 8 * r & 0xFF for r in range(reads))
    return DecodeConfig(
        command["bits"],
        command["pc_bits"],
        command["first_row"],
        bool(command["left_justify"]),
        masks,
    )


def run_array(state: ArrayState, command: Command) -> None:
    """Execute `command` for every item of the batch.

    Raises:
        MachineFault: a field is outside what docs/machine.md defines.
    """
    lanes = slice(state.geometry.outputs if command["psum_out"] else command["lanes"])

    def find() -> Product:
        _check(state.geometry, command)
        return _product(state, command, lanes)

    product = state.replay.product(command, find)
    windows = _windows(state, command)
    finish = _finish(state, command, len(windows.pixels), lanes)
    product.run(windows, finish)
    if finish.codes is not None:
        pixels = command["dst"] + _grid(command, "dst_y", "dst_x")
        results = finish.codes.reshape(len(state.psums), len(pixels), -1)
        scatter(state.buffer.data, pixels, results)


def _check(geometry: Geometry, command: Command) -> None:
    nx, ny, steps, lanes = (command[n] for n in ("nx", "ny", "steps", "lanes"))
    require(min(nx, ny, steps) >= 1, f"nx={nx}, ny={ny}, steps={steps} must be positive")
    last = command["step_base"] + steps
    require(last <= geometry.step_entries, f"steps pass the {geometry.step_entries} entries")
    rows = decode_config(command).rows
    require(command["rows"] == rows, f"rows={command['rows']}, the row-group has {rows}")
    least = steps * command["reads"]
    if command["psum_in"] or command["psum_out"]:
        end = command["psum"] + nx * ny
        require(end <= geometry.psum_entries, f"partial sums up to {end} pass the memory")
    if not command["psum_out"]:
        require(1 <= lanes <= geometry.outputs, f"lanes={lanes} is not in 1..{geometry.outputs}")
        require(command["low"] <= command["high"], "low is above high")
        least = max(least, -(-lanes // geometry.requant_lanes))
    require(command["period"] >= least, f"period={command['period']} is below {least}")


def _windows(state: ArrayState, command: Command) -> Windows:
    """The activation bytes of every pixel."""
    steps = state.steps[command["step_base"] : command["step_base"] + command["steps"]]
    pixels = command["src"] + _grid(command, "src_y", "src_x")
    return Windows(state.buffer.data, pixels, steps.copy(), state.geometry.reduction_banks)


def _grid(command: Command, stride_y: str, stride_x: str) -> NDArray[np.int64]:
    y, x = np.arange(command["ny"]), np.arange(command["nx"])
    return (y[:, None] * command[stride_y] + x * command[stride_x]).reshape(-1)


def _finish(state: ArrayState, command: Command, pixels: int, lanes: slice) -> Finish:
    """Where the sums of `lanes` go: partial sums, or codes of their own."""
    p = state.parameters[command["param_set"]]
    used = command["psum_in"] or command["psum_out"]
    entries = slice(command["psum"], command["psum"] + pixels)
    codes = (len(state.psums) * pixels, command["lanes"])
    return Finish(
        state.psums[:, entries, lanes] if used else None,
        bool(command["psum_in"]),
        None if command["psum_out"] else np.empty(codes, np.uint8),
        p.bias[lanes],
        p.multiplier[lanes],
        p.shift[lanes],
        command["y_zero"],
        command["low"],
        command["high"],
    )


def _alphabet(command: Command) -> Alphabet:
    """Magnitude and sign of each of the 256 byte patterns of an activation."""
    byte = np.arange(256, dtype=np.uint8)
    value = byte.view(np.int8) if command["a_signed"] else byte
    difference = value.astype(np.int64) - command["a_zero"]
    used = (1 << command["bits"]) - 1
    return Alphabet((np.abs(difference) & used).astype(np.uint8), difference < 0)


@dataclass(frozen=True)
class _TableProduct:
    """Windows that are whole row-groups: one product table for all of them."""

    alphabet: Alphabet
    weights: Operand
    multiply: TableProduct

    def run(self, windows: Windows, finish: Finish) -> None:
        """Finish the accumulators of `windows`."""
        self.multiply.layer(windows, self.alphabet, self.weights, finish)


@dataclass(frozen=True)
class _WideProduct:
    """The same for weights that span more values than a byte has."""

    alphabet: Alphabet
    magnitude: NDArray[np.uint8]
    negative: NDArray[np.bool_]
    table: NDArray[np.uint32]

    def run(self, windows: Windows, finish: Finish) -> None:
        """Finish the accumulators of `windows`."""
        for some, end in in_parts(windows, finish):
            x = Operand(some.gather(), self.alphabet)
            weights = self.magnitude, self.negative
            end.apply(approx_matmul(x.magnitudes, x.signs, *weights, self.table))


@dataclass(frozen=True)
class _RowProduct:
    """Windows over anything: the products of every reduction position from its rows."""

    alphabet: Alphabet
    products: NDArray[np.int32]
    """[steps * reduction_banks, 2^bits, outputs]"""

    def run(self, windows: Windows, finish: Finish) -> None:
        """Finish the accumulators of `windows`."""
        for some, end in in_parts(windows, finish):
            end.apply(self._sums(some.gather()))

    def _sums(self, codes: Bytes) -> NDArray[np.int32]:
        acc = np.zeros((len(codes), self.products.shape[2]), np.int32)
        for products, column in zip(self.products, codes.T, strict=True):
            term = products[self.alphabet.magnitude[column]]
            acc += np.where(self.alphabet.negative[column][:, None], -term, term)
        return acc


Product = _TableProduct | _WideProduct | _RowProduct


def _product(state: ArrayState, command: Command, lanes: slice) -> Product:
    """How accumulators of output channels `lanes` follow from activation bytes."""
    g, banks = state.geometry, state.banks
    decode, rows = decode_config(command), command["rows"]
    base, steps = command["row_base"], command["steps"]
    alphabet = _alphabet(command)
    found = banks.operands(base, steps, rows)
    if found is None:
        by_step = (banks.signed_products(base + s * rows, rows, decode) for s in range(steps))
        return _RowProduct(alphabet, np.concatenate([p[:, :, lanes] for p in by_step]))
    # [step, cluster, position, lane] -> [step, position, cluster, lane]
    shape = (steps, g.clusters, g.reduction_banks, g.lanes)
    flat = (steps * g.reduction_banks, g.outputs)
    magnitude = found.magnitude.reshape(shape).transpose(0, 2, 1, 3).reshape(flat)[:, lanes]
    negative = found.negative.reshape(shape).transpose(0, 2, 1, 3).reshape(flat)[:, lanes]
    weights = Operand.of_magnitudes(magnitude, negative)
    if weights is None:
        table = product_table(found.pattern, decode, g.lane_columns)
        return _WideProduct(alphabet, magnitude, negative, table)
    return _TableProduct(alphabet, weights, _multiply(found.pattern, decode, g.lane_columns))


@lru_cache(maxsize=64)
def _multiply(pattern: Pattern, decode: DecodeConfig, columns: int) -> TableProduct:
    return table_product(product_table(pattern, decode, columns))
