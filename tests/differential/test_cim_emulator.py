"""The scheduled program, emulated, computes what the cim interpreter computes: every tensor."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from cim_networks import NetworkBuilder, compile_cim, lenet_like, mixed_bits, residual

from cimc import targets
from cimc.backend.image import Image, build, unpack
from cimc.dialects.cim import ConvOp
from cimc.interp.cim import run as interpret
from cimc.passes.allocate import AllocatePass
from cimc.passes.context import CimContext
from cimc.passes.schedule_commands import SchedulePass
from cimc.passes.tile import TilePass
from cimc.sim.emulator import Emulator
from cimc.targets.isa import Opcode


def check(module, store, image: Image, batch: int = 2) -> None:
    """Emulate `batch` random inputs; compare every region with the interpreter."""
    port = image.inputs[0]
    rng = np.random.default_rng(7)
    codes = rng.integers(port.low, port.high + 1, (batch, *port.type.hwc))
    expected = interpret(module, store, {port.name: codes})
    emulator = Emulator(image.target, image.dram, batch=batch)
    emulator.write_dram(port.address, port.pack(codes))
    regions = {r.tag: r for r in image.regions}
    seen = []

    def compare(tag: int, machine: Emulator) -> None:
        region = regions[tag]
        read = machine.read_dram if region.space == "dram" else machine.read_buffer
        found = unpack(region.type, read(region.address, region.size))
        if region.op in expected.tensors:
            np.testing.assert_array_equal(found, expected.tensors[region.op], region.node)
        seen.append(tag)

    emulator.run(on_retire=compare)
    assert seen == [r.tag for r in image.regions]
    out = image.outputs[0]
    found = unpack(out.type, emulator.read_dram(out.address, out.type.size_bytes))
    np.testing.assert_array_equal(found, expected.outputs[out.name])
    assert (found[0] != found[1]).any(), "two inputs must give two outputs"


@pytest.mark.parametrize("target", ["daism", "daism-small"])
@pytest.mark.parametrize("network", [lenet_like, residual])
def test_emulator_equals_interpreter(network, target):
    module, store = network(3)
    _, image = compile_cim(module, store, target)
    check(module, store, image)


@pytest.mark.parametrize(
    "multiplier",
    [
        "exact",
        "daism-fla",
        "daism-hla",
        "daism-hla-lh",
        "daism-pc2-tr",
        "daism-pc4-lj",
        "daism-pc3-tr-lj",
        "daism-fla-r4",
        "daism-pc2-r2b",
    ],
)
def test_every_kind_of_multiplier(multiplier):
    module, store = residual(4, multiplier)
    _, image = compile_cim(module, store, "daism")
    check(module, store, image)


@pytest.mark.parametrize("capacity", [4000, 2600, 1500, 950])
def test_spilled_tensors_in_strips(capacity):
    """With a small activation buffer maps go to DRAM and layers run in strips of rows."""
    module, store = residual(5)
    _, image = compile_cim(module, store, "daism", allocate=AllocatePass(capacity=capacity))
    spilled = [r for r in image.regions if r.space == "dram"]
    assert len(spilled) > 1
    check(module, store, image)


def test_small_tiles_and_blocks_keep_partial_sums():
    module, store = lenet_like(6)
    _, image = compile_cim(module, store, "daism", tile=TilePass(max_steps=2, max_pixels=30))
    assert any(c.opcode is Opcode.ARRAY and c["psum_in"] for c in image.commands)
    check(module, store, image)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_convolutions(data):
    """Shapes, strides, pads, dilations, groups, signs and zero points at random."""
    draw = data.draw
    net = NetworkBuilder(draw(st.integers(0, 1 << 20)))
    group = draw(st.sampled_from([1, 1, 2, 3, 11, 30]))
    channels = group * draw(st.integers(1, 12 if group < 11 else 3))
    outputs = group * draw(st.integers(1, 40 if group < 11 else 5))
    kernel = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    dilations = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    strides = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    pads = tuple(draw(st.integers(0, 2)) for _ in range(4))
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    height = draw(st.integers(max(1, span[0]), span[0] + 6))
    width = draw(st.integers(max(1, span[1]), span[1] + 6))
    signed = draw(st.booleans())
    zeros = st.integers(-128, 127) if signed else st.integers(0, 255)
    zero = draw(st.just(0) | zeros)
    bits = draw(st.integers(2, 8)), draw(st.integers(2, 8) if zero == 0 else st.just(8))
    x = net.input((height, width, channels), signed=signed, zero=zero, halo=pads, bits=bits[1])
    y = net.conv(
        x,
        outputs,
        kernel,
        strides=strides,
        pads=pads,
        dilations=dilations,
        group=group,
        signed=True,
        multiplier=draw(st.sampled_from(["daism-pc3-lj", "daism-fla", "exact"])),
        bits=bits,
    )
    module = net.module(y)
    target = draw(st.sampled_from(["daism", "daism-small"]))
    ctx = CimContext(targets.get(target), net.store)
    tile = TilePass(
        packing=draw(st.sampled_from([None, "bytes", "banks", "lanes"])),
        pixels=draw(st.none() | st.integers(1, 4)),
        wide=draw(st.none() | st.integers(0, 1)),
        max_steps=draw(st.none() | st.integers(1, 9)),
    )
    for each in (tile, AllocatePass(), SchedulePass()):
        each.apply(ctx, module)
    image = build(ctx, module)
    port = image.inputs[0]
    codes = net.rng.integers(port.low, port.high + 1, (1, *port.type.hwc))
    expected = interpret(module, net.store, {"x": codes}).outputs["y"]
    emulator = Emulator(image.target, image.dram)
    emulator.write_dram(port.address, port.pack(codes))
    emulator.run()
    out = image.outputs[0]
    found = unpack(out.type, emulator.read_dram(out.address, out.type.size_bytes))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("target", ["daism", "daism-small"])
@pytest.mark.parametrize("packing", ["bytes", "banks", "lanes"])
@pytest.mark.parametrize("wide", [0, 1])
def test_every_use_of_the_lanes(packing, wide, target):
    """Weights and activations of all widths; layers that cannot have the packing have another."""
    uses = set()
    for seed in range(3):
        module, store = mixed_bits(seed)
        tile = TilePass(packing=packing, wide=wide, max_steps=7)
        _, image = compile_cim(module, store, target, tile=tile)
        check(module, store, image)
        uses |= {op.tiling.use for op in module.walk() if isinstance(op, ConvOp)}
    assert any(u.packing.name.lower() == packing and u.wide == wide for u in uses)
    assert target == "daism-small" or any(u.pixels > 1 for u in uses)


def test_a_wrong_stride_is_seen():
    """The comparison above can fail: one byte off in the stride of one command."""
    module, store = lenet_like(8)
    ctx, _ = compile_cim(module, store, "daism")
    assert ctx.schedule is not None
    array = next(s for s in ctx.schedule.steps if s.command.opcode is Opcode.ARRAY)
    array.command.values["src_y"] += 1
    with pytest.raises(AssertionError, match="conv1"):
        check(module, store, build(ctx, module))
