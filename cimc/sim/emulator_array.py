"""ARRAY: dot products of windows of the activation buffer with the stored rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cimc.kernels import Alphabet, Operand, TableProduct, approx_matmul, table_product
from cimc.quant import requantise
from cimc.sim.emulator_memory import ActivationBuffer, Bytes, require
from cimc.sim.emulator_rows import Banks, DecodeConfig, Pattern, product_table
from cimc.targets import Geometry
from cimc.targets.isa import Command

_CHUNK_ELEMENTS = 1 << 21
"""Activation codes, and accumulators, that are worked on at a time."""


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
    _check(state.geometry, command)
    addresses = _addresses(state, command)
    pixels = len(addresses)
    batch = len(state.psums)
    lanes = slice(state.geometry.outputs if command["psum_out"] else command["lanes"])
    product = _product(state, command, lanes)
    items = max(1, _CHUNK_ELEMENTS // (pixels * max(addresses.shape[1], state.geometry.outputs)))
    entries = slice(command["psum"], command["psum"] + pixels)
    for first in range(0, batch, items):
        part = slice(first, min(first + items, batch))
        codes = state.buffer.gather(addresses, part).reshape(-1, addresses.shape[1])
        sums = product.sums(codes)
        acc = sums.reshape(-1, pixels, sums.shape[1])
        if command["psum_in"]:
            acc += state.psums[part, entries, lanes]
        if command["psum_out"]:
            state.psums[part, entries] = acc
        else:
            _post_process(state, command, acc, part)


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


def _addresses(state: ArrayState, command: Command) -> NDArray[np.int64]:
    """Byte addresses [pixels, steps * reduction_banks]."""
    base = state.steps[command["step_base"] : command["step_base"] + command["steps"]]
    window = base[:, None] + np.arange(state.geometry.reduction_banks)
    pixels = command["src"] + _grid(command, "src_y", "src_x")
    return pixels[:, None] + window.reshape(1, -1)


def _grid(command: Command, stride_y: str, stride_x: str) -> NDArray[np.int64]:
    y, x = np.arange(command["ny"]), np.arange(command["nx"])
    return (y[:, None] * command[stride_y] + x * command[stride_x]).reshape(-1)


def _post_process(state: ArrayState, command: Command, acc: NDArray[np.int32], part: slice) -> None:
    lanes = command["lanes"]
    p = state.parameters[command["param_set"]]
    codes = requantise(
        acc,
        p.bias[:lanes],
        p.multiplier[:lanes],
        p.shift[:lanes],
        command["y_zero"],
        command["low"],
        command["high"],
    )
    pixels = command["dst"] + _grid(command, "dst_y", "dst_x")
    addresses = (pixels[:, None] + np.arange(lanes)).reshape(-1)
    data = (codes & 0xFF).astype(np.uint8).reshape(len(acc), -1)
    state.buffer.scatter(addresses, data, part)


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

    def sums(self, codes: Bytes) -> NDArray[np.int32]:
        """Accumulators [rows, outputs] of activation bytes [rows, steps * reduction_banks]."""
        return self.multiply(Operand(codes, self.alphabet), self.weights)


@dataclass(frozen=True)
class _WideProduct:
    """The same for weights that span more values than a byte has."""

    alphabet: Alphabet
    magnitude: NDArray[np.uint8]
    negative: NDArray[np.bool_]
    table: NDArray[np.uint32]

    def sums(self, codes: Bytes) -> NDArray[np.int32]:
        """Accumulators [rows, outputs] of activation bytes [rows, steps * reduction_banks]."""
        x = Operand(codes, self.alphabet)
        return approx_matmul(x.magnitudes, x.signs, self.magnitude, self.negative, self.table)


@dataclass(frozen=True)
class _RowProduct:
    """Windows over anything: the products of every reduction position from its rows."""

    alphabet: Alphabet
    products: NDArray[np.int32]
    """[steps * reduction_banks, 2^bits, outputs]"""

    def sums(self, codes: Bytes) -> NDArray[np.int32]:
        """Accumulators [rows, outputs] of activation bytes [rows, steps * reduction_banks]."""
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
