"""The cocotb test of an output directory runs without cimc, and catches what is planted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cimc.api import CompiledModel, compile
from cimc.backend.output_dir import check_replaceable
from cimc.sim.cosim.tools import missing_tools
from cimc.targets.isa import Opcode

pytestmark = [
    pytest.mark.cosim,
    pytest.mark.skipif(bool(missing_tools("verilator")), reason="needs g++, make and perl"),
]
FIXTURE = Path(__file__).parents[1] / "fixtures" / "torchscript_opset17.onnx"


@pytest.fixture(scope="module")
def network() -> CompiledModel:
    compiled = compile(FIXTURE, "daism-small")
    compiled.verify("emulate")
    return compiled


@pytest.fixture(scope="module")
def output(network: CompiledModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("standalone") / "out"
    network.save(folder)
    return folder


def run_cosim(folder: Path) -> tuple[int, str]:
    """Exit code and output of ``python -m cosim`` in `folder`."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "cosim"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_it_passes_on_what_the_compiler_wrote(network: CompiledModel, output: Path) -> None:
    code, text = run_cosim(output)
    assert code == 0, text
    estimated = network.report["cycles"]["estimated"]
    assert f"bytes compared, {estimated} cycles" in text
    check_replaceable(output)  # what the run left behind is no obstacle


def flip_weight(network: CompiledModel, folder: Path) -> None:
    """The top magnitude bits of the first weights of the first layer."""
    image = network.compilation.image
    load = next(c for c in image.commands if c.opcode is Opcode.LOAD_WEIGHTS)
    geometry = image.target.geometry
    head = -(-4 * load["steps"] // geometry.beat_bytes) * geometry.beat_bytes
    first = load["dram"] + head + 8 * geometry.outputs * load["has_params"]
    memory = bytearray((folder / "dram.bin").read_bytes())
    for i in range(geometry.beat_bytes):
        memory[first + i] ^= 0x40
    (folder / "dram.bin").write_bytes(memory)


def change_output(network: CompiledModel, folder: Path) -> None:
    """One expected byte of the last tensor."""
    expected = bytearray((folder / "cosim" / "expected.bin").read_bytes())
    expected[-1] ^= 1
    (folder / "cosim" / "expected.bin").write_bytes(expected)


def shift_cycle(network: CompiledModel, folder: Path) -> None:
    """The cycle of the first command that reports."""
    path = folder / "cosim" / "expected.json"
    expected = json.loads(path.read_text("utf-8"))
    expected["retires"][0][2] += 1
    path.write_text(json.dumps(expected), "utf-8")


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (flip_weight, "(cim.conv, tag"),
        (change_output, "1 of "),
        (shift_cycle, "expected to be done in cycle"),
    ],
)
def test_planted_errors_are_located(
    plant: Callable[[CompiledModel, Path], None],
    message: str,
    network: CompiledModel,
    output: Path,
) -> None:
    kept = {path: path.read_bytes() for path in (output / "dram.bin", *output.glob("cosim/exp*"))}
    try:
        plant(network, output)
        code, text = run_cosim(output)
    finally:
        for path, data in kept.items():
            path.write_bytes(data)
    assert code == 1
    assert message in text
