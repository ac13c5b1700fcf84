"""Builds small float networks at the `nn` level, and runs them through all levels, for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import (
    ArrayAttr,
    BoolAttr,
    FunctionType,
    ModuleOp,
    StringAttr,
    TensorType,
    UnitAttr,
    f32,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue

from cimc import targets
from cimc.backend.image import Image, build, unpack
from cimc.diagnostics import onnx_loc
from cimc.dialects import nn
from cimc.dialects.nn import float_attr, int_array, int_attr, shape_of, store_blob, window_shape
from cimc.frontend.data import Calibration
from cimc.interp import cim as cim_level
from cimc.interp import nn as nn_level
from cimc.passes.allocate import AllocatePass
from cimc.passes.context import CimContext
from cimc.passes.pipeline import PASSES, PIPELINE
from cimc.sim.emulator import Emulator
from cimc.weights import WeightStore


class FloatNetwork:
    """Appends operations; `module` closes the function."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.store = WeightStore()
        self.block = Block()
        self.names: list[str] = []

    def input(self, *shape: int) -> SSAValue:
        """An argument [1, *shape]."""
        self.names.append(f"x{len(self.names)}")
        return self.block.insert_arg(TensorType(f32, (1, *shape)), len(self.block.args))

    def op(self, kind: type, operands: Sequence[SSAValue], shape: Sequence[int], **fields):
        """Append an operation with result [1, *shape]."""
        op = kind(list(operands), TensorType(f32, (1, *shape)), fields)
        name = f"{kind.__name__}_{len(self.block.ops)}"
        op.location = onnx_loc(name, "test.onnx", len(self.block.ops))
        self.block.add_op(op)
        return op.y

    def like(self, kind: type, *operands: SSAValue, **fields) -> SSAValue:
        """An operation whose result has the shape of its first operand."""
        return self.op(kind, operands, shape_of(operands[0])[1:], **fields)

    def unary(self, x: SSAValue, function: str, *parameters: float) -> SSAValue:
        given = dict(zip(("alpha", "beta"), map(float_attr, parameters), strict=False))
        return self.like(nn.UnaryOp, x, function=StringAttr(function), **given)

    def add(self, a: SSAValue, b: SSAValue, *, negate: bool = False) -> SSAValue:
        return self.like(nn.AddOp, a, b, **({"negate_b": UnitAttr()} if negate else {}))

    def mul(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.like(nn.MulOp, a, b)

    def concat(self, *xs: SSAValue) -> SSAValue:
        shapes = [shape_of(x)[1:] for x in xs]
        return self.op(nn.ConcatOp, xs, (sum(s[0] for s in shapes), *shapes[0][1:]))

    def slice(self, x: SSAValue, starts, sizes, steps=(1, 1, 1)) -> SSAValue:
        fields = {"starts": starts, "sizes": sizes, "steps": steps}
        return self.op(nn.SliceOp, [x], sizes, **{k: int_array(v) for k, v in fields.items()})

    def resize(self, x: SSAValue, down: int, across: int) -> SSAValue:
        _, c, h, w = shape_of(x)
        return self.op(nn.ResizeOp, [x], (c, h * down, w * across), scale=int_array((down, across)))

    def shuffle(self, x: SSAValue, groups: int) -> SSAValue:
        return self.like(nn.ShuffleOp, x, groups=int_attr(groups))

    def flatten(self, x: SSAValue) -> SSAValue:
        return self.op(nn.FlattenOp, [x], (int(np.prod(shape_of(x)[1:])),))

    def unflatten(self, x: SSAValue) -> SSAValue:
        return self.op(nn.UnflattenOp, [x], (shape_of(x)[1], 1, 1))

    def global_pool(self, x: SSAValue) -> SSAValue:
        return self.op(nn.GlobalAveragePoolOp, [x], (shape_of(x)[1], 1, 1))

    def pool(
        self, x: SSAValue, kind: type, kernel, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1)
    ) -> SSAValue:
        """A max pool, or an average that does not count padding."""
        _, c, *size = shape_of(x)
        fields = {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations}
        properties = {k: int_array(v) for k, v in fields.items()}
        if kind is nn.AveragePoolOp:
            properties["count_include_pad"] = BoolAttr.from_bool(False)
        out = window_shape(size, kernel, strides, pads, dilations)
        return self.op(kind, [x], (c, *out), **properties)

    def conv(self, x: SSAValue, outputs: int, kernel: int = 1, group: int = 1) -> SSAValue:
        """A convolution that keeps height and width (odd kernels)."""
        _, c, h, w = shape_of(x)
        weights = self.rng.normal(0, 1, (outputs, c // group, kernel, kernel)).astype(np.float32)
        fields = {"kernel": (kernel,) * 2, "strides": (1, 1), "dilations": (1, 1)}
        properties = {k: int_array(v) for k, v in fields.items()}
        properties |= {
            "weights": store_blob(self.store, weights),
            "pads": int_array((kernel // 2,) * 4),
            "group": int_attr(group),
        }
        return self.op(nn.ConvOp, [x], (outputs, h, w), **properties)

    def gemm(self, x: SSAValue, outputs: int) -> SSAValue:
        weights = self.rng.normal(0, 1, (outputs, shape_of(x)[1])).astype(np.float32)
        return self.op(nn.GemmOp, [x], (outputs,), weights=store_blob(self.store, weights))

    def module(self, *ys: SSAValue) -> ModuleOp:
        """The finished module, verified."""
        self.block.add_op(ReturnOp(*ys))
        kind = FunctionType.from_lists([a.type for a in self.block.args], [y.type for y in ys])
        function = FuncOp("main", kind, Region(self.block))
        results = [f"y{i}" for i in range(len(ys))]
        for key, names in (("arg_names", self.names), ("res_names", results)):
            function.attributes[key] = ArrayAttr([StringAttr(name) for name in names])
        module = ModuleOp([function])
        module.verify()
        return module

    def data(self, module: ModuleOp, count: int = 3) -> dict[str, np.ndarray]:
        """Random inputs [count, ...] by name."""
        arguments = nn_level.main_function(module).body.block.args
        shapes = [shape_of(a)[1:] for a in arguments]
        return {
            name: self.rng.normal(0, 1, (count, *shape)).astype(np.float32)
            for name, shape in zip(self.names, shapes, strict=True)
        }


def check_levels(
    net: FloatNetwork, module: ModuleOp, target: str = "daism", capacity: int | None = None
) -> tuple[Image, CimContext, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Compile; nn interpreter = cim interpreter = emulator on every tensor.

    Returns image, context, float outputs of the float network and of the quantised one.
    """
    data = net.data(module)
    calibration = Calibration(data, "test", True)
    ctx = CimContext(targets.get(target), net.store, calibration)
    real = nn_level.run(module, net.store, data).outputs
    options = {"assign-multiplier": {"multiplier": "exact"}}
    quantised = None
    for name in PIPELINE:
        each = PASSES[name]()(**options.get(name, {}))
        (AllocatePass(capacity=capacity) if name == "cim-allocate" else each).apply(ctx, module)
        module.verify()
        if name == "quantise":
            quantised = module.clone()
    assert quantised is not None
    found = nn_level.run(quantised, net.store, data).outputs
    image = build(ctx, module)
    codes = {port.name: port.codes(data[port.name]) for port in image.inputs}
    expected = cim_level.run(module, net.store, codes)
    machine = Emulator(image.target, image.dram, batch=3)
    for port in image.inputs:
        machine.write_dram(port.address, port.pack(codes[port.name]))
    regions = {r.tag: r for r in image.regions}

    def compare(tag: int, machine: Emulator) -> None:
        region = regions[tag]
        read = machine.read_dram if region.space == "dram" else machine.read_buffer
        got = unpack(region.type, read(region.address, region.size))
        if region.op in expected.tensors:
            np.testing.assert_array_equal(got, expected.tensors[region.op], region.node)

    machine.run(on_retire=compare)
    for port in image.outputs:
        got = port.values(machine.read_dram(port.address, port.type.size_bytes))
        np.testing.assert_array_equal(got, found[port.name])
    return image, ctx, real, found
