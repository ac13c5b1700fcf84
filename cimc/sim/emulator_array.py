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
from cimc.sim.emulator_built_in import PlainBanks, bank_group
from cimc.sim.emulator_memory import ActivationBuffer, Bytes, require
from cimc.sim.emulator_parameters import Parameters
from cimc.sim.emulator_replay import Replay
from cimc.sim.emulator_rows import Banks, DecodeConfig, Pattern, product_table
from cimc.targets import Target
from cimc.targets.isa import Command
from cimc.targets.packing import LaneUse, WeightPacking, psum_pixels


@dataclass
class ArrayState:
    """What ARRAY reads and writes."""

    target: Target
    buffer: ActivationBuffer
    banks: Banks | PlainBanks
    steps: NDArray[np.int64]
    """Step table [step_entries], byte offsets."""
    parameters: list[Parameters]
    """Two sets of 2 * outputs lanes."""
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

    def find() -> Product:
        _check(state, command)
        return _passes(state, command)

    codes = [_run_pass(state, command, each) for each in state.replay.product(command, find)]
    if not command["psum_out"]:
        pixels = command["dst"] + _grid(command, "dst_y", "dst_x")
        results = np.concatenate(codes, axis=1).reshape(len(state.psums), len(pixels), -1)
        scatter(state.buffer.data, pixels, results)


def _use(command: Command) -> LaneUse:
    """What `command` makes of the lanes; weights that share bytes only are as BYTES to it."""
    packing = WeightPacking.LANES if command["dual"] else WeightPacking.BYTES
    return LaneUse(packing, wide=bool(command["wide"]))


def _passes(state: ArrayState, command: Command) -> tuple[Pass, ...]:
    """What `command` multiplies by, for each weight of a lane."""
    group, found = bank_group(state.target, command), list[Pass]()
    outputs = _use(command).outputs(group.geometry) // (1 + command["dual"])
    together = range(group.first, group.first + group.geometry.clusters)
    groups = [range(k, k + 1) for k in together] if command["wide"] else [together]
    for weight in range(1 + command["dual"]):
        left = command["lanes"] - weight * outputs
        lanes = outputs if command["psum_out"] else min(max(left, 0), outputs)
        if not lanes:
            break
        products = [_product(state, command, weight, each, lanes) for each in groups]
        found.append(Pass(weight, lanes, tuple(zip(groups, products, strict=True))))
    return tuple(found)


def _run_pass(state: ArrayState, command: Command, one: Pass) -> Bytes:
    """Sums of one weight of every lane, to the partial sums or to codes.

    Returns:
        Codes [items * pixels, lanes]; without meaning when the sums are partial.
    """
    group, post = bank_group(state.target, command), not command["psum_out"]
    g = group.geometry
    pixels, batch = command["nx"] * command["ny"], len(state.psums)
    codes = np.empty((batch * pixels, one.lanes), np.uint8)
    several = len(one.products) > 1
    total = np.zeros((batch, pixels, one.lanes), np.int32) if several and post else None
    first = group.first * g.lanes + one.weight * (g.lanes if command["wide"] else g.outputs)
    entry = command["psum"] + one.weight * (g.psum_entries // 2)
    for number, (clusters, product) in enumerate(one.products, start=1):
        lane = clusters.start * g.lanes
        own = state.psums[:, entry : entry + pixels, lane : lane + one.lanes]
        partial, add = own, bool(command["psum_in"])
        if total is not None:  # sums of several clusters come together
            total += own if add else 0
            partial, add = total, True
        to_codes = codes if post and number == len(one.products) else None
        used = partial if add or to_codes is None else None
        ends = slice(first, first + one.lanes)
        finish = _finish(state, command, used, add, to_codes, ends)
        byte = clusters.start * g.reduction_banks if command["wide"] else 0
        product.run(_windows(state, command, byte), finish)
    return codes


def _check(state: ArrayState, command: Command) -> None:
    geometry, plain = bank_group(state.target, command).geometry, bool(state.target.multipliers)
    one = not command["wide"] or len(state.target.groups) == 1
    require(one, f"wide=1 with {len(state.target.groups)} bank groups")
    require(not (plain and command["dual"]), "dual=1: lanes with a multiplier hold one weight")
    outputs = _use(command).outputs(geometry)
    fits = not command["wide"] or geometry.banks <= geometry.beat_bytes
    require(fits, f"wide=1 reads {geometry.banks} bytes at once, a beat has {geometry.beat_bytes}")
    nx, ny, steps, lanes = (command[n] for n in ("nx", "ny", "steps", "lanes"))
    require(min(nx, ny, steps) >= 1, f"nx={nx}, ny={ny}, steps={steps} must be positive")
    last = command["step_base"] + steps
    require(last <= geometry.step_entries, f"steps pass the {geometry.step_entries} entries")
    decode = decode_config(command)
    require(1 <= decode.bits <= 8, f"bits={decode.bits} is not in 1..8")
    rows = 1 if plain else decode.rows
    require(command["rows"] == rows, f"rows={command['rows']}, the row-group has {rows}")
    least = steps * command["reads"]
    if command["psum_in"] or command["psum_out"]:
        end = command["psum"] + nx * ny
        fits = end <= psum_pixels(geometry, _use(command).packing)
        require(fits, f"partial sums up to {end} pass the memory")
    if not command["psum_out"]:
        require(1 <= lanes <= outputs, f"lanes={lanes} is not in 1..{outputs}")
        require(command["low"] <= command["high"], "low is above high")
        least = max(least, -(-lanes // geometry.requant_lanes))
    require(command["period"] >= least, f"period={command['period']} is below {least}")


def _windows(state: ArrayState, command: Command, first: int) -> Windows:
    """The activation bytes of every pixel that one cluster reads, from byte `first` of a step."""
    steps = state.steps[command["step_base"] : command["step_base"] + command["steps"]]
    pixels = command["src"] + _grid(command, "src_y", "src_x")
    return Windows(state.buffer.data, pixels, steps + first, state.target.geometry.reduction_banks)


def _grid(command: Command, stride_y: str, stride_x: str) -> NDArray[np.int64]:
    y, x = np.arange(command["ny"]), np.arange(command["nx"])
    return (y[:, None] * command[stride_y] + x * command[stride_x]).reshape(-1)


def _finish(
    state: ArrayState,
    command: Command,
    partial: NDArray[np.int32] | None,
    add: bool,
    codes: Bytes | None,
    lanes: slice,
) -> Finish:
    """Where the sums go: `codes` with the parameters of `lanes`, or else `partial`."""
    p = state.parameters[command["param_set"]]
    return Finish(
        partial,
        add,
        codes,
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


_LaneProduct = _TableProduct | _WideProduct | _RowProduct


@dataclass(frozen=True)
class Pass:
    """What the lanes multiply by with one of their weights."""

    weight: int
    lanes: int
    """Outputs of it."""
    products: tuple[tuple[range, _LaneProduct], ...]
    """By clusters that read the same bytes; each makes sums of all `lanes`."""


Product = tuple[Pass, ...]


def _product(
    state: ArrayState, command: Command, weight: int, clusters: range, lanes: int
) -> _LaneProduct:
    """How accumulators of the first `lanes` lanes of `clusters` follow from activation bytes,
    for weight number `weight` of each.
    """
    g, banks = state.target.geometry, state.banks
    alphabet, dual = _alphabet(command), bool(command["dual"])
    if isinstance(banks, PlainBanks):
        group = bank_group(state.target, command)
        plain, at = banks.weights(group, command), (clusters.start - group.first) * g.lanes
        own = slice(at, at + lanes)
        return _table_product(
            alphabet, plain.magnitude[:, own], plain.negative[:, own], plain.multiply
        )
    decode, rows = decode_config(command), command["rows"]
    base, steps = command["row_base"], command["steps"]
    found = banks.operands(base, steps, rows, dual)
    if found is None:
        own = slice(clusters.start * g.lanes, clusters.start * g.lanes + lanes)
        part = weight if dual else None
        by_step = (banks.signed_products(base + s * rows, rows, decode, part) for s in range(steps))
        return _RowProduct(alphabet, np.concatenate([p[:, :, own] for p in by_step]))
    # [step, cluster, position, lane] -> [step, position, cluster, lane]
    shape = (steps, g.clusters, g.reduction_banks, g.lanes)
    flat, order = (steps * g.reduction_banks, -1), (0, 2, 1, 3)
    of = slice(clusters.start, clusters.stop)
    magnitude, negative = found.magnitude[weight], found.negative[weight]
    magnitude = magnitude.reshape(shape)[:, of].transpose(order).reshape(flat)[:, :lanes]
    negative = negative.reshape(shape)[:, of].transpose(order).reshape(flat)[:, :lanes]
    columns = g.lane_columns // 2 if dual else g.lane_columns
    multiply = _multiply(found.pattern, decode, columns)
    return _table_product(alphabet, magnitude, negative, multiply)


def _table_product(
    alphabet: Alphabet,
    magnitude: NDArray[np.uint8],
    negative: NDArray[np.bool_],
    multiply: TableProduct,
) -> _LaneProduct:
    """Products of weights [steps * reduction_banks, lanes] through one table."""
    weights = Operand.of_magnitudes(magnitude, negative)
    if weights is None:
        return _WideProduct(alphabet, magnitude, negative, multiply.table)
    return _TableProduct(alphabet, weights, multiply)


@lru_cache(maxsize=64)
def _multiply(pattern: Pattern, decode: DecodeConfig, columns: int) -> TableProduct:
    return table_product(product_table(pattern, decode, columns))
