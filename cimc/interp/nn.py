"""Executes an `nn` function on numpy arrays: the meaning of the dialect, float and quantised.

The program is written for one image; here every tensor has any batch N in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ArrayAttr, Float32Type, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Operation, SSAValue

from cimc.diagnostics import InvalidInput
from cimc.dialects import nn
from cimc.dialects.nn import quant_of, shape_of, tensor_of
from cimc.interp import nn_float, nn_quantised, nn_quantised_vector
from cimc.interp.nn_host import host
from cimc.interp.nn_layout import move
from cimc.interp.nn_unary import unary
from cimc.weights import WeightStore

Array: TypeAlias = NDArray[Any]
Observer: TypeAlias = Callable[[SSAValue[Any], Array], None]


@dataclass
class NnRun:
    """Results of one execution: real numbers where the type is f32, codes where it is quantised."""

    outputs: dict[str, Array] = field(default_factory=dict[str, Array])
    tensors: dict[Operation, Array] = field(default_factory=dict[Operation, Array])
    """First result of every operation, when they were asked for."""


def main_function(module: ModuleOp) -> FuncOp:
    """The function ``@main`` of `module`."""
    for op in module.body.block.ops:
        if isinstance(op, FuncOp) and op.sym_name.data == "main":
            return op
    raise InvalidInput("the module has no function @main")


def end_names(function: FuncOp, which: str) -> list[str]:
    """ONNX names of inputs (`which` = "arg_names") or outputs ("res_names")."""
    names = function.attributes.get(which)
    if isinstance(names, ArrayAttr):
        return [name.data for name in names if isinstance(name, StringAttr)]
    types = function.function_type
    count = len(types.inputs if which == "arg_names" else types.outputs)
    return [f"{which[:3]}{i}" for i in range(count)]


def run(
    module: ModuleOp,
    weights: WeightStore,
    inputs: Mapping[str, Array],
    *,
    intermediates: bool = False,
    observe: Observer | None = None,
) -> NnRun:
    """Execute ``@main`` of `module` on `inputs` by ONNX name, each [N, ...] for the same N.

    `observe` sees every value, arguments first, as soon as it is known; `intermediates` keeps
    them in the result. Without it a tensor is dropped behind its last use.

    Raises:
        InvalidInput: an input is missing or has another shape than the function's argument.
    """
    function = main_function(module)
    values = bind_inputs(function, inputs)
    uses = {value: value.uses.get_length() for value in values}
    result = NnRun()
    for value, array in values.items():
        if observe is not None:
            observe(value, array)
    for op in function.body.block.ops:
        if isinstance(op, ReturnOp):
            names = end_names(function, "res_names")
            result.outputs = dict(zip(names, (values[v] for v in op.arguments), strict=True))
            break
        results = execute_all(op, [values[v] for v in op.operands], weights)
        for value, y in zip(op.results, results, strict=True):
            values[value] = y
            uses[value] = value.uses.get_length()
            if observe is not None:
                observe(value, y)
        if intermediates:
            result.tensors[op] = results[0]
        for operand in op.operands:
            uses[operand] -= 1
            if uses[operand] == 0:
                del values[operand]
    return result


def bind_inputs(function: FuncOp, inputs: Mapping[str, Array]) -> dict[SSAValue[Any], Array]:
    """Arrays for the function's arguments; checks names and shapes."""
    values: dict[SSAValue[Any], Array] = {}
    for name, argument in zip(
        end_names(function, "arg_names"), function.body.block.args, strict=True
    ):
        if name not in inputs:
            raise InvalidInput(f"input '{name}' is missing; given: {', '.join(inputs) or 'none'}")
        array, shape = inputs[name], shape_of(argument)
        if array.shape[1:] != shape[1:]:
            wanted = ["N", *shape[1:]]
            raise InvalidInput(f"input '{name}' has shape {list(array.shape)}, expected {wanted}")
        is_float = isinstance(tensor_of(argument).get_element_type(), Float32Type)
        values[argument] = array.astype(np.float32, copy=False) if is_float else array
    return values


def execute_all(op: Operation, args: list[Array], weights: WeightStore) -> list[Array]:
    """Results of one operation on `args`."""
    if isinstance(op, nn.HostOp):
        return host(op, args, weights)
    return [execute(op, args, weights)]


def execute(op: Operation, args: list[Array], weights: WeightStore) -> Array:
    """Result of an operation that runs on the machine."""
    if isinstance(op, nn.QuantizeOp):
        return nn_quantised.to_codes(op, args[0])
    if isinstance(op, nn.DequantizeOp):
        return nn_quantised.to_floats(op, args[0])
    if isinstance(op, nn.MoveOp):
        return move(op, args[0])
    if quant_of(op.results[0]) is not None:
        return execute_quantised(op, args, weights)
    return execute_float(op, args, weights)


def execute_float(op: Operation, args: list[Array], weights: WeightStore) -> Array:
    """Result of a float operation."""
    x = args[0]
    match op:
        case nn.ConvOp():
            return nn_float.conv(op, x, weights)
        case nn.GemmOp():
            return nn_float.gemm(op, x, weights)
        case nn.TwoInputOp():
            return nn_float.two_inputs(op, x, args[1])
        case nn.UnaryOp():
            return unary(op, x)
        case nn.ConcatOp():
            return np.concatenate(args, axis=1)
        case nn.PoolOp():
            return nn_float.pool(op, x)
        case nn.BatchNormOp():
            return nn_float.batch_norm(op, x, weights)
        case nn.ReluOp():
            return np.maximum(x, np.float32(0))
        case nn.ClipOp():
            return nn_float.clip(op, x)
        case nn.PadOp():
            return nn_float.pad(op, x)
        case _:
            raise NotImplementedError(f"{op.name} has no float semantics")


def execute_quantised(op: Operation, args: list[Array], weights: WeightStore) -> Array:
    """Result of a quantised operation."""
    match op:
        case nn.ConvOp():
            return nn_quantised.conv(op, args[0], weights)
        case nn.GemmOp():
            return nn_quantised.gemm(op, args[0], weights)
        case nn.AddOp():
            return nn_quantised.add(op, *args)
        case nn.MulOp():
            return nn_quantised_vector.multiply(op, *args)
        case nn.UnaryOp():
            return nn_quantised_vector.look_up(op, args[0], weights)
        case nn.ConcatOp():
            return nn_quantised_vector.concat(op, args)
        case nn.PoolOp():
            return nn_quantised.pool(op, args[0])
        case _:
            raise NotImplementedError(f"{op.name} has no quantised semantics")
