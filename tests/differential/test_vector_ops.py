"""Element-wise and moving operations: all levels agree, and stay close to the float network."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.ir import SSAValue

sys.path.insert(0, str(Path(__file__).parent))
from nn_networks import FloatNetwork, check_levels

from cimc.dialects import nn
from cimc.dialects.nn import shape_of


def close(real: dict[str, np.ndarray], found: dict[str, np.ndarray], codes: float) -> None:
    """Outputs differ by at most `codes` steps of 1/127 of the largest value."""
    for name, truth in real.items():
        step = np.abs(truth).max() / 127
        np.testing.assert_allclose(found[name], truth, rtol=0, atol=codes * step, err_msg=name)


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        ("Sigmoid", ()),
        ("Tanh", ()),
        ("HardSwish", ()),
        ("LeakyRelu", (0.1,)),
        ("Selu", (1.67, 1.05)),
        ("Exp", ()),
        ("Abs", ()),
    ],
)
def test_functions(function, parameters):
    net = FloatNetwork(1)
    x = net.input(5, 6, 7)
    module = net.module(net.unary(x, function, *parameters))
    *_, real, found = check_levels(net, module)
    close(real, found, 6 if function == "Exp" else 3)


def test_functions_undefined_on_calibration_data_are_refused():
    net = FloatNetwork(1)
    module = net.module(net.unary(net.input(2, 3, 3), "Log"))
    with pytest.raises(Exception, match="NaN or infinite"):
        check_levels(net, module)


@pytest.mark.parametrize("capacity", [None, 3200])
def test_squeeze_and_excite(capacity):
    net = FloatNetwork(2)
    x = net.conv(net.input(3, 9, 8), 40, 3)
    s = net.conv(net.global_pool(x), 8)
    s = net.unary(net.conv(net.unary(s, "HardSwish"), 40), "Sigmoid")
    y = net.add(net.mul(x, s), s, negate=True)
    image, _, real, found = check_levels(net, net.module(y), capacity=capacity)
    assert (sum(r.space == "dram" for r in image.regions) > 1) == (capacity is not None)
    close(real, found, 12)


@pytest.mark.parametrize("capacity", [None, 1200])
def test_concat_slice_shuffle_resize(capacity):
    net = FloatNetwork(3)
    x = net.conv(net.input(2, 6, 7), 12, 3)
    left = net.slice(x, (0, 0, 0), (5, 6, 7))
    right = net.slice(x, (5, 1, 2), (4, 3, 2), (2, 2, 3))
    tall = net.resize(right, 2, 3)
    wide = net.slice(tall, (0, 0, 0), (4, 6, 6))
    y = net.concat(net.slice(left, (0, 0, 1), (5, 6, 6)), wide, net.unary(wide, "Tanh"))
    y = net.shuffle(net.slice(y, (1, 0, 0), (12, 6, 6)), 4)
    y = net.conv(y, 6, 3, group=2)
    _, _, real, found = check_levels(net, net.module(y), capacity=capacity)
    close(real, found, 12)


def test_flattened_maps_in_the_order_of_onnx():
    net = FloatNetwork(4)
    x = net.input(3, 4, 5)
    flat = net.flatten(net.unary(x, "Abs"))
    joined = net.concat(flat, net.unary(flat, "Sigmoid"))
    y = net.gemm(joined, 7)
    back = net.conv(net.unflatten(net.concat(y, flat)), 5, 3)
    _, _, real, found = check_levels(net, net.module(y, back, flat))
    close(real, found, 8)


@pytest.mark.parametrize("capacity", [None, 800])
@pytest.mark.parametrize(
    ("kernel", "strides", "pads", "dilations"),
    [
        ((3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
        ((5, 4), (2, 1), (2, 3, 4, 0), (1, 1)),
        ((2, 2), (2, 2), (0, 0, 1, 1), (1, 1)),
        ((3, 2), (1, 2), (2, 1, 1, 1), (2, 3)),
    ],
)
@pytest.mark.parametrize("kind", [nn.AveragePoolOp, nn.MaxPoolOp])
def test_pools(kind, kernel, strides, pads, dilations, capacity):
    net = FloatNetwork(5)
    x = net.unary(net.input(9, 7, 7), "Tanh")
    module = net.module(net.pool(x, kind, kernel, strides, pads, dilations))
    _, _, real, found = check_levels(net, module, capacity=capacity)
    close(real, found, 3)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_chains(data):
    """Any of these operations behind each other, in a small buffer or a large one."""
    draw = data.draw
    net = FloatNetwork(draw(st.integers(0, 1 << 20)))
    shape = [draw(st.integers(1, 40)), draw(st.integers(1, 9)), draw(st.integers(1, 9))]
    values = [net.input(*shape)]
    for _ in range(draw(st.integers(1, 6))):
        values.append(random_step(net, values, draw))
    module = net.module(values[-1])
    row = max(shape_of(v)[1] * (shape_of(v)[3] + 4) for v in values)
    capacity = draw(st.sampled_from([None, 12 * row + 1000]))
    check_levels(net, module, draw(st.sampled_from(["daism", "daism-small"])), capacity)


def pick(draw, values: list[SSAValue]) -> SSAValue:
    """One of `values`; its number is drawn, which prints in one line."""
    return values[draw(st.integers(0, len(values) - 1))]


def random_step(net: FloatNetwork, values: list[SSAValue], draw) -> SSAValue:
    """One more operation on some of `values`, all of rank 4."""
    x = pick(draw, values)
    _, c, h, w = shape_of(x)
    same = [v for v in values if shape_of(v) == shape_of(x)]
    other = pick(draw, [*same, net.global_pool(x)])
    match draw(st.integers(0, 8)):
        case 0:
            return net.unary(x, draw(st.sampled_from(["Sigmoid", "HardSwish", "Abs"])))
        case 1:
            return net.mul(x, other)
        case 2:
            return net.add(x, other, negate=draw(st.booleans()))
        case 3:
            alike = [v for v in values if shape_of(v)[2:] == (h, w)]
            return net.concat(*(pick(draw, alike) for _ in range(draw(st.integers(1, 3)))))
        case 4:
            starts = [draw(st.integers(0, n - 1)) for n in (c, h, w)]
            steps = [draw(st.integers(1, 3)) for _ in range(3)]
            room = [
                (n - 1 - at) // step + 1
                for n, at, step in zip((c, h, w), starts, steps, strict=True)
            ]
            return net.slice(x, starts, [draw(st.integers(1, n)) for n in room], steps)
        case 5:
            return net.resize(x, draw(st.integers(1, 3)), draw(st.integers(1, 3)))
        case 6:
            groups = draw(st.sampled_from([g for g in range(1, c + 1) if c % g == 0]))
            return net.shuffle(x, groups)
        case 7:
            kind = draw(st.sampled_from([nn.AveragePoolOp, nn.MaxPoolOp]))
            return net.pool(x, kind, (3, 2), (1, 1), (2, 1, 1, 1))
        case _:
            return net.conv(x, draw(st.integers(1, 6)), draw(st.sampled_from([1, 3])))


def test_an_input_between_two_codes_rounds_alike_on_all_levels():
    """Its quotient by the scale is a half in float32 only."""
    net = FloatNetwork(1048576)
    check_levels(net, net.module(net.unary(net.input(6, 8, 8), "Abs")))
