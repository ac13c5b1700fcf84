"""Look-up tables, products, concatenations and moves on the RTL: bytes and cycles."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "differential"))
from nn_networks import FloatNetwork, check_levels
from small_onnx import model, node, save

from cimc.api import compile
from cimc.dialects import nn
from cimc.sim.cosim.tools import missing_tools
from cimc.sim.emulate import pack_inputs, run_batch
from cimc.sim.rtl_runner import simulate
from cimc.sim.verify import rtl_regions

pytestmark = [
    pytest.mark.cosim,
    pytest.mark.skipif(bool(missing_tools("verilator")), reason="needs g++, make and perl"),
]


@pytest.mark.parametrize("capacity", [None, 2500])
def test_every_operation(tmp_path: Path, capacity: int | None) -> None:
    """Two tables that alternate, in a buffer with room for all maps and in one without."""
    net = FloatNetwork(11)
    x = net.conv(net.input(3, 7, 6), 34, 3)
    gate = net.unary(net.global_pool(x), "Sigmoid")
    y = net.mul(net.unary(x, "HardSwish"), gate)
    y = net.concat(
        net.slice(y, (1, 1, 0), (7, 3, 3), (3, 2, 2)), net.slice(x, (0, 0, 1), (5, 3, 3))
    )
    y = net.resize(net.unary(net.shuffle(y, 3), "Sigmoid"), 2, 1)
    y = net.pool(y, nn.AveragePoolOp, (3, 2), (1, 1), (1, 1, 1, 0))
    y = net.add(y, net.global_pool(y), negate=True)
    flat = net.concat(net.flatten(y), net.flatten(net.unary(y, "Tanh")))
    module = net.module(flat)
    image, ctx, _, _ = check_levels(net, module, "daism-small", capacity)
    inputs = {"x0": net.rng.normal(0, 1, (1, 3, 7, 6)).astype(np.float32)}
    packed = pack_inputs(image, inputs)
    emulated = run_batch(image, packed, regions=True)
    assert ctx.cycles is not None
    run = simulate(
        image.target,
        image.with_inputs(packed),
        rtl_regions(image),
        max_cycles=ctx.cycles.total + 100,
        work_dir=tmp_path,
    )
    for region in image.regions:
        assert run.dumps[region.tag] == emulated.regions[region.tag].tobytes(), region.node
    assert run.cycles == ctx.cycles.total
    assert [r.cycle for r in run.retires] == [cycle for _, _, cycle in ctx.cycles.retires]


def test_every_program_of_a_network_with_a_part_on_the_host(tmp_path: Path) -> None:
    """The cycles are those of both programs."""
    weights = np.random.default_rng(4).normal(0, 0.3, (8, 3, 3, 3)).astype(np.float32)
    nodes = [
        node("Conv", ["x", "w"], "c"),
        node("LRN", ["c"], "n", size=3),
        node("Add", ["n", "c"], "a"),
        node("Sigmoid", ["a"]),
    ]
    compiled = compile(save(model(nodes, {"w": weights}), tmp_path), "daism-small")
    first, second = compiled.network.programs
    report = compiled.verify("rtl", images=2)
    assert report["cycles"]["rtl"] == first.cycles.total + second.cycles.total
    assert report["errors"]["implementation"]["differing_bytes"] == 0
