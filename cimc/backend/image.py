"""The memory image: program, weights, room for inputs, outputs and spilled tensors.

DRAM: the program at address 0, then the data segment of the schedule. `Image` also knows how
the host packs an input and reads an output, and where each tensor lies when it is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from cimc.diagnostics import InvalidInput, loc_text, node_names
from cimc.dialects.cim import ActType, InputOp, OutputOp, act_type, ints
from cimc.passes.context import CimContext
from cimc.passes.schedule.commands import Step
from cimc.passes.schedule_commands import Schedule
from cimc.quant import dequantise, quantise
from cimc.targets import Target
from cimc.targets.isa import Command, Opcode, encode_program
from cimc.targets.program import assemble_blocks

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Region:
    """A tensor at the moment its command retires with `tag`: `space` is "buffer" or "dram"."""

    tag: int
    op: Operation
    space: Literal["buffer", "dram"]
    address: int
    type: ActType

    @property
    def size(self) -> int:
        """Bytes with the halo; they may wrap around the end of the buffer's address space."""
        return self.type.size_bytes

    @property
    def node(self) -> str:
        """ONNX node names of the op, joined by commas."""
        return ", ".join(node_names(self.op.location)) or loc_text(self.op.location)


@dataclass(frozen=True)
class HostInput:
    """A network input: float NCHW on the host, codes with halo at `address` of DRAM."""

    name: str
    address: int
    type: ActType
    scale: float
    low: int
    high: int

    def codes(self, x: NDArray[Any]) -> Codes:
        """Codes [N, H, W, C] of floats [N, C, H, W] (or [N, C]).

        Raises:
            InvalidInput: the shape does not fit the input, or a value is not a finite number.
        """
        h, w, c = self.type.hwc
        shape = np.shape(x)
        if shape[1:] not in ((c, h, w), (c,) if h == w == 1 else (c, h, w)):
            raise InvalidInput(
                f"input '{self.name}' has shape {shape}, expected (N, {c}, {h}, {w})"
            )
        if not np.isfinite(x).all():
            raise InvalidInput(f"input '{self.name}' holds NaN or infinite values")
        zero = self.type.zero_point.data
        codes = quantise(np.asarray(x, np.float32), self.scale, zero, self.low, self.high)
        return codes.reshape(-1, c, h, w).transpose(0, 2, 3, 1).astype(np.int64)

    def pack(self, codes: Codes) -> NDArray[np.uint8]:
        """Bytes [N, size] of codes [N, H, W, C], halo filled with the zero point."""
        top, left, bottom, right = self.type.margins
        pads = ((0, 0), (top, bottom), (left, right), (0, 0))
        padded = np.pad(codes, pads, constant_values=self.type.zero_point.data)
        return (padded & 0xFF).astype(np.uint8).reshape(len(codes), self.type.size_bytes)


@dataclass(frozen=True)
class HostOutput:
    """A network output: codes at `address` of DRAM, floats of ONNX `shape` on the host."""

    name: str
    address: int
    type: ActType
    scale: float
    shape: tuple[int, ...]

    def values(self, raw: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Floats [N, *shape[1:]] of bytes [N, size]."""
        return self.real(unpack(self.type, raw))

    def real(self, codes: Codes) -> NDArray[np.float32]:
        """Floats [N, *shape[1:]] of codes [N, H, W, C]."""
        real = dequantise(codes, self.scale, self.type.zero_point.data)
        return real.transpose(0, 3, 1, 2).reshape(-1, *self.shape[1:]).astype(np.float32)


def unpack(kind: ActType, raw: NDArray[np.uint8]) -> Codes:
    """Codes [N, H, W, C] inside the halo of bytes [N, size]."""
    h, w, c = kind.hwc
    top, left, bottom, right = kind.margins
    whole = raw.reshape(-1, top + h + bottom, left + w + right, c)
    inner = whole[:, top : top + h, left : left + w]
    return (inner.view(np.int8) if kind.signed else inner).astype(np.int64)


@dataclass(frozen=True)
class Image:
    """Everything that the machine finds in DRAM, and what the host must know about it."""

    target: Target
    dram: bytes
    program_bytes: int
    commands: tuple[Command, ...]
    """In memory order, with FETCH, NEXT and END; DRAM addresses are final."""
    inputs: tuple[HostInput, ...]
    outputs: tuple[HostOutput, ...]
    regions: tuple[Region, ...]

    def with_inputs(self, inputs: Mapping[str, NDArray[np.uint8]]) -> bytes:
        """The image with the packed bytes [1, size] of each input in place."""
        memory = bytearray(self.dram)
        for port in self.inputs:
            data = inputs[port.name].tobytes()
            assert len(data) == port.type.size_bytes
            memory[port.address : port.address + len(data)] = data
        return bytes(memory)

    def memory_map(self) -> dict[str, Any]:
        """``dram.map.json``: byte ranges of the program, the data, inputs, outputs and tensors."""
        return {
            "program": {"address": 0, "bytes": self.program_bytes},
            "data": {
                "address": self.program_bytes,
                "bytes": len(self.dram) - self.program_bytes,
            },
            "inputs": [_port_entry(p) for p in self.inputs],
            "outputs": [_port_entry(p) for p in self.outputs],
            "tensors": [
                {
                    "tag": r.tag,
                    "node": r.node,
                    "op": r.op.name,
                    "space": r.space,
                    "address": r.address,
                    "bytes": r.size,
                    "shape_hwc": list(r.type.hwc),
                    "halo": list(r.type.margins),
                }
                for r in self.regions
            ],
        }


def _port_entry(port: HostInput | HostOutput) -> dict[str, Any]:
    return {
        "name": port.name,
        "address": port.address,
        "bytes": port.type.size_bytes,
        "shape_hwc": list(port.type.hwc),
        "halo": list(port.type.margins),
        "signed": port.type.signed,
        "scale": port.scale,
        "zero_point": port.type.zero_point.data,
    }


def _relocate(step: Step, base: int) -> Command:
    if not step.data:
        return step.command
    values = {**step.command.values, "dram": step.command["dram"] + base}
    return replace(step.command, values=values)


def _assemble(schedule: Schedule, target: Target) -> tuple[list[Command], int]:
    """The commands in blocks, and their bytes: addresses do not change the number of blocks."""
    plain = [step.command for step in schedule.steps]
    size = len(encode_program(Command(Opcode.END) for _ in assemble_blocks(plain, target)))
    beat = target.geometry.beat_bytes
    base = -(-size // beat) * beat
    return assemble_blocks([_relocate(s, base) for s in schedule.steps], target), base


def build(ctx: CimContext, module: ModuleOp) -> Image:
    """The memory image of a scheduled module."""
    schedule = ctx.schedule
    assert schedule is not None, "cim-schedule runs before the image is built"
    commands, base = _assemble(schedule, ctx.target)
    dram = bytearray(base + schedule.data.size)
    program = encode_program(commands)
    dram[: len(program)] = program
    for offset, chunk in schedule.data.chunks:
        dram[base + offset : base + offset + len(chunk)] = chunk
    inputs: list[HostInput] = []
    outputs: list[HostOutput] = []
    for op, offset in schedule.dram_offsets.items():
        if isinstance(op, InputOp):
            inputs.append(_host_input(op, base + offset))
        elif isinstance(op, OutputOp):
            outputs.append(_host_output(op, base + offset))
    regions = [
        Region(
            r.tag,
            r.op,
            "dram" if r.in_dram else "buffer",
            r.view.origin + (base if r.in_dram else 0),
            r.view.type,
        )
        for r in schedule.regions
    ]
    return Image(
        ctx.target,
        bytes(dram),
        base,
        tuple(commands),
        tuple(inputs),
        tuple(outputs),
        tuple(regions),
    )


def host_ports(module: ModuleOp) -> tuple[list[HostInput], list[HostOutput]]:
    """Inputs and outputs of a `cim` module that need not be scheduled; addresses are 0."""
    ops = list(module.walk())
    inputs = [_host_input(op, 0) for op in ops if isinstance(op, InputOp)]
    return inputs, [_host_output(op, 0) for op in ops if isinstance(op, OutputOp)]


def _host_input(op: InputOp, address: int) -> HostInput:
    scale, low, high = op.scale.value.data, op.low.value.data, op.high.value.data
    return HostInput(op.input_name.data, address, act_type(op.y), scale, low, high)


def _host_output(op: OutputOp, address: int) -> HostOutput:
    return HostOutput(
        op.output_name.data, address, act_type(op.x), op.scale.value.data, ints(op.shape)
    )
