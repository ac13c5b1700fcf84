"""The files that the test bench rtl/tb/cimc_tb.sv reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

_SPACES = {"buffer": 1, "dram": 2}
TRACE, DUMP, FINAL = "trace.txt", "dump.txt", "final.txt"
_DRAM, _REGIONS = "dram.swapped.bin", "regions.hex"


@dataclass(frozen=True)
class Region:
    """What to dump when a command retires with `tag`: `size` bytes from byte `address`."""

    tag: int
    space: Literal["buffer", "dram"]
    address: int
    size: int


@dataclass(frozen=True)
class Retire:
    """A marked command was done in `cycle`; `unit` is 0 for DMA, 1 for array, 2 for vector."""

    unit: int
    tag: int
    cycle: int


def write_inputs(folder: Path, image: bytes, regions: Sequence[Region], beat: int) -> None:
    """Write what the test bench reads: main memory from address 0, and the regions to dump."""
    (folder / _DRAM).write_bytes(memory_file(image, beat))
    (folder / _REGIONS).write_text(regions_file(regions), encoding="ascii")


def plus_arguments(max_cycles: int) -> list[str]:
    """What the test bench is told: files in the folder where the simulator runs."""
    files = {"dram": _DRAM, "regions": _REGIONS, "trace": TRACE, "dump": DUMP, "final": FINAL}
    return [f"+{key}={name}" for key, name in files.items()] + [f"+max_cycles={max_cycles}"]


def memory_file(image: bytes, beat: int) -> bytes:
    """`image` in whole beats, the bytes of each reversed: $fread fills words from the top."""
    padded = image + bytes(-len(image) % beat)
    return np.frombuffer(padded, np.uint8).reshape(-1, beat)[:, ::-1].tobytes()


def regions_file(regions: Sequence[Region]) -> str:
    """Text for $readmemh: tag -> space, address, bytes."""
    lines = [f"@{r.tag:x} {_SPACES[r.space]:08x}{r.address:08x}{r.size:08x}" for r in regions]
    return "\n".join([*lines, ""])


def read_trace(path: Path) -> list[Retire]:
    """Retired commands by cycle, then unit."""
    rows = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return [Retire(int(unit), int(tag), int(cycle)) for unit, tag, cycle in rows]


def read_dumps(path: Path, regions: Sequence[Region], beat: int) -> dict[int, bytes]:
    """Bytes of each dumped region; the dump holds whole beats."""
    by_tag = {region.tag: region for region in regions}
    dumps: dict[int, bytes] = {}
    lines = iter(path.read_text(encoding="ascii").splitlines())
    for line in lines:
        tag, _, beats = (int(word) for word in line.split())
        data = b"".join(_beat(next(lines)) for _ in range(beats))
        region = by_tag[tag]
        offset = region.address % beat
        dumps[tag] = data[offset : offset + region.size]
    return dumps


def apply_final(image: bytes, path: Path, beat: int) -> bytes:
    """`image` with the beats that the program has stored."""
    lines = path.read_text(encoding="ascii").splitlines()
    first = int(lines[0].split()[0]) * beat
    data = b"".join(_beat(line) for line in lines[1:])
    return (image[:first] + data + image[first + len(data) :])[: len(image)] if data else image


def _beat(line: str) -> bytes:
    """A word in hexadecimal, highest byte first; bits that Icarus never saw written read as 0."""
    return bytes.fromhex(line)[::-1]
