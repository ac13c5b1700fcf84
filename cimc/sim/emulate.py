"""Runs a memory image in the emulator on any number of inputs, and reads tensors out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from cimc.backend.compiler import HostPart, Network
from cimc.backend.image import Codes, Image, Region, unpack
from cimc.diagnostics import InvalidInput, VerifyFailed
from cimc.sim.emulator import Emulator, MachineFault, batch_limit
from cimc.sim.emulator_trace import ProgramMemory

Floats = NDArray[Any]
Bytes = NDArray[np.uint8]


@dataclass
class EmulatedRun:
    """Results of one program on N inputs."""

    regions: dict[int, Bytes] = field(default_factory=dict[int, Bytes])
    """Bytes [N, size] of each tensor with its halo, by tag, at the moment it was complete."""
    outputs: dict[str, Bytes] = field(default_factory=dict[str, Bytes])
    """Bytes [N, size] of each output, read from DRAM at the end."""


def pack_inputs(image: Image, inputs: Mapping[str, Floats]) -> dict[str, Bytes]:
    """Bytes [N, size] in DRAM of float inputs [N, ...].

    Raises:
        InvalidInput: an input is missing or unknown, or shapes or batch sizes do not fit.
    """
    names = [port.name for port in image.inputs]
    if sorted(names) != sorted(inputs):
        raise InvalidInput(f"the model's inputs are {names}, given were {sorted(inputs)}")
    packed = {port.name: port.pack(port.codes(inputs[port.name])) for port in image.inputs}
    counts = {len(data) for data in packed.values()}
    if len(counts) > 1:
        raise InvalidInput(f"inputs have different batch sizes: {sorted(counts)}")
    return packed


def emulate_network(network: Network, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
    """Float outputs [N, ...] by name of a network, its parts on the host included.

    Raises:
        InvalidInput: the inputs do not fit the model.
    """
    names = network.input_names
    if sorted(names) != sorted(inputs):
        raise InvalidInput(f"the model's inputs are {names}, given were {sorted(inputs)}")
    values: dict[str, Floats] = dict(inputs)
    for part in network.parts:
        if isinstance(part, HostPart):
            values |= part.run({name: values[name] for name in part.input_names})
        else:
            ports = part.image.inputs
            values |= emulate(part.image, {port.name: values[port.name] for port in ports})
    return {name: values[tensor] for name, tensor in network.outputs.items()}


def emulate(image: Image, inputs: Mapping[str, Floats]) -> dict[str, NDArray[np.float32]]:
    """Float outputs [N, ...] by name of preprocessed float inputs [N, ...].

    Inputs go through in batches that bound the memory.

    Raises:
        InvalidInput: the inputs do not fit the model.
    """
    packed = pack_inputs(image, inputs)
    raw: dict[str, list[Bytes]] = {port.name: [] for port in image.outputs}
    for batch in _batches(image, packed):
        for name, data in run_batch(image, batch, regions=False).outputs.items():
            raw[name].append(data)
    return {
        port.name: port.values(np.concatenate(raw[port.name]))
        if raw[port.name]
        else np.zeros((0, *port.shape[1:]), np.float32)
        for port in image.outputs
    }


def _batches(image: Image, packed: Mapping[str, Bytes]) -> Iterator[dict[str, Bytes]]:
    count = len(next(iter(packed.values())))
    step = batch_limit(image.target.geometry, _private_bytes(image))
    for first in range(0, count, step):
        yield {name: data[first : first + step] for name, data in packed.items()}


def _private_bytes(image: Image) -> int:
    """DRAM bytes that differ between images: inputs, outputs, spilled tensors."""
    ports = (*image.inputs, *image.outputs)
    spilled = (region.size for region in image.regions if region.space == "dram")
    return sum(port.type.size_bytes for port in ports) + sum(spilled)


def run_batch(image: Image, packed: Mapping[str, Bytes], *, regions: bool) -> EmulatedRun:
    """Run the program once, on all inputs in step; `regions` asks for every tensor.

    Raises:
        VerifyFailed: the program asks the machine for something undefined.
    """
    batch = len(next(iter(packed.values())))
    machine = Emulator(image.target, image.dram, batch=batch, memory=_memory_of(image))
    for port in image.inputs:
        machine.write_dram(port.address, packed[port.name])
    found = EmulatedRun()
    by_tag = {region.tag: region for region in image.regions} if regions else {}

    def keep(tag: int, machine: Emulator) -> None:
        if region := by_tag.get(tag):
            read = machine.read_dram if region.space == "dram" else machine.read_buffer
            found.regions[tag] = read(region.address, region.size).copy()

    try:
        machine.run(keep if regions else None)
    except MachineFault as fault:
        raise VerifyFailed(f"the emulator cannot execute the program: {fault}") from fault
    for port in image.outputs:
        found.outputs[port.name] = machine.read_dram(port.address, port.type.size_bytes).copy()
    return found


_memories: dict[int, ProgramMemory] = {}


def _memory_of(image: Image) -> ProgramMemory:
    """What earlier runs of `image` have found out; gone with the image."""
    key = id(image)
    if key not in _memories:
        _memories[key] = ProgramMemory()
        finalize(image, _memories.pop, key)
    return _memories[key]


def region_codes(region: Region, raw: Bytes) -> Codes:
    """Codes [N, H, W, C] of a tensor's bytes [N, size], without the halo."""
    return unpack(region.type, raw)
