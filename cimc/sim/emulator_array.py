"""ARRAY: dot products of windows of the activation buffer with the stored rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cimc.kernels import Alphabet, Finish, TableProduct, Windows, native, scatter, table_product
from cimc.sim.emulator_built_in import PlainBanks, bank_group
from cimc.sim.emulator_memory import Bytes, require
from cimc.sim.emulator_parameters import Parameters
from cimc.sim.emulator_products import (
    LaneProduct,
    Pass,
    ProductOfTable,
    RowProduct,
    product_through_table,
)
from cimc.sim.emulator_rows import Banks, DecodeConfig, Pattern, product_table
from cimc.sim.emulator_steps import Compiled, Memories, Step
from cimc.targets import Geometry, Target
from cimc.targets.isa import Command
from cimc.targets.packing import LaneUse, WeightPacking, psum_pixels


@dataclass
class ArrayState:
    """What ARRAY computes with beside activation buffer and partial sums."""

    target: Target
    banks: Banks | PlainBanks
    steps: NDArray[np.int64]
    """Step table [step_entries], byte offsets."""
    parameters: list[Parameters]
    """Two sets of 2 * outputs lanes."""


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


def array_step(state: ArrayState, command: Command) -> Step:
    """`command`, ready to run.

    Raises:
        MachineFault: a field is outside what docs/machine.md defines.
    """
    _check(state, command)
    pixels = command["src"] + _grid(command, "src_y", "src_x")
    targets = None if command["psum_out"] else command["dst"] + _grid(command, "dst_y", "dst_x")
    offsets = state.steps[command["step_base"] : command["step_base"] + command["steps"]].copy()
    terms = tuple(_terms(state, command, _passes(state, command)))
    step = _Sums(state.target.geometry, command, pixels, targets, offsets, terms)
    return step.compiled() or step


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


def _terms(state: ArrayState, command: Command, passes: tuple[Pass, ...]) -> Iterator[_Term]:
    """The products of all passes; the sums of those of one pass come together."""
    group, column = bank_group(state.target, command), 0
    g, parameters = group.geometry, state.parameters[command["param_set"]]
    for one in passes:
        first = group.first * g.lanes + one.weight * (g.lanes if command["wide"] else g.outputs)
        for number, (clusters, product) in enumerate(one.products, start=1):
            yield _Term(
                product,
                lanes=one.lanes,
                byte=clusters.start * g.reduction_banks if command["wide"] else 0,
                entry=command["psum"] + one.weight * (g.psum_entries // 2),
                lane=clusters.start * g.lanes,
                column=column,
                begins=number == 1,
                ends=number == len(one.products),
                parameters=parameters.of(slice(first, first + one.lanes)),
            )
        column += one.lanes


@dataclass(frozen=True)
class _Term:
    """A product of a command, and where its sums go."""

    product: LaneProduct
    lanes: int
    byte: int
    """Its windows begin that much later."""
    entry: int
    """Partial sums of the first pixel, in lanes from `lane` on."""
    lane: int
    column: int
    """Codes, in the results of a pixel."""
    begins: bool
    ends: bool
    """The sums of terms from one that begins to one that ends are one."""
    parameters: Parameters


@dataclass(frozen=True)
class _Sums:
    """ARRAY: sums of `terms` over windows of `pixels`, to partial sums or to codes at `targets`."""

    geometry: Geometry
    command: Command
    pixels: NDArray[np.int64]
    targets: NDArray[np.int64] | None
    offsets: NDArray[np.int64]
    terms: tuple[_Term, ...]

    def compiled(self) -> Compiled | None:
        """The same for the compiled code; None where it cannot do one of the products."""
        if native.chosen() == native.NUMPY:
            return None
        c, g = self.command, self.geometry
        found = native.native.Array(
            self.pixels,
            self.offsets,
            g.reduction_banks,
            g.activation_bytes,
            g.psum_entries,
            g.outputs,
            bool(c["psum_in"]),
            self.targets,
            sum(term.lanes for term in self.terms if term.ends),
            c["y_zero"],
            c["low"],
            c["high"],
        )
        for term in self.terms:
            if not isinstance(term.product, ProductOfTable):
                return None
            plan = term.product.plan
            if plan is None:
                return None
            p = term.parameters
            found.add(
                plan,
                term.product.weights.codes,
                term.byte,
                term.entry * g.outputs + term.lane,
                term.column,
                term.begins,
                term.ends,
                p.bias.astype(np.int32),
                p.multiplier.astype(np.int32),
                np.ascontiguousarray(p.shift),
            )
        return Compiled(found)

    def run(self, memories: Memories) -> None:
        """Execute it on all items."""
        items, count, c = len(memories.psums), len(self.pixels), self.command
        codes = list[Bytes]()
        total = np.zeros((0, 0, 0), np.int32)
        for term in self.terms:
            if term.begins:
                codes.append(np.empty((items * count, term.lanes), np.uint8))
                total = np.zeros((items, count, term.lanes), np.int32)
            entries = slice(term.entry, term.entry + count)
            own = memories.psums[:, entries, term.lane : term.lane + term.lanes]
            partial, add = own, bool(c["psum_in"])
            if self.targets is not None and not (term.begins and term.ends):
                total += own if add else 0  # sums of several clusters come together
                partial, add = total, True
            to_codes = codes[-1] if self.targets is not None and term.ends else None
            used = partial if add or to_codes is None else None
            p, ends = term.parameters, (c["y_zero"], c["low"], c["high"])
            finish = Finish(used, add, to_codes, p.bias, p.multiplier, p.shift, *ends)
            run = self.geometry.reduction_banks
            windows = Windows(memories.buffer.data, self.pixels, self.offsets + term.byte, run)
            term.product.run(windows, finish)
        if self.targets is not None:
            results = np.concatenate(codes, axis=1).reshape(items, count, -1)
            scatter(memories.buffer.data, self.targets, results)


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


def _grid(command: Command, stride_y: str, stride_x: str) -> NDArray[np.int64]:
    y, x = np.arange(command["ny"]), np.arange(command["nx"])
    return (y[:, None] * command[stride_y] + x * command[stride_x]).reshape(-1)


def _alphabet(command: Command) -> Alphabet:
    """Magnitude and sign of each of the 256 byte patterns of an activation."""
    byte = np.arange(256, dtype=np.uint8)
    value = byte.view(np.int8) if command["a_signed"] else byte
    difference = value.astype(np.int64) - command["a_zero"]
    used = (1 << command["bits"]) - 1
    return Alphabet((np.abs(difference) & used).astype(np.uint8), difference < 0)


def _product(
    state: ArrayState, command: Command, weight: int, clusters: range, lanes: int
) -> LaneProduct:
    """How accumulators of the first `lanes` lanes of `clusters` follow from activation bytes,
    for weight number `weight` of each.
    """
    g, banks = state.target.geometry, state.banks
    alphabet, dual = _alphabet(command), bool(command["dual"])
    if isinstance(banks, PlainBanks):
        group = bank_group(state.target, command)
        plain, at = banks.weights(group, command), (clusters.start - group.first) * g.lanes
        own = slice(at, at + lanes)
        return product_through_table(
            alphabet, plain.magnitude[:, own], plain.negative[:, own], plain.multiply
        )
    decode, rows = decode_config(command), command["rows"]
    base, steps = command["row_base"], command["steps"]
    found = banks.operands(base, steps, rows, dual)
    if found is None:
        own = slice(clusters.start * g.lanes, clusters.start * g.lanes + lanes)
        part = weight if dual else None
        by_step = (banks.signed_products(base + s * rows, rows, decode, part) for s in range(steps))
        return RowProduct(alphabet, np.concatenate([p[:, :, own] for p in by_step]))
    # [step, cluster, position, lane] -> [step, position, cluster, lane]
    shape = (steps, g.clusters, g.reduction_banks, g.lanes)
    flat, order = (steps * g.reduction_banks, -1), (0, 2, 1, 3)
    of = slice(clusters.start, clusters.stop)
    magnitude, negative = found.magnitude[weight], found.negative[weight]
    magnitude = magnitude.reshape(shape)[:, of].transpose(order).reshape(flat)[:, :lanes]
    negative = negative.reshape(shape)[:, of].transpose(order).reshape(flat)[:, :lanes]
    columns = g.lane_columns // 2 if dual else g.lane_columns
    multiply = _multiply(found.pattern, decode, columns)
    return product_through_table(alphabet, magnitude, negative, multiply)


@lru_cache(maxsize=64)
def _multiply(pattern: Pattern, decode: DecodeConfig, columns: int) -> TableProduct:
    return table_product(product_table(pattern, decode, columns))
