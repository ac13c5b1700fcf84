"""Plans that the compiler chooses, bits and multipliers by layer, on RTL: bytes and cycles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rtl_comparison import elements, verify_network
from simulators import needs_verilator

from cimc.api import CompiledModel, compile
from cimc.passes.plan import LayerPlan, Plan

pytestmark = pytest.mark.cosim

Record = Callable[[str, object], None]

ON_DAISM = {"choices": ("exact", "daism-fla-r4", "daism-pc4-lj", "daism-pc3-lj", "daism-hla-tr-lj")}
"""Multipliers of several rows and reads."""
ON_DCIM = {"choices": ("exact-dadda", "drum-k4")}


def chosen(models: Path, network: str, target: str, **asked: Any) -> CompiledModel:
    """A trained network with the bits and multipliers that the compiler finds."""
    sample = models / "fashion_mnist_sample.npz"
    return compile(models / f"{network}.onnx", target, calibration=sample, **asked)


def bank_groups(*fixed: tuple[str, str]) -> Plan:
    """A plan of multipliers by node; each one needs a bank group."""
    return Plan(tuple(LayerPlan(node, name) for node, name in fixed))


def check(compiled: CompiledModel, record: Record, kinds: int) -> None:
    """Nothing differs, and there are so many kinds of layers at least.

    A kind is a multiplier with its bits.
    """
    layers = [layer for layer in compiled.report["layers"] if layer["macs"]]
    used = {(each["multiplier"], each["weight_bits"], each["activation_bits"]) for each in layers}
    assert len(used) >= kinds, used
    found = verify_network(compiled.network, 1)
    record("rtl_bytes", elements(compiled.compilation.image))
    record("compared_bytes", found.errors["implementation"]["compared_bytes"])
    record("cycles", found.rtl_cycles)


@needs_verilator
def test_lenet_on_stored_rows(models: Path, record_property: Record) -> None:
    compiled = chosen(models, "lenet", "daism", target_sqnr=22, bits=(4, 8), **ON_DAISM)
    check(compiled, record_property, 3)
    assert compiled.report["target"]["multipliers"] == []


@needs_verilator
def test_lenet_on_bank_groups(models: Path, record_property: Record) -> None:
    """The plan gives the ends; the compiler one of both to the others, and bits to all."""
    plan = bank_groups(("node_conv2d", "drum-k4"), ("node_linear_2", "exact-dadda"))
    asked = {**ON_DCIM, "plan": plan, "target_sqnr": 20, "bits": (4, 8)}
    compiled = chosen(models, "lenet", "dcim", **asked)
    check(compiled, record_property, 3)
    assert set(compiled.report["target"]["multipliers"]) == set(ON_DCIM["choices"])


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize(("network", "bits"), [("resnet8", (4, 6, 8)), ("resnet18_w16", (4, 8))])
def test_residual_networks_on_stored_rows(
    network: str, bits: tuple[int, ...], models: Path, record_property: Record
) -> None:
    """Some layers read copies of fewer bits of what an addition reads, too."""
    compiled = chosen(models, network, "daism", target_sqnr=22, bits=bits, **ON_DAISM)
    check(compiled, record_property, 4)


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "first"), [("resnet8", "node_Conv_138"), ("resnet18_w16", "node_Conv_292")]
)
def test_residual_networks_on_bank_groups(
    network: str, first: str, models: Path, record_property: Record
) -> None:
    plan = bank_groups((first, "exact-dadda"), ("node_linear", "drum-k4"))
    asked = {**ON_DCIM, "plan": plan, "target_sqnr": 18, "bits": (4, 8)}
    compiled = chosen(models, network, "dcim", **asked)
    check(compiled, record_property, 3)
    assert len(compiled.report["target"]["multipliers"]) == 2
