"""Steps that add layers with weights, pools and normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np
from network_builder import Builder, Tensor

WIDTHS = (1, 2, 3, 4, 6, 8, 5, 7, 9, 12, 16, 17, 24, 33)
"""Channels of results; some pass the lanes of a bank, or those of all banks."""


def divisors(n: int) -> list[int]:
    """Numbers that divide `n`, ascending."""
    return [d for d in range(1, n + 1) if n % d == 0]


def window(b: Builder, x: Tensor, largest: int, *, dilated: bool, pool: bool) -> dict[str, Any]:
    """kernel_shape, strides, dilations and pads that fit `x`; those of a pool pad less."""
    sizes = x.shape[1:]
    kernel = [b.whole(1, largest) for _ in sizes]
    strides = [b.one_of(1, 1, 2, 3) for _ in sizes]
    dilations = [b.one_of(1, 1, 1, 2, 3) if dilated else 1 for _ in sizes]
    same = b.one_of("", "", "", "SAME_UPPER", "SAME_LOWER", "VALID")
    if same.startswith("SAME") and dilations == [1, 1]:  # onnxruntime knows no others
        if pool:  # a padding must be smaller than the window
            strides = [min(s, k) for s, k in zip(strides, kernel, strict=True)]
        return fields(kernel, strides, dilations) | {"auto_pad": same}
    most = [k - 1 if pool else 3 for k in kernel]
    pads = [b.whole(0, min(3, m)) if b.chance() else 0 for m in (*most, *most)]
    for i, size in enumerate(sizes):
        if size + pads[i] + pads[i + 2] < dilations[i] * (kernel[i] - 1) + 1:
            kernel[i], dilations[i], pads[i], pads[i + 2] = 1, 1, 0, 0
    if same == "VALID" and not any(pads):
        return fields(kernel, strides, dilations) | {"auto_pad": "VALID"}
    return fields(kernel, strides, dilations) | ({"pads": pads} if any(pads) else {})


def fields(kernel: list[int], strides: list[int], dilations: list[int]) -> dict[str, Any]:
    """Attributes; those with their default are left out."""
    result: dict[str, Any] = {"kernel_shape": kernel}
    if strides != [1, 1]:
        result["strides"] = strides
    if dilations != [1, 1]:
        result["dilations"] = dilations
    return result


def convolve(b: Builder, x: Tensor, channels: int, group: int, largest: int = 4) -> Tensor:
    """A convolution of `x` with any window."""
    attributes = window(b, x, largest, dilated=True, pool=False)
    kernel = attributes["kernel_shape"]
    inputs = x.channels // group
    fan = inputs * kernel[0] * kernel[1]
    w = b.normal(channels, inputs, *kernel, scale=fan**-0.5)
    bias = [b.normal(channels, scale=0.3)] if b.chance() else []
    if b.chance():
        del attributes["kernel_shape"]
    return b.layer("Conv", [x, w, *bias], **attributes, group=group)


def conv(b: Builder) -> None:
    """A convolution with any group."""
    x = b.map_()
    group = b.one_of(1, 1, *divisors(x.channels)[::-1])
    widths = [n for n in WIDTHS if n % group == 0] or [group]
    convolve(b, x, b.one_of(*widths), group)


def depthwise(b: Builder) -> None:
    """A convolution of each channel by itself, and one of single cells."""
    x = b.map_()
    y = convolve(b, x, x.channels * b.one_of(1, 1, 1, 2), x.channels)
    convolve(b, y, b.one_of(*WIDTHS), 1, largest=1)


def batch_norm(b: Builder) -> None:
    """A batch normalisation."""
    x = b.any_()
    scale, bias, mean = (b.normal(x.channels) for _ in range(3))
    variance = b.constant(b.rng.uniform(0.3, 2, x.channels))
    extra = {"epsilon": 1e-3} if b.chance() else {}
    b.node("BatchNormalization", [x, scale, bias, mean, variance], **extra)


def flat(b: Builder) -> Tensor:
    """A tensor [N, K], perhaps a map made flat."""
    vectors = [t for t in b.pool if t.values.ndim == 2]
    if vectors and b.chance():
        return b.pick(vectors)
    x = b.map_()
    if b.chance():
        return b.node("Flatten", [x], axis=b.one_of(1, -3))
    target = b.one_of([0, -1], [-1, int(np.prod(x.shape))])
    return b.node("Reshape", [x, b.ints(target)])


def dense(b: Builder) -> None:
    """A matrix product."""
    x = flat(b)
    inputs, outputs = x.channels, b.one_of(*WIDTHS)
    if b.chance():
        w = b.normal(inputs, outputs, scale=inputs**-0.5)
        y = b.layer("MatMul", [x, w])
        if b.chance():
            b.node("Add", [y, b.normal(outputs)])
        return
    turned = b.one_of(0, 1)
    shape = (outputs, inputs) if turned else (inputs, outputs)
    w = b.normal(*shape, scale=inputs**-0.5)
    sizes: list[tuple[int, ...]] = [(outputs,)]
    if not b.vector_bias:
        sizes += [(1, outputs), (), (1,)]
    bias = [b.normal(*b.one_of(*sizes))] if b.chance() else []
    extra = {"alpha": 0.5, "beta": 2.0} if b.chance() else {}
    b.layer("Gemm", [x, w, *bias], transB=turned, **extra)


def pool(b: Builder) -> None:
    """A pool with any window."""
    x = b.map_()
    op = b.one_of("MaxPool", "AveragePool")
    attributes = window(b, x, 4, dilated=op == "MaxPool" or b.opset >= 19, pool=True)
    if "auto_pad" not in attributes:
        attributes["ceil_mode"] = b.one_of(0, 0, 1)
    if op == "AveragePool":
        attributes["count_include_pad"] = b.one_of(0, 1)
    b.node(op, [x], **attributes)


def global_pool(b: Builder) -> None:
    """One value a channel."""
    x = b.map_()
    op = b.one_of("GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceSum", "ReduceMax")
    if op.startswith("Global"):
        b.node(op, [x])
        return
    keep = b.one_of(1, 0)
    since = {"ReduceMean": 18, "ReduceSum": 13, "ReduceMax": 18}[op]
    if b.opset >= since:
        b.node(op, [x, b.ints([2, -1])], keepdims=keep)
    else:
        b.node(op, [x], axes=[-2, 3], keepdims=keep)


def squeeze_and_excite(b: Builder) -> None:
    """A map times what its means give."""
    x = b.map_()
    y = b.node("GlobalAveragePool", [x])
    y = convolve(b, y, b.one_of(1, 2, 4), 1, largest=1) if b.chance() else y
    y = b.node(b.one_of("Relu", "HardSwish") if b.opset >= 14 else "Relu", [y])
    w = b.normal(x.channels, y.channels, 1, 1)
    y = b.node(b.one_of("Sigmoid", "HardSigmoid"), [b.layer("Conv", [y, w])])
    # The convolution of a 1x1 map may have grown it.
    y = y if y.shape[1:] == (1, 1) else b.node("GlobalMaxPool", [y])
    b.node("Mul", [x, y] if b.chance() else [y, x])


STEPS = (conv, conv, depthwise, batch_norm, dense, pool, pool, global_pool, squeeze_and_excite)
