"""VECTOR: element-wise operations, windows, look-up and fill on beats of the activation buffer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.kernels import native
from cimc.quant import requantise, round_half_even_shift
from cimc.sim.emulator_memory import ActivationBuffer, Bytes, require
from cimc.sim.emulator_parameters import Parameters
from cimc.sim.emulator_steps import Compiled, Memories, Step
from cimc.targets.isa import PARAMETER_BYTES, Command, VectorOp

_CHUNK_ELEMENTS = 1 << 21
"""Result bytes that are computed at a time, since intermediate values take 8 bytes each."""

Wide = NDArray[np.int64]


_WINDOWS = (VectorOp.MAX, VectorOp.SUM, VectorOp.DEPTHWISE)


@dataclass
class VectorState:
    """What VECTOR computes with beside the activation buffer."""

    lut: Bytes
    """[256]"""
    taps: Bytes
    """Weight codes of depthwise convolutions [vector_taps, beat]."""
    parameters: list[Parameters]
    """Two sets of one beat of channels."""

    @property
    def beat(self) -> int:
        """Bytes of a result."""
        return self.taps.shape[1]

    def copied(self) -> VectorState:
        """This, as it is now."""
        return VectorState(self.lut.copy(), self.taps.copy(), list(self.parameters))


def load_taps(state: VectorState, command: Command, data: Bytes) -> None:
    """LOAD_TAPS: take `data`, the weight beats and then the parameters of a beat of channels.

    Raises:
        MachineFault: the taps pass the memory.
    """
    base, end = command["base"], command["base"] + command["taps"]
    parameters = PARAMETER_BYTES * state.beat
    require(command["taps"] >= 1, "taps must be positive")
    require(end <= len(state.taps), f"taps up to {end} pass the {len(state.taps)} entries")
    state.taps[base:end] = data[:-parameters].reshape(-1, state.beat)
    state.parameters[command["param_set"]] = Parameters.decode(data[-parameters:])


def vector_step(state: VectorState, command: Command) -> Step:
    """`command`, ready to run; all reads come before the first write.

    Results are a beat of bytes, in the last iteration of loop 0 `tail` bytes.

    Raises:
        MachineFault: a field is outside what docs/machine.md defines.
    """
    _check(command, state)
    if native.chosen() == native.NUMPY:
        return _InNumpy(state.copied(), command)
    return Compiled(_compiled(state, command))


def _compiled(state: VectorState, command: Command) -> Any:
    """`command` as the compiled code takes it."""
    end = command["tap_base"] + command["wy"] * command["wx"]
    taps = _weights(state, command)[command["tap_base"] : end]
    p = state.parameters[command["param_set"]]
    names = ("a", "b", "a_zero", "b_zero", "m0", "m1", "shift", "low", "high")
    return native.native.Vector(
        op=command["op"],
        beat=state.beat,
        tail=command["tail"],
        count=[command[n] for n in ("n2", "n1", "n0")],
        a_stride=[command[n] for n in ("a2", "a1", "a0")],
        b_stride=[command[n] for n in ("b2", "b1", "b0")],
        window=[command["wy"], command["wx"]],
        window_y=command["b1"],
        window_x=command["b0"],
        a_signed=bool(command["a_signed"]),
        b_signed=bool(command["b_signed"]),
        zero=command["y_zero"],
        lut=state.lut.copy(),
        taps=np.ascontiguousarray(taps, np.int32),
        bias=p.bias.astype(np.int32),
        multiplier=p.multiplier.astype(np.int32),
        shifts=p.shift,
        targets=_grid(command, "dst", ("d2", "d1", "d0")),
        **{name: command[name] for name in names},
    )


def _weights(state: VectorState, command: Command) -> Wide:
    """Taps less their zero point [vector_taps, beat]."""
    codes = state.taps.view(np.int8) if command["b_signed"] else state.taps
    return codes.astype(np.int64) - command["b_zero"]


@dataclass(frozen=True)
class _InNumpy:
    """What the compiled code is compared with."""

    state: VectorState
    command: Command

    def run(self, memories: Memories) -> None:
        """Execute it on all items."""
        command, beat, buffer = self.command, self.state.beat, memories.buffer
        lanes = np.arange(beat)
        a = (_grid(command, "a", ("a2", "a1", "a0"))[:, None] + lanes).reshape(-1)
        b = (_grid(command, "b", ("b2", "b1", "b0"))[:, None] + lanes).reshape(-1)
        d = (_grid(command, "dst", ("d2", "d1", "d0"))[:, None] + lanes).reshape(-1)
        kept = np.ones((command["n2"] * command["n1"], command["n0"], beat), np.bool_)
        kept[:, -1, command["tail"] :] = False
        kept = kept.reshape(-1)
        items = max(1, _CHUNK_ELEMENTS // len(kept))
        for first in range(0, len(buffer.data), items):
            part = slice(first, first + items)
            if command["op"] == VectorOp.DEPTHWISE:
                lane = np.tile(lanes, len(kept) // beat)[kept]
                result = _depthwise(self.state, buffer, command, a[kept], lane, part)
            else:
                result = _results(buffer, self.state.lut, command, a[kept], b[kept], part)
            buffer.scatter(d[kept], result, part)


def _check(command: Command, state: VectorState) -> None:
    op, beat = command["op"], state.beat
    require(op in list(VectorOp), f"op={op} does not exist")
    loops = ["n0", "n1", "n2"]
    if op in _WINDOWS:
        loops += ["wx", "wy"]
    for name in loops:
        require(command[name] >= 1, f"{name} must be positive")
    require(1 <= command["tail"] <= beat, f"tail={command['tail']} is not in 1..{beat}")
    clamped = op not in (VectorOp.LUT, VectorOp.FILL)
    require(not clamped or command["low"] <= command["high"], "low is above high")
    if op == VectorOp.DEPTHWISE:
        end = command["tap_base"] + command["wy"] * command["wx"]
        require(end <= len(state.taps), f"taps up to {end} pass the {len(state.taps)} entries")


def _grid(command: Command, base: str, strides: tuple[str, str, str]) -> Wide:
    i2, i1, i0 = (np.arange(command[n], dtype=np.int64) for n in ("n2", "n1", "n0"))
    s2, s1, s0 = (command[s] for s in strides)
    grid = i2[:, None, None] * s2 + i1[:, None] * s1 + i0 * s0
    return command[base] + grid.reshape(-1)


def _results(
    buffer: ActivationBuffer, lut: Bytes, command: Command, a: Wide, b: Wide, part: slice
) -> Bytes:
    """Result bytes [items, len(a)]."""
    op = VectorOp(command["op"])
    m0, m1, a_zero, b_zero = (command[n] for n in ("m0", "m1", "a_zero", "b_zero"))
    match op:
        case VectorOp.FILL:
            items = len(buffer.data[part])
            return np.full((items, len(a)), command["y_zero"] & 0xFF, np.uint8)
        case VectorOp.DEPTHWISE:
            raise AssertionError("needs the lanes: see _depthwise")
        case VectorOp.LUT:
            return lut[buffer.gather(a, part)]
        case VectorOp.MAX | VectorOp.SUM:
            value = _window(buffer, command, op, a, part) * m0
        case VectorOp.ADD:
            left = _codes(buffer, a, part, command["a_signed"]) - a_zero
            right = _codes(buffer, b, part, command["b_signed"]) - b_zero
            value = left * m0 + right * m1
        case VectorOp.MUL:
            left = _codes(buffer, a, part, command["a_signed"]) - a_zero
            right = _codes(buffer, b, part, command["b_signed"]) - b_zero
            value = left * right * m0
    shifted = round_half_even_shift(value, command["shift"]) + command["y_zero"]
    return (np.clip(shifted, command["low"], command["high"]) & 0xFF).astype(np.uint8)


def _codes(buffer: ActivationBuffer, addresses: Wide, part: slice, signed: int) -> Wide:
    data = buffer.gather(addresses, part)
    return (data.view(np.int8) if signed else data).astype(np.int64)


def _window(buffer: ActivationBuffer, command: Command, op: VectorOp, a: Wide, part: slice) -> Wide:
    """max or sum of (x - a_zero) over the wy * wx window of each result."""
    total: Wide | None = None
    for jy in range(command["wy"]):
        for jx in range(command["wx"]):
            at = a + jy * command["b1"] + jx * command["b0"]
            x = _codes(buffer, at, part, command["a_signed"]) - command["a_zero"]
            if total is None:
                total = x
            else:
                (np.maximum if op is VectorOp.MAX else np.add)(total, x, out=total)
    assert total is not None, "windows are checked to be positive"
    return total


def _depthwise(
    state: VectorState,
    buffer: ActivationBuffer,
    command: Command,
    a: Wide,
    lane: NDArray[np.int64],
    part: slice,
) -> Bytes:
    """Result bytes [items, len(a)] of windows at `a` in lanes `lane` [len(a)]."""
    weights = _weights(state, command)
    acc = np.zeros((len(buffer.data[part]), len(a)), np.int64)
    tap = command["tap_base"]
    for jy in range(command["wy"]):
        for jx in range(command["wx"]):
            at = a + jy * command["b1"] + jx * command["b0"]
            x = _codes(buffer, at, part, command["a_signed"]) - command["a_zero"]
            acc += x * weights[tap, lane]
            tap += 1
    p = state.parameters[command["param_set"]]
    ends = (command[name] for name in ("y_zero", "low", "high"))
    result = requantise(acc, p.bias[lane], p.multiplier[lane], p.shift[lane], *ends)
    return (result & 0xFF).astype(np.uint8)
