"""Steps that add activations, other functions of elements, sums and products."""

from __future__ import annotations

from typing import Any

import numpy as np
from network_builder import Builder, Tensor

PLAIN = (
    *("Sigmoid", "Tanh", "Abs", "Neg", "Erf", "Atan", "Sin", "Cos", "Softplus", "Softsign"),
    *("LeakyRelu", "Elu", "Celu", "Selu", "HardSigmoid", "Asinh"),
)
JUMPS = ("Floor", "Ceil", "Round", "Sign", "Shrink", "ThresholdedRelu")
SINCE = {"Celu": 12, "HardSwish": 14, "Mish": 18, "Gelu": 20}
BOUNDED = ("Exp", "Sinh", "Cosh", "Asin", "Acos", "Atanh", "Tan")
"""Of values in -0.9..0.9, so that errors do not explode."""
POSITIVE = ("Log", "Sqrt", "Reciprocal", "Pow", "Acosh")
"""Of values above 1."""
WITH_ALPHA = ("LeakyRelu", "Elu", "Celu", "Selu", "HardSigmoid", "ThresholdedRelu")


def relu(b: Builder) -> None:
    """A relu, or limits of any form."""
    x = b.any_()
    match b.one_of("Relu", "Relu", "Clip", "Clip6", "Max", "Min", "PRelu"):
        case "Relu":
            b.node("Relu", [x])
        case "Clip6":
            b.node("Clip", [x, b.constant(0.0), b.constant(6.0)])
        case "Clip":
            low, high = b.constant(-0.25 * b.whole(0, 4)), b.constant(0.25 * b.whole(1, 8))
            b.node("Clip", [x, *b.one_of((low, high), ("", high), (low,))])
        case "PRelu":
            slopes = b.one_of((1,), (x.channels, *(1,) * (x.values.ndim - 2)))
            b.node("PRelu", [x, b.constant(b.rng.uniform(-0.5, 0.8, slopes))])
        case op:
            number = b.constant(0.25 * b.whole(-3, 3))
            b.node(op, [x, number] if b.chance() else [number, x])


def function(b: Builder) -> None:
    """A function through the look-up unit, of values that it is made for."""
    x = b.any_()
    known = [
        name for name in (*PLAIN, "HardSwish", "Mish", "Gelu") if SINCE.get(name, 0) <= b.opset
    ]
    name = b.one_of(*known, *BOUNDED, *POSITIVE, *JUMPS)
    attributes: dict[str, Any] = {}
    if name in WITH_ALPHA and b.chance():
        attributes["alpha"] = 0.25 * b.whole(1, 5)
    if name == "Gelu":
        attributes["approximate"] = b.one_of("none", "tanh")
    if name in BOUNDED:
        x = b.node("Mul", [b.node(b.one_of("Tanh", "Erf"), [x]), b.constant(0.9)])
    if name in POSITIVE:
        x = b.node("Add", [b.node(b.one_of("Abs", "Sigmoid"), [x]), b.constant(1.25)])
    if name in JUMPS:
        b.smooth = False
    if name == "Pow":
        b.node("Pow", [x, b.constant(b.one_of(2.0, 0.5, -1.0, 3.0))])
        return
    b.node(name, [x], **attributes)


def partner(b: Builder, x: Tensor) -> Tensor:
    """Another tensor that goes with `x`: of its shape, or with one value a channel."""
    gate = (x.channels, *(1,) * (x.values.ndim - 2))
    known = [t for t in b.pool if t.shape in (x.shape, gate) and t.name != x.name]
    if known and b.chance():
        return b.pick(known)
    match b.one_of("function", "pool", "same") if x.is_map else "function":
        case "pool":
            return b.node(b.one_of("GlobalAveragePool", "GlobalMaxPool"), [x])
        case "same":
            return x
        case _:
            return b.node(b.one_of("Relu", "Sigmoid", "Neg"), [x])


def two_tensors(b: Builder) -> None:
    """A sum, difference or product of tensors: residuals, gates."""
    x = b.any_()
    y = partner(b, x)
    op = b.one_of("Add", "Add", "Sub", "Mul", "Sum", "Mean")
    xs = [x, y] if b.chance() else [y, x]
    if op in ("Sum", "Mean") and b.chance():
        xs.append(x)
    b.node(op, xs)


def with_constant(b: Builder) -> None:
    """A sum, product or quotient with one constant, or one a channel."""
    x = b.any_()
    ones = (1,) * (x.values.ndim - 2)
    shapes: list[tuple[int, ...]] = [(), (x.channels, *ones), (1, x.channels, *ones), (1,)]
    values = b.rng.uniform(0.3, 2, b.one_of(*shapes)) * b.one_of(1, -1)
    number = b.constant(np.asarray(values))
    op = b.one_of("Add", "Mul", "Sub", "Div")
    first = b.chance() and op != "Div"
    b.node(op, [number, x] if first else [x, number])


STEPS = (relu, relu, function, function, two_tensors, two_tensors, with_constant)
