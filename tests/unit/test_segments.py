"""Cutting a quantised network: order of parts, what they hand each other, equal results."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import SSAValue

sys.path.insert(0, str(Path(__file__).parents[1] / "differential"))
from nn_networks import FloatNetwork

from cimc import targets
from cimc.diagnostics import onnx_loc
from cimc.dialects.nn import HostOp, shape_of, store_blob
from cimc.frontend.data import Calibration
from cimc.interp import nn as nn_level
from cimc.passes.context import CimContext
from cimc.passes.pipeline import PASSES
from cimc.passes.segments import Segments, cut

QUANTISE = ("calibrate", "assign-precision", "assign-multiplier", "quantise")


def host(net: FloatNetwork, x: SSAValue, operator: str, **attributes) -> SSAValue:
    """An ONNX node that runs on the host and keeps the shape."""
    shape = list(shape_of(x))
    value = [make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("a", "b")]
    graph = make_graph([make_node(operator, ["a"], ["b"], **attributes)], "g", value[:1], value[1:])
    proto = make_model(graph, opset_imports=[make_opsetid("", 17)], ir_version=8)
    blob = store_blob(net.store, np.frombuffer(proto.SerializeToString(), np.uint8))
    op = HostOp([x], [TensorType(f32, shape)], model=blob, nodes=operator, reason="no unit")
    op.location = onnx_loc(f"{operator}_{len(net.block.ops)}", "test.onnx", len(net.block.ops))
    net.block.add_op(op)
    return op.ys[0]


def cut_and_run(net: FloatNetwork, *ys: SSAValue) -> tuple[Segments, dict[str, np.ndarray]]:
    """The parts of the quantised network, which together give what the whole gives."""
    module = net.module(*ys)
    data = net.data(module)
    ctx = CimContext(targets.get("daism"), net.store, Calibration(data, "test", True))
    for name in QUANTISE:
        PASSES[name]()().apply(ctx, module)
    whole = nn_level.run(module, net.store, data).outputs
    segments = cut(module)
    values = dict(data)
    for part in segments.parts:
        part.module.verify()
        values |= nn_level.run(part.module, net.store, values).outputs
    for name, tensor in segments.outputs.items():
        np.testing.assert_array_equal(values[tensor], whole[name])
    return segments, values


def places(segments: Segments) -> str:
    return "".join("h" if part.on_host else "m" for part in segments.parts)


def test_without_host_operations_there_is_one_part():
    net = FloatNetwork(1)
    y = net.conv(net.input(2, 4, 4), 3)
    segments, _ = cut_and_run(net, y, y)
    assert places(segments) == "m"
    assert segments.outputs == {"y0": "y0", "y1": "y1"}


def test_host_in_the_middle_and_a_residual_past_it():
    net = FloatNetwork(2)
    x = net.conv(net.input(3, 5, 5), 4, 3)
    y = net.add(host(net, x, "LRN", size=3), x)
    segments, _ = cut_and_run(net, net.unary(y, "Tanh"), x)
    assert places(segments) == "mhm"
    assert list(segments.outputs) == ["y0", "y1"]


def test_host_first_and_last():
    net = FloatNetwork(3)
    x = host(net, net.input(3, 5, 5), "LRN", size=3)
    y = host(net, net.conv(x, 4), "Softmax", axis=1)
    segments, _ = cut_and_run(net, y, x)
    assert places(segments) == "hmh"


def test_independent_branches_share_parts():
    net = FloatNetwork(4)
    x = net.input(4, 3, 3)
    a = net.conv(host(net, net.conv(x, 4), "LRN", size=3), 4)
    b = net.unary(host(net, net.unary(x, "Sigmoid"), "Softmax", axis=1), "Abs")
    segments, _ = cut_and_run(net, net.mul(a, b))
    assert places(segments) == "mhm"


def test_several_alternations():
    net = FloatNetwork(5)
    x = net.input(4, 3, 3)
    for _ in range(3):
        x = host(net, net.conv(x, 4), "LRN", size=3)
    segments, _ = cut_and_run(net, x)
    assert places(segments) == "mhmhmh"


def test_inputs_returned_and_networks_of_the_host_only():
    net = FloatNetwork(6)
    x = net.input(4, 3, 3)
    segments, values = cut_and_run(net, host(net, x, "LRN", size=3), x)
    assert places(segments) == "h"
    assert segments.outputs["y1"] == "x0"
    assert values["x0"].dtype == np.float32


@pytest.mark.parametrize("seed", range(8))
def test_random_networks_with_host_operations(seed):
    net = FloatNetwork(seed)
    values = [net.input(6, 4, 4)]
    for _ in range(8):
        x, other = (values[net.rng.integers(len(values))] for _ in range(2))
        steps = [
            lambda x=x: host(net, x, "LRN", size=3),
            lambda x=x: host(net, x, "Softmax", axis=1),
            lambda x=x, other=other: net.add(x, other),
            lambda x=x: net.conv(x, 6),
            lambda x=x: net.unary(x, "Tanh"),
        ]
        values.append(steps[net.rng.integers(len(steps))]())
    cut_and_run(net, values[-1], values[4])
