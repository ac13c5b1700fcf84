"""`nn-to-cim`: put a quantised network on the accelerator's layers.

NCHW becomes HWC: weights are reordered to output, height, width, input channel, a flatten
disappears into the matrix product behind it, and a matrix product becomes a convolution whose
window is the whole map. Depthwise convolutions with exact products go to the vector unit
(`cim.depthwise`), all others to the array. Halos are as wide as the widest padding among a
tensor's consumers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import (
    ArrayAttr,
    IntegerType,
    ModuleOp,
    StringAttr,
    i32,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from cimc.diagnostics import fuse_locs, pass_fail
from cimc.dialects import cim, nn
from cimc.dialects.nn import BlobAttr, QuantType, int_array, int_attr, quant_of, shape_of
from cimc.passes.context import cim_context
from cimc.passes.depthwise import on_vector_unit
from cimc.passes.lower_vector_ops import lower as lower_vector
from cimc.targets import Geometry
from cimc.weights import WeightStore

Margins = tuple[int, int, int, int]
_WINDOW = ("kernel", "strides", "pads", "dilations")
NO_MARGINS: Margins = (0, 0, 0, 0)


def _pads(op: Operation) -> Margins:
    """Padding that `op` reads around its operands: top, left, bottom, right."""
    if isinstance(op, nn.ConvOp | nn.MaxPoolOp | nn.AveragePoolOp):
        top, left, bottom, right = (int(p) for p in op.pads.get_values())
        return top, left, bottom, right
    return NO_MARGINS


def _halo(value: SSAValue) -> Margins:
    """The widest padding that any user of `value` reads, under whatever shape."""
    users = [use.operation for use in value.uses]
    pads = [
        _halo(user.y) if isinstance(user, nn.FlattenOp | nn.UnflattenOp) else _pads(user)
        for user in users
    ]
    sides = zip(*pads, strict=True) if pads else ((0,),) * 4
    top, left, bottom, right = (max(side) for side in sides)
    return top, left, bottom, right


def _map_shape(value: SSAValue) -> tuple[int, int, int]:
    """Height, width, channels of a [1, C, H, W] or [1, C] tensor."""
    _, channels, *size = shape_of(value)
    height, width = size or (1, 1)
    return height, width, channels


def _act(value: SSAValue) -> cim.ActType:
    quant = quant_of(value)
    assert quant is not None, "nn-to-cim runs on a quantised module"
    return cim.ActType.of(_map_shape(value), quant.storage, quant.zero, _halo(value))


def _number(value: Attribute | None) -> Attribute:
    assert value is not None, "the quantise pass sets every integer field"
    return value


class _Lowering:
    """Lowers one function; `values` maps nn tensors to activation maps."""

    def __init__(self, store: WeightStore, geometry: Geometry):
        self.store = store
        self.geometry = geometry
        self.values: dict[SSAValue, SSAValue] = {}
        self.vectors: dict[SSAValue, SSAValue] = {}
        self.block = Block()

    def emit(self, op: Operation, source: Operation, result: SSAValue | None = None) -> None:
        """Append `op` with the location of `source`; it stands for nn value `result`."""
        op.location = fuse_locs(source)
        self.block.add_op(op)
        if result is not None:
            self.values[result] = op.results[0]

    def lower(self, op: Operation, names: dict[SSAValue, str]) -> None:
        """Lower one nn op; `names` gives the ONNX names of the function's ends."""
        match op:
            case nn.QuantizeOp():
                self._input(op, names[op.x])
            case nn.DequantizeOp():
                self._output(op, names[op.y])
            case nn.ConvOp() if on_vector_unit(op, self.geometry):
                self._depthwise(op)
            case nn.ConvOp() | nn.GemmOp():
                self._conv(op)
            case nn.MaxPoolOp() | nn.AveragePoolOp() | nn.GlobalAveragePoolOp():
                self._pool(op)
            case (
                nn.AddOp()
                | nn.MulOp()
                | nn.UnaryOp()
                | nn.ConcatOp()
                | nn.SliceOp()
                | nn.ResizeOp()
                | nn.ShuffleOp()
            ):
                operands = [self._as_shaped(value) for value in op.operands]
                self.emit(lower_vector(op, operands, _act(op.y)), op, op.y)
            case nn.FlattenOp():
                self.values[op.y] = self.values[op.x]
            case nn.UnflattenOp():
                self.values[op.y] = self._as_shaped(op.x)
            case ReturnOp():
                pass
            case _:
                raise pass_fail(op, "has no unit on the accelerator")

    def _input(self, op: nn.QuantizeOp, name: str) -> None:
        quant = _quant(op.y)
        low, high = op.low.value.data, op.high.value.data
        self.emit(cim.InputOp(name, quant.scale, low, high, _act(op.y)), op, op.y)

    def _output(self, op: nn.DequantizeOp, name: str) -> None:
        value = self.values[op.x]
        self.emit(cim.OutputOp(value, name, _quant(op.x).scale, shape_of(op.y)), op)

    def _conv(self, op: nn.ConvOp | nn.GemmOp) -> None:
        x = self.values[op.x]
        height, width, channels = cim.act_type(x).hwc
        codes = self.store.get(op.weights.key.data)
        outputs = codes.shape[0]
        if isinstance(op, nn.ConvOp):
            window = {name: op.properties[name] for name in (*_WINDOW, "group")}
        else:
            codes = codes.reshape(outputs, channels, height, width)
            window = {
                "kernel": int_array((height, width)),
                "strides": int_array((1, 1)),
                "pads": int_array(NO_MARGINS),
                "dilations": int_array((1, 1)),
                "group": int_attr(1),
            }
        stored, broadcast = nn.operand_bits(op)
        properties = self._weighted(op, codes.transpose(0, 2, 3, 1)) | window
        properties |= {
            "multiplier": _number(op.multiplier),
            "stored_bits": int_attr(stored),
            "broadcast_bits": int_attr(broadcast),
            "source_op": StringAttr("Conv" if isinstance(op, nn.ConvOp) else "Gemm"),
        }
        self.emit(cim.ConvOp(x, _act(op.y), properties), op, op.y)

    def _depthwise(self, op: nn.ConvOp) -> None:
        codes = self.store.get(op.weights.key.data)[:, 0]
        properties = self._weighted(op, codes) | {name: op.properties[name] for name in _WINDOW}
        properties["source_op"] = StringAttr("Conv")
        self.emit(cim.DepthwiseOp(self.values[op.x], _act(op.y), properties), op, op.y)

    def _weighted(self, op: nn.ConvOp | nn.GemmOp, codes: np.ndarray) -> dict[str, Attribute]:
        """What all layers with constant weights have; `codes` are in their order."""
        fields = ("low", "high", "weight_zero", "weight_bits", "activation_bits")
        properties = {name: _number(op.properties.get(name)) for name in fields}
        return properties | {
            "weights": self._blob(codes, IntegerType(8)),
            "bias": op.bias or self._blob(np.zeros(len(codes), np.int32), i32),
            "requant_m": _number(op.requant_m),
            "requant_s": _number(op.requant_s),
        }

    def _pool(self, op: nn.MaxPoolOp | nn.AveragePoolOp | nn.GlobalAveragePoolOp) -> None:
        x = self.values[op.x]
        height, width, _ = cim.act_type(x).hwc
        whole = isinstance(op, nn.GlobalAveragePoolOp)
        largest = isinstance(op, nn.MaxPoolOp)
        quant = _quant(op.x)
        properties: dict[str, Attribute] = {
            "kind": StringAttr("max" if largest else "sum"),
            "kernel": int_array((height, width)) if whole else op.kernel,
            "strides": int_array((1, 1)) if whole else op.strides,
            "pads": int_array(NO_MARGINS) if whole else op.pads,
            "dilations": int_array(op.steps if isinstance(op, nn.WindowPoolOp) else (1, 1)),
            "halo_value": int_attr(quant.limits[0] if largest else quant.zero),
            "source_op": StringAttr(_POOL_NAMES[type(op)]),
        }
        fields = ("m0", "shift", "low", "high")
        properties |= {name: _number(op.properties.get(name)) for name in fields}
        varying = ("divisors", "factors", "shifts")
        properties |= {name: op.properties[name] for name in varying if name in op.properties}
        self.emit(cim.PoolOp(x, _act(op.y), properties), op, op.y)

    def _as_shaped(self, value: SSAValue) -> SSAValue:
        """The map of `value` in the order of its own shape.

        A flattened map is still in the order height, width, channel, which matrix products and
        outputs take as it is; here its codes are moved to the order of ONNX.
        """
        found = self.values[value]
        kind = cim.act_type(found)
        if kind.hwc == _map_shape(value):
            return found
        if value not in self.vectors:
            assert isinstance(value.owner, Operation)
            op = cim.FlattenOp(found, _act(value), {"source_op": StringAttr("Flatten")})
            self.emit(op, value.owner)
            self.vectors[value] = op.y
        return self.vectors[value]

    def _blob(self, array: np.ndarray, element: Attribute) -> BlobAttr:
        array = np.ascontiguousarray(array)
        return BlobAttr.of(self.store.put(array), array.shape, element)


_POOL_NAMES = {
    nn.MaxPoolOp: "MaxPool",
    nn.AveragePoolOp: "AveragePool",
    nn.GlobalAveragePoolOp: "GlobalAveragePool",
}


def _quant(value: SSAValue) -> QuantType:
    quant = quant_of(value)
    assert quant is not None
    return quant


def _names(function: FuncOp) -> dict[SSAValue, str]:
    """ONNX names of the arguments and results of `function`."""
    arguments, results = function.attributes["arg_names"], function.attributes["res_names"]
    assert isinstance(arguments, ArrayAttr)
    assert isinstance(results, ArrayAttr)
    last = function.body.block.last_op
    assert isinstance(last, ReturnOp)
    values = [*function.body.block.args, *last.arguments]
    texts = [n.data for n in (*arguments.data, *results.data) if isinstance(n, StringAttr)]
    return dict(zip(values, texts, strict=True))


@dataclass(frozen=True)
class NnToCimPass(ModulePass):
    """Replaces ``@main`` of quantised nn ops by one without arguments, of cim ops."""

    name = "nn-to-cim"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        context = cim_context(ctx)
        for function in list(op.body.ops):
            if not isinstance(function, FuncOp):
                continue
            lowering = _Lowering(context.weights, context.target.geometry)
            names = _names(function)
            for each in function.body.ops:
                lowering.lower(each, names)
            lowering.block.add_op(ReturnOp())
            new = FuncOp(function.sym_name.data, ((), ()), Region(lowering.block))
            new.location = function.location
            op.body.block.insert_op_before(new, function)
            op.body.block.erase_op(function)
