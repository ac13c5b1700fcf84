"""The cocotb test of an output directory: one image through the whole network on RTL.

Every tensor must equal, byte for byte, what cimc's emulator computed, and every layer must end in
the estimated cycle. The folder's ``expected.json`` and ``expected.bin`` hold both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from numpy.typing import NDArray

from .files import (
    DUMP,
    TRACE,
    Region,
    Retire,
    plus_arguments,
    read_dumps,
    read_trace,
    write_inputs,
)
from .harness import start_to_done

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Tensor:
    """A tensor of the network: where it lies, and its shape height, width, channels."""

    region: Region
    node: str
    op: str
    hwc: tuple[int, int, int]
    halo: tuple[int, int, int, int]
    """Rows and columns around it: top, left, bottom, right."""

    def codes(self, raw: bytes) -> Bytes:
        """Bytes [H, W, C] without the halo."""
        (height, width, channels), (top, left, bottom, right) = self.hwc, self.halo
        shape = (top + height + bottom, left + width + right, channels)
        whole = np.frombuffer(raw, np.uint8).reshape(shape)
        return whole[top : top + height, left : left + width]


class Case:
    """What the folder ``cosim`` of the output directory `root` says."""

    def __init__(self, root: Path):
        """Read it."""
        folder = root / "cosim"
        expected: dict[str, Any] = json.loads((folder / "expected.json").read_text("utf-8"))
        memory = json.loads((root / "dram.map.json").read_text("utf-8"))
        self.beat: int = expected["beat_bytes"]
        self.cycles: int = expected["cycles"]
        self.retires = [Retire(*each) for each in expected["retires"]]
        self.tensors = [_tensor(entry) for entry in memory["tensors"]]
        self.image = _image(root, memory, (folder / "inputs.bin").read_bytes())
        self.codes = (folder / "expected.bin").read_bytes()

    @property
    def regions(self) -> list[Region]:
        """What the test bench has to dump."""
        return [tensor.region for tensor in self.tensors]

    def write(self, run_folder: Path) -> list[str]:
        """Write the test bench's files; returns its plus arguments."""
        write_inputs(run_folder, self.image, self.regions, self.beat)
        return plus_arguments(self.cycles + 1000)

    def differences(self, run_folder: Path) -> list[str]:
        """A line for every tensor that is not as expected."""
        dumps = read_dumps(run_folder / DUMP, self.regions, self.beat)
        lines: list[str] = []
        at = 0
        for tensor in self.tensors:
            height, width, channels = tensor.hwc
            size = height * width * channels
            expected = np.frombuffer(self.codes, np.uint8, size, at).reshape(tensor.hwc)
            at += size
            name = f"{tensor.node} ({tensor.op}, tag {tensor.region.tag})"
            if tensor.region.tag not in dumps:
                lines.append(f"{name}: never completed")
            elif line := difference(expected, tensor.codes(dumps[tensor.region.tag])):
                lines.append(f"{name}: {line}")
        return lines

    def late(self, run_folder: Path) -> list[str]:
        """A line for the first command that was not done in its cycle, if there is one."""
        nodes = {tensor.region.tag: tensor.node for tensor in self.tensors}
        found = read_trace(run_folder / TRACE)
        for want, got in zip(self.retires, found, strict=False):
            if want != got:
                return [
                    f"{nodes.get(want.tag, want.tag)}: expected to be done in cycle {want.cycle}, "
                    f"{nodes.get(got.tag, got.tag)} was done in cycle {got.cycle}"
                ]
        if len(found) != len(self.retires):
            return [f"{len(found)} commands reported, expected {len(self.retires)}"]
        return []


def _tensor(entry: dict[str, Any]) -> Tensor:
    region = Region(entry["tag"], entry["space"], entry["address"], entry["bytes"])
    height, width, channels = entry["shape_hwc"]
    top, left, bottom, right = entry["halo"]
    halo = (top, left, bottom, right)
    return Tensor(region, entry["node"], entry["op"], (height, width, channels), halo)


def _image(root: Path, memory: dict[str, Any], inputs: bytes) -> bytes:
    """``dram.bin`` with the inputs, which lie one behind the other in `inputs`, in place."""
    image = bytearray((root / "dram.bin").read_bytes())
    for port in memory["inputs"]:
        image[port["address"] : port["address"] + port["bytes"]] = inputs[: port["bytes"]]
        inputs = inputs[port["bytes"] :]
    return bytes(image)


def difference(expected: Bytes, got: Bytes) -> str:
    """Count and first place where bytes [H, W, C] differ; empty when they do not."""
    differing = np.argwhere(expected != got)
    if not len(differing):
        return ""
    row, column, channel = (int(i) for i in differing[0])
    return (
        f"{len(differing)} of {expected.size} codes differ, first at channel {channel}, "
        f"row {row}, column {column}: expected {expected[row, column, channel]}, "
        f"got {got[row, column, channel]} (bytes)"
    )


@cocotb.test()
async def network_matches(dut: Any) -> None:
    """The whole network on one image, against the emulator."""
    root = Path(__file__).resolve().parents[1]
    case = Case(root)
    result = await start_to_done(dut)
    here = Path.cwd()
    problems = [*case.differences(here), *case.late(here)]
    if result["timed_out"]:
        problems.append(f"not finished after {result['cycles']} cycles")
    elif result["cycles"] != case.cycles:
        problems.append(f"{result['cycles']} cycles, expected {case.cycles}")
    cocotb.log.info(
        "%d tensors, %d bytes compared, %d cycles",
        len(case.tensors),
        len(case.codes),
        result["cycles"],
    )
    for line in problems:
        cocotb.log.error(line)
    assert not problems, problems[0]
