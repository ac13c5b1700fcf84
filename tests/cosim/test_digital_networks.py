"""Networks on digital multipliers, built for the plan: RTL as emulator and interpreters."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rtl_comparison import quiet, random_input, verify_network
from simulators import needs_icarus, needs_verilator

from cimc.api import CompiledModel, compile
from cimc.diagnostics import InvalidInput, VerifyFailed
from cimc.passes.plan import LayerPlan, Plan
from cimc.sim.compare import Comparison
from cimc.sim.emulate import pack_inputs, run_batch
from cimc.sim.verify import check_rtl

pytestmark = pytest.mark.cosim

LAYERS = ("node_conv2d", "node_conv2d_1", "node_linear", "node_linear_1", "node_linear_2")
"""Of LeNet."""
FIXTURES = Path(__file__).parents[1] / "fixtures"


def plan(*multipliers: str, bits: int | None = None) -> Plan:
    """LeNet's layers with `multipliers` in turn."""
    return Plan(
        tuple(
            LayerPlan(node, multipliers[i % len(multipliers)], bits, bits)
            for i, node in enumerate(LAYERS)
        )
    )


def lenet(models: Path, target: str, chosen: Plan) -> CompiledModel:
    sample = models / "fashion_mnist_sample.npz"
    return compile(models / "lenet.onnx", target, calibration=sample, plan=chosen)


@pytest.fixture(scope="module")
def mixed(models: Path) -> CompiledModel:
    return lenet(models, "dcim-small", plan("drum-k4", "exact-dadda"))


@needs_verilator
def test_a_bank_group_for_each_multiplier(mixed: CompiledModel) -> None:
    assert mixed.report["target"]["multipliers"] == ["exact-dadda", "drum-k4"]
    verify_network(mixed.network, 1)


@needs_verilator
def test_the_circuit_of_a_file_and_few_bits(models: Path) -> None:
    """A circuit as it is; weights of 4 bits share bytes."""
    names = str(FIXTURES / "mul8u_cut.v"), "trunc-c6-kz"
    compiled = lenet(models, "dcim-small", plan(*names, bits=4))
    layers = [layer for layer in compiled.report["layers"] if layer["macs"]]
    assert {layer["packing"] for layer in layers} == {"banks"}
    verify_network(compiled.network, 1)


@needs_icarus
@pytest.mark.slow
def test_a_table_of_a_file(models: Path, tmp_path: Path) -> None:
    """A constant in every lane, which Verilator takes very long to compile."""
    table = np.multiply.outer(np.arange(256), np.arange(256)) & ~7
    np.save(tmp_path / "cut.npy", table)
    compiled = lenet(models, "dcim-small", plan(str(tmp_path / "cut.npy")))
    compiled.verify("rtl", simulator="icarus")


@needs_verilator
def test_groups_in_another_order_are_seen(mixed: CompiledModel) -> None:
    """The comparison can fail: the RTL has the multipliers of the two groups swapped."""
    part = mixed.compilation
    image = part.image
    packed = pack_inputs(image, random_input(image))
    emulated = run_batch(image, packed, regions=True)
    target = replace(image.target, multipliers=image.target.multipliers[::-1])
    swapped = replace(part, image=replace(image, target=target))
    with pytest.raises(VerifyFailed, match="the emulator"):
        check_rtl(swapped, packed, emulated, "verilator", Comparison(), quiet)


def test_more_multipliers_than_clusters(models: Path) -> None:
    message = "target 'dcim-small' has 2 clusters .* but the layers use 3: .*; use at most 2"
    with pytest.raises(InvalidInput, match=message):
        lenet(models, "dcim-small", plan("exact-dadda", "drum-k4", "ssm-k5"))


def test_a_multiplier_that_is_too_narrow(models: Path, tmp_path: Path) -> None:
    narrow = tmp_path / "narrow.npy"
    np.save(narrow, np.multiply.outer(np.arange(16), np.arange(16)))
    with pytest.raises(InvalidInput, match="magnitudes of 4 bits, but target 'dcim-small'"):
        lenet(models, "dcim-small", plan(str(narrow)))


@needs_icarus
@pytest.mark.slow
def test_an_output_directory_runs_alone(mixed: CompiledModel, tmp_path: Path) -> None:
    mixed.verify("emulate")
    mixed.save(tmp_path / "out")
    command = [sys.executable, "-m", "cosim", "--simulator", "icarus"]
    done = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize(
    "multipliers", [("exact-dadda",), ("openacm-antonio",), ("drum-k4", "exact-dadda")]
)
def test_lenet_on_the_full_machine(multipliers: tuple[str, ...], models: Path) -> None:
    verify_network(lenet(models, "dcim", plan(*multipliers)).network, 1)


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet8", "resnet18_w16"])
@pytest.mark.parametrize("multiplier", ["mitchell-w5", "daism-pc3-lj", "trunc-c6-kz"])
def test_trained_networks(name: str, multiplier: str, models: Path) -> None:
    sample = models / "fashion_mnist_sample.npz"
    path = models / f"{name}.onnx"
    compiled = compile(path, "dcim", calibration=sample, multiplier=multiplier)
    verify_network(compiled.network, 1)
