"""Depthwise layers: the interpreter against plain loops, the emulated program against both."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from cim_networks import NetworkBuilder, compile_cim
from depthwise_networks import separable
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cim_emulator import check
from xdsl.dialects.builtin import ModuleOp

from cimc.backend.image import build
from cimc.dialects.cim import DepthwiseOp, act_type, ints
from cimc.interp.cim import run as interpret
from cimc.passes.allocate import AllocatePass
from cimc.quant import requantise
from cimc.sim.emulator import Emulator
from cimc.targets import get
from cimc.targets.isa import Opcode, VectorOp
from cimc.weights import WeightStore


@st.composite
def depthwise_layers(draw: st.DrawFn) -> tuple[ModuleOp, WeightStore]:
    """One layer: kernel 1..7, stride 1..2, pads, dilations, signs, zero points, any channels."""
    net = NetworkBuilder(draw(st.integers(0, 1 << 20)))
    kernel = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    dilations = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    strides = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    pads = tuple(draw(st.integers(0, 3)) for _ in range(4))
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    height = draw(st.integers(max(1, span[0] - pads[0] - pads[2]), span[0] + 4))
    width = draw(st.integers(max(1, span[1] - pads[1] - pads[3]), span[1] + 4))
    channels = draw(st.integers(1, 70))
    signed, weight_signed = draw(st.booleans()), draw(st.booleans())
    zero = draw(st.integers(-128, 127) if signed else st.integers(0, 255))
    weight_zero = draw(st.integers(-128, 127) if weight_signed else st.integers(0, 255))
    x = net.input((height, width, channels), signed=signed, zero=zero, halo=pads)
    y = net.depthwise(
        x,
        kernel,
        strides=strides,
        pads=pads,
        dilations=dilations,
        signed=draw(st.booleans()),
        weight_signed=weight_signed,
        weight_zero=weight_zero,
    )
    return net.module(y), net.store


def layer_of(module: ModuleOp) -> DepthwiseOp:
    return next(op for op in module.walk() if isinstance(op, DepthwiseOp))


def by_loops(op: DepthwiseOp, store: WeightStore, x: np.ndarray) -> np.ndarray:
    """Codes [OH, OW, C] of one input [H, W, C], written like the ONNX operator."""
    height, width, channels = act_type(op.y).hwc
    (kh, kw), (sh, sw), (dh, dw) = ints(op.kernel), ints(op.strides), ints(op.dilations)
    top, left, _, _ = ints(op.pads)
    weights = store.get(op.weights.key.data).astype(int) - op.weight_zero.value.data
    acc = np.zeros((height, width, channels), int)
    for y in range(height):
        for z in range(width):
            for ky in range(kh):
                for kx in range(kw):
                    row, column = y * sh + ky * dh - top, z * sw + kx * dw - left
                    if 0 <= row < x.shape[0] and 0 <= column < x.shape[1]:
                        real = x[row, column] - act_type(op.x).zero_point.data
                        acc[y, z] += real * weights[:, ky, kx]
    vectors = (store.get(b.key.data) for b in (op.bias, op.requant_m, op.requant_s))
    ends = act_type(op.y).zero_point.data, op.low.value.data, op.high.value.data
    return requantise(acc, *vectors, *ends)


@settings(max_examples=40, deadline=None)
@given(depthwise_layers(), st.sampled_from(["daism", "daism-small"]))
def test_random_layers(layer: tuple[ModuleOp, WeightStore], target: str) -> None:
    module, store = layer
    _, image = compile_cim(module, store, target)
    port = image.inputs[0]
    codes = np.random.default_rng(1).integers(port.low, port.high + 1, (1, *port.type.hwc))
    expected = interpret(module, store, {"x": codes}).outputs["y"]
    np.testing.assert_array_equal(expected[0], by_loops(layer_of(module), store, codes[0]))
    machine = Emulator(image.target, image.dram)
    machine.write_dram(port.address, port.pack(codes))
    machine.run()
    out = image.outputs[0]
    found = machine.read_dram(out.address, out.type.size_bytes)
    signed = found.view(np.int8) if out.type.signed else found
    np.testing.assert_array_equal(signed.reshape(expected.shape), expected)


@pytest.mark.parametrize("target", ["daism", "daism-small"])
def test_chain_with_convolutions(target: str) -> None:
    module, store = separable(1)
    _, image = compile_cim(module, store, target)
    check(module, store, image)


@pytest.mark.parametrize("capacity", [4000, 2000])
def test_strips(capacity: int) -> None:
    """Maps that do not fit the buffer: each strip loads its taps again."""
    module, store = separable(2)
    _, image = compile_cim(module, store, "daism-small", allocate=AllocatePass(capacity=capacity))
    assert any(r.space == "dram" and isinstance(r.op, DepthwiseOp) for r in image.regions)
    check(module, store, image)


def test_taps_load_while_the_unit_computes() -> None:
    """Ping-pong: only the first load of a layer is waited for."""
    net = NetworkBuilder(3)
    x = net.input((20, 20, 160), halo=(1, 1, 1, 1))
    module = net.module(net.depthwise(x, (3, 3), pads=(1, 1, 1, 1)))
    ctx, image = compile_cim(module, net.store, "daism")
    assert ctx.cycles is not None
    spans = [
        (start, done)
        for command, start, done in zip(
            image.commands, ctx.cycles.start, ctx.cycles.done, strict=False
        )
        if command.opcode is Opcode.VECTOR
    ]
    assert len(spans) == 5
    slots = 20 * 20 * 9 + get("daism").timing.vector_latency + 1
    for (_, before), (start, done) in pairwise(spans):
        assert done - start == slots
        assert start == before + 1


def test_a_wrong_tap_is_seen() -> None:
    """The comparison above can fail: one command starts at the second tap."""
    module, store = separable(4)
    ctx, _ = compile_cim(module, store, "daism")
    assert ctx.schedule is not None
    step = next(s for s in ctx.schedule.steps if s.command["op"] == VectorOp.DEPTHWISE)
    step.command.values["tap_base"] += 1
    with pytest.raises(AssertionError, match="depthwise1"):
        check(module, store, build(ctx, module))
