"""Writes the cocotb test of an output directory: ``cosim/``, which runs without cimc."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cimc.backend.image import Image
from cimc.backend.rtl_sources import rtl_dir
from cimc.cost.cycles import CycleReport
from cimc.sim.cosim import tools
from cimc.sim.emulate import Bytes, EmulatedRun, region_codes

_PACKAGE = Path(tools.__file__).parent


@dataclass(frozen=True)
class CosimCase:
    """One image and what the emulator made of it."""

    inputs: dict[str, Bytes]
    """Packed bytes [1, size] by name."""
    regions: dict[int, Bytes]
    """Bytes [1, size] of each tensor with its halo, by tag."""

    @classmethod
    def first(cls, packed: dict[str, Bytes], run: EmulatedRun) -> CosimCase:
        """The first image of a batch; copies, so that the batch can go."""
        inputs = {name: data[:1].copy() for name, data in packed.items()}
        return cls(inputs, {tag: data[:1].copy() for tag, data in run.regions.items()})


def write_cosim(out: Path, image: Image, cycles: CycleReport, case: CosimCase) -> None:
    """Write ``cosim/`` into output directory `out`, beside the files of the backend.

    Raises:
        OSError: it cannot be written.
    """
    folder = out / "cosim"
    folder.mkdir()
    for source in sorted(_PACKAGE.glob("*.py")):
        shutil.copyfile(source, folder / source.name)
    test_bench = f"{tools.TOP}.sv"
    shutil.copyfile(rtl_dir() / "tb" / test_bench, folder / test_bench)
    inputs = b"".join(case.inputs[port.name].tobytes() for port in image.inputs)
    (folder / "inputs.bin").write_bytes(inputs)
    codes = (region_codes(r, case.regions[r.tag]).astype(np.uint8) for r in image.regions)
    (folder / "expected.bin").write_bytes(b"".join(each.tobytes() for each in codes))
    expected = {
        "beat_bytes": image.target.geometry.beat_bytes,
        "cycles": cycles.total,
        "retires": [[int(unit), tag, cycle] for unit, tag, cycle in cycles.retires],
    }
    (folder / "expected.json").write_text(json.dumps(expected) + "\n", "utf-8")
