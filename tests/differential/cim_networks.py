"""Builds small networks directly at the `cim` level, with random weights, and compiles them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import FloatAttr, IntegerType, ModuleOp, Signedness, StringAttr, f64, i32
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue

from cimc import targets
from cimc.backend.image import Image, build
from cimc.diagnostics import onnx_loc
from cimc.dialects import cim
from cimc.dialects.nn import BlobAttr, int_array, int_attr
from cimc.passes.allocate import AllocatePass
from cimc.passes.context import CimContext
from cimc.passes.estimate_cycles import EstimateCyclesPass
from cimc.passes.schedule_commands import SchedulePass
from cimc.passes.tile import TilePass
from cimc.quant import encode_multiplier_vector
from cimc.weights import WeightStore

UI8 = IntegerType(8, Signedness.UNSIGNED)
SI8 = IntegerType(8, Signedness.SIGNED)


def code_range(signed: bool, bits: int) -> tuple[int, int]:
    """Smallest and largest code of `bits` bits around zero point 0."""
    most = (1 << bits - signed) - 1
    return -most if signed else 0, most


class NetworkBuilder:
    """Appends layers; the last value is the network's output."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.store = WeightStore()
        self.block = Block()

    def _add(self, op, name: str):
        op.location = onnx_loc(f"/{name}", "test.onnx", len(self.block.ops))
        self.block.add_op(op)
        return op

    def input(
        self,
        shape: Sequence[int],
        *,
        signed: bool = False,
        zero: int = 0,
        halo=(0, 0, 0, 0),
        bits: int = 8,
    ) -> SSAValue:
        kind = cim.ActType.of(shape, SI8 if signed else UI8, zero, halo)
        low, high = code_range(signed, bits)
        scale = FloatAttr(1.0, f64)
        return self._add(cim.InputOp("x", scale, low, high, kind), "input").y

    def conv(
        self,
        x: SSAValue,
        outputs: int,
        kernel: Sequence[int],
        *,
        strides=(1, 1),
        pads=(0, 0, 0, 0),
        dilations=(1, 1),
        group: int = 1,
        multiplier: str = "daism-pc3-lj",
        signed: bool = False,
        zero: int = 0,
        halo=(0, 0, 0, 0),
        bits: tuple[int, int] = (8, 8),
        result_bits: int = 8,
        name: str = "conv",
    ) -> SSAValue:
        """`bits`: of the weights and of the codes of `x`; fewer than 8 with zero point 0 only."""
        source = cim.act_type(x)
        channels = source.hwc[2] // group
        most = (1 << bits[0] - 1) - 1
        codes = self.rng.integers(-most, most + 1, (outputs, *kernel, channels)).astype(np.int8)
        taps = codes[0].size
        smaller = 2.0 ** (sum(bits) - 16)
        bias = (self.rng.integers(-2000, 2000, outputs) * smaller).astype(np.int32)
        gains = self.rng.uniform(0.5, 1.5, outputs) / (70 * np.sqrt(taps) * smaller)
        m, s = encode_multiplier_vector(gains * 2.0 ** (result_bits - 8))
        low, high = code_range(signed, result_bits)
        numbers = {
            "low": low,
            "high": high,
            "weight_zero": 0,
            "weight_bits": bits[0],
            "activation_bits": bits[1],
            "stored_bits": bits[0] - 1,
            "broadcast_bits": bits[1] - (source.signed and source.zero_point.data == 0),
            "group": group,
        }
        properties = {
            "weights": BlobAttr.of(self.store.put(codes), codes.shape, IntegerType(8)),
            "bias": BlobAttr.of(self.store.put(bias), bias.shape, i32),
            "requant_m": BlobAttr.of(self.store.put(m), m.shape, i32),
            "requant_s": BlobAttr.of(self.store.put(s), s.shape, IntegerType(8)),
            "kernel": int_array(kernel),
            "strides": int_array(strides),
            "pads": int_array(pads),
            "dilations": int_array(dilations),
            "multiplier": StringAttr(multiplier),
            "source_op": StringAttr("Conv"),
            **{key: int_attr(value) for key, value in numbers.items()},
        }
        h, w, _ = source.hwc
        oh = (h + pads[0] + pads[2] - (kernel[0] - 1) * dilations[0] - 1) // strides[0] + 1
        ow = (w + pads[1] + pads[3] - (kernel[1] - 1) * dilations[1] - 1) // strides[1] + 1
        kind = cim.ActType.of((oh, ow, outputs), SI8 if signed else UI8, zero, halo)
        return self._add(cim.ConvOp(x, kind, properties), name).y

    def depthwise(
        self,
        x: SSAValue,
        kernel: Sequence[int],
        *,
        strides=(1, 1),
        pads=(0, 0, 0, 0),
        dilations=(1, 1),
        signed: bool = False,
        zero: int = 0,
        weight_signed: bool = True,
        weight_zero: int = 0,
        halo=(0, 0, 0, 0),
        name: str = "depthwise",
    ) -> SSAValue:
        source = cim.act_type(x)
        h, w, c = source.hwc
        low, high = (-127, 128) if weight_signed else (0, 256)
        codes = self.rng.integers(low, high, (c, *kernel))
        codes = codes.astype(np.int8 if weight_signed else np.uint8)
        bias = self.rng.integers(-2000, 2000, c).astype(np.int32)
        gains = self.rng.uniform(0.5, 1.5, c) / (70 * np.sqrt(codes[0].size))
        m, s = encode_multiplier_vector(gains)
        numbers = {
            "low": -127 if signed else 0,
            "high": 127 if signed else 255,
            "weight_zero": weight_zero,
            "weight_bits": 8,
            "activation_bits": 8,
        }
        properties = {
            "weights": BlobAttr.of(self.store.put(codes), codes.shape, IntegerType(8)),
            "bias": BlobAttr.of(self.store.put(bias), bias.shape, i32),
            "requant_m": BlobAttr.of(self.store.put(m), m.shape, i32),
            "requant_s": BlobAttr.of(self.store.put(s), s.shape, IntegerType(8)),
            "kernel": int_array(kernel),
            "strides": int_array(strides),
            "pads": int_array(pads),
            "dilations": int_array(dilations),
            "source_op": StringAttr("Conv"),
            **{key: int_attr(value) for key, value in numbers.items()},
        }
        oh = (h + pads[0] + pads[2] - (kernel[0] - 1) * dilations[0] - 1) // strides[0] + 1
        ow = (w + pads[1] + pads[3] - (kernel[1] - 1) * dilations[1] - 1) // strides[1] + 1
        kind = cim.ActType.of((oh, ow, c), SI8 if signed else UI8, zero, halo)
        return self._add(cim.DepthwiseOp(x, kind, properties), name).y

    def pool(
        self,
        x: SSAValue,
        kind: str,
        kernel,
        *,
        strides=(1, 1),
        pads=(0, 0, 0, 0),
        halo=(0, 0, 0, 0),
    ) -> SSAValue:
        source = cim.act_type(x)
        h, w, c = source.hwc
        oh = (h + pads[0] + pads[2] - kernel[0]) // strides[0] + 1
        ow = (w + pads[1] + pads[3] - kernel[1]) // strides[1] + 1
        largest = kind == "max"
        zero = source.zero_point.data
        properties = {
            "kind": StringAttr(kind),
            "kernel": int_array(kernel),
            "strides": int_array(strides),
            "pads": int_array(pads),
            "dilations": int_array((1, 1)),
            "m0": int_attr(1 if largest else (1 << 20) // (kernel[0] * kernel[1])),
            "shift": int_attr(0 if largest else 20),
            "low": int_attr(-127 if source.signed else 0),
            "high": int_attr(127 if source.signed else 255),
            "halo_value": int_attr((-128 if source.signed else 0) if largest else zero),
            "source_op": StringAttr("MaxPool" if largest else "AveragePool"),
        }
        y = cim.ActType.of((oh, ow, c), source.storage, zero, halo)
        return self._add(cim.PoolOp(x, y, properties), f"{kind}_pool").y

    def add(self, a: SSAValue, b: SSAValue, *, signed: bool = False, halo=(0, 0, 0, 0)) -> SSAValue:
        properties = {
            "m0": int_attr(11_000_000),
            "m1": int_attr(7_000_001),
            "shift": int_attr(24),
            "low": int_attr(-127 if signed else 0),
            "high": int_attr(127 if signed else 255),
            "source_op": StringAttr("Add"),
        }
        kind = cim.ActType.of(cim.act_type(a).hwc, SI8 if signed else UI8, 0, halo)
        return self._add(cim.AddOp(a, b, kind, properties), "add").y

    def module(self, y: SSAValue) -> ModuleOp:
        """The finished module, verified."""
        h, w, c = cim.act_type(y).hwc
        self._add(cim.OutputOp(y, "y", FloatAttr(1.0, f64), (1, c, h, w)), "output")
        self.block.add_op(ReturnOp())
        module = ModuleOp([FuncOp("main", ((), ()), Region(self.block))])
        module.verify()
        return module


def compile_cim(module, store, target, *, tile=None, allocate=None) -> tuple[CimContext, Image]:
    """Run the cim passes; the module then has tilings and places."""
    ctx = CimContext(targets.get(target), store)
    for each in (tile or TilePass(), allocate or AllocatePass(), SchedulePass()):
        each.apply(ctx, module)
    EstimateCyclesPass().apply(ctx, module)
    module.verify()
    return ctx, build(ctx, module)


def lenet_like(seed: int, multiplier: str = "daism-pc3-lj") -> tuple[ModuleOp, WeightStore]:
    """Two convolutions with max pools, then two matrix products, on a 12 x 12 x 1 map."""
    net = NetworkBuilder(seed)
    x = net.input((12, 12, 1), signed=True, halo=(2, 2, 2, 2))
    x = net.conv(x, 6, (5, 5), pads=(2, 2, 2, 2), multiplier=multiplier, name="conv1")
    x = net.pool(x, "max", (2, 2), strides=(2, 2))
    x = net.conv(x, 16, (3, 3), multiplier=multiplier, name="conv2")
    x = net.pool(x, "max", (2, 2), strides=(2, 2))
    x = net.conv(x, 70, (2, 2), multiplier=multiplier, name="fc1")
    x = net.conv(x, 10, (1, 1), multiplier=multiplier, signed=True, name="fc2")
    return net.module(x), net.store


def mixed_bits(seed: int, multiplier: str = "daism-pc3-lj") -> tuple[ModuleOp, WeightStore]:
    """Convolutions whose weights and activations have 2 to 8 bits each, drawn at random.

    The first has few output channels, the second wants the lanes of all clusters twice.
    """
    net = NetworkBuilder(seed)
    a = [int(bits) for bits in net.rng.integers(2, 9, 5)]
    w = [int(bits) for bits in net.rng.integers(2, 9, 4)]
    one = (1, 1, 1, 1)
    x = net.input((9, 12, 3), signed=True, halo=one, bits=a[0])
    layers = ((7, (3, 3), one), (33, (3, 3), one), (140, (1, 1), (0,) * 4), (10, (9, 12), (0,) * 4))
    for i, (outputs, kernel, pads) in enumerate(layers):
        last = i == len(layers) - 1
        more = {"signed": last, "halo": one, "multiplier": multiplier, "name": f"conv{i}"}
        bits = {"bits": (w[i], a[i]), "result_bits": 8 if last else a[i + 1]}
        x = net.conv(x, outputs, kernel, pads=pads, **bits, **more)
    return net.module(x), net.store


def residual(seed: int, multiplier: str = "daism-pc3-lj") -> tuple[ModuleOp, WeightStore]:
    """A stem with max pool, a residual block with a strided branch, a global average and a head."""
    net = NetworkBuilder(seed)
    x = net.input((18, 18, 3), signed=True, halo=(3, 3, 3, 3))
    x = net.conv(
        x,
        20,
        (7, 7),
        strides=(2, 2),
        pads=(3, 3, 3, 3),
        multiplier=multiplier,
        halo=(1, 1, 1, 1),
        name="stem",
    )
    x = net.pool(x, "max", (3, 3), strides=(2, 2), pads=(1, 1, 1, 1), halo=(1, 1, 1, 1))
    a = net.conv(
        x,
        40,
        (3, 3),
        strides=(2, 2),
        pads=(1, 1, 1, 1),
        multiplier=multiplier,
        halo=(1, 1, 1, 1),
        name="a1",
    )
    a = net.conv(a, 40, (3, 3), pads=(1, 1, 1, 1), multiplier=multiplier, signed=True, name="a2")
    b = net.conv(x, 40, (1, 1), strides=(2, 2), multiplier=multiplier, signed=True, name="down")
    x = net.add(a, b)
    x = net.pool(x, "sum", (3, 3))
    x = net.conv(x, 10, (1, 1), multiplier=multiplier, signed=True, name="head")
    return net.module(x), net.store
