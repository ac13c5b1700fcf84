"""Networks with depthwise convolutions, at the `cim` level."""

from __future__ import annotations

from cim_networks import NetworkBuilder
from xdsl.dialects.builtin import ModuleOp

from cimc.weights import WeightStore


def separable(seed: int, multiplier: str = "daism-pc3-lj") -> tuple[ModuleOp, WeightStore]:
    """A stem, then depthwise and 1x1 convolutions in turn, 40 channels: more than one beat."""
    net = NetworkBuilder(seed)
    x = net.input((11, 9, 3), signed=True, halo=(1, 1, 1, 1))
    x = net.conv(
        x, 40, (3, 3), pads=(1, 1, 1, 1), multiplier=multiplier, halo=(1, 1, 1, 1), name="stem"
    )
    x = net.depthwise(x, (3, 3), pads=(1, 1, 1, 1), name="depthwise1")
    x = net.conv(x, 24, (1, 1), multiplier=multiplier, halo=(2, 2, 2, 2), name="point1")
    x = net.depthwise(x, (5, 5), strides=(2, 2), pads=(2, 2, 2, 2), name="depthwise2")
    x = net.conv(x, 40, (1, 1), multiplier=multiplier, name="point2")
    x = net.pool(x, "sum", (6, 5))
    return net.module(net.conv(x, 10, (1, 1), multiplier=multiplier, signed=True)), net.store


def depthwise_chain(seed: int) -> tuple[ModuleOp, WeightStore]:
    """Depthwise layers of all kinds: kernel 1..7, stride 1..2, pads, dilations, signs, zero points.

    In the middle a grouped convolution, on the array.
    """
    net = NetworkBuilder(seed)
    rng = net.rng

    def pair(low: int, high: int) -> tuple[int, int]:
        return int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))

    channels = int(rng.integers(5, 71))
    kernels = [pair(1, 7) for _ in range(4)]
    pads = [(*(k // 2 for k in kernel), *(k // 2 for k in kernel)) for kernel in kernels]
    x = net.input((18, 15, channels), signed=bool(seed % 2), zero=seed % 5, halo=pads[0])
    for i, kernel in enumerate(kernels):
        weight_signed = bool(rng.integers(2))
        x = net.depthwise(
            x,
            kernel,
            strides=pair(1, 2) if i == 1 else (1, 1),
            pads=pads[i],
            signed=bool(rng.integers(2)),
            zero=int(rng.integers(0, 100)),
            weight_signed=weight_signed,
            weight_zero=int(rng.integers(-20, 20) if weight_signed else rng.integers(100, 150)),
            halo=(0, 0, 0, 0) if i in (1, 3) else pads[i + 1],
            name=f"depthwise{i}",
        )
        if i == 1:
            x = net.conv(x, channels, (1, 1), group=channels, halo=pads[2], name="grouped")
    return net.module(x), net.store
