"""Steps that move elements, and steps that only the host can take."""

from __future__ import annotations

import numpy as np
from network_builder import Builder
from steps_layers import divisors, flat

CELLS = 600
"""Maps beyond this many elements do not grow."""


def concat(b: Builder) -> None:
    """Channels of two or three tensors behind each other."""
    x = b.any_()
    fits = [t for t in b.pool if t.values.ndim == x.values.ndim and t.shape[1:] == x.shape[1:]]
    count = b.one_of(2, 2, 3, 1)
    parts = [x, *(b.pick(fits) for _ in range(count - 1))]
    b.node("Concat", parts[:: b.one_of(1, -1)], axis=b.one_of(1, 1 - x.values.ndim))


def split(b: Builder) -> None:
    """Two or three parts along any axis but the batch."""
    x = b.any_()
    axes = [i for i in range(1, x.values.ndim) if x.values.shape[i] > 1]
    if not axes:
        return
    axis = b.one_of(*axes)
    size = x.values.shape[axis]
    cut = b.whole(1, size - 1)
    sizes = [cut, size - cut]
    if b.opset < 13:
        b.node("Split", [x], 2, axis=axis, split=sizes)
    elif b.opset >= 18 and b.chance():
        b.node("Split", [x], 2, axis=axis - x.values.ndim, num_outputs=2)
    else:
        b.node("Split", [x, b.ints(sizes)], 2, axis=axis)


def slice_(b: Builder) -> None:
    """Every n-th element of a range, of one or two axes."""
    x = b.any_()
    starts: list[int] = []
    ends: list[int] = []
    axes = sorted({b.whole(1, x.values.ndim - 1) for _ in range(b.whole(1, 2))})
    for axis in axes:
        size = x.values.shape[axis]
        start = b.whole(0, size - 1)
        ends.append(b.one_of(1 << 40, b.whole(start + 1, size)))
        starts.append(start - size if b.chance() else start)
    steps = [b.one_of(1, 2, 3) for _ in axes]
    b.node("Slice", [x, *map(b.ints, (starts, ends, axes, steps))])


def pad(b: Builder) -> None:
    """Margins of zeros or of another number."""
    x = b.map_()
    margins = [b.whole(0, 3) for _ in range(4)]
    pads = b.ints([0, 0, *margins[:2], 0, 0, *margins[2:]])
    extra = b.one_of([], [b.constant(0.0)], [b.constant(0.75)])
    b.node("Pad", [x, pads, *extra])


def resize(b: Builder) -> None:
    """Nearest neighbours, up by whole factors or down."""
    x = b.map_()
    factors = [b.one_of(1, 2, 3) for _ in range(2)]
    if np.prod(x.shape) * np.prod(factors) > CELLS:
        factors = [1, 1]
    mode, rounding = b.one_of(
        ("asymmetric", "floor"),
        ("half_pixel", "round_prefer_floor"),
        ("pytorch_half_pixel", "round_prefer_ceil"),
        ("align_corners", "round_prefer_floor"),  # uneven: on the host
    )
    sizes = [n * f for n, f in zip(x.shape[1:], factors, strict=True)]
    if b.chance() and b.batch is not None:
        scales = b.constant([]) if b.opset < 13 else ""
        how = [b.ints([b.batch, x.channels, *sizes])]
    else:
        scales, how = b.constant([1, 1, *factors]), list[str]()
    forms = {"coordinate_transformation_mode": mode, "nearest_mode": rounding}
    b.node("Resize", [x, region(b), scales, *how], mode="nearest", **forms)


def down(b: Builder) -> None:
    """Every second row or column."""
    x = b.map_()
    scales = b.constant([1, 1, *(b.one_of(0.5, 1.0) if n > 1 else 1.0 for n in x.shape[1:])])
    forms = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    b.node("Resize", [x, region(b), scales], mode="nearest", **forms)


def region(b: Builder) -> str:
    """The second input of Resize, which was not optional at first."""
    return b.constant([]) if b.opset < 13 else ""


def shuffle(b: Builder) -> None:
    """Channels exchanged between groups."""
    x = b.map_()
    groups = b.one_of(*divisors(x.channels)[::-1])
    apart = [0, groups, x.channels // groups, *x.shape[1:]]
    y = b.node("Reshape", [x, b.ints(apart)])
    y = b.node("Transpose", [y], perm=[0, 2, 1, 3, 4])
    b.node("Reshape", [y, b.ints(b.one_of([0, *x.shape], [0, -1, *x.shape[1:]]))])


def turn(b: Builder) -> None:
    """Channels last and back, with a function between or not."""
    y = b.node("Transpose", [b.map_()], perm=[0, 2, 3, 1])
    if b.one_of(False, False, True):
        y = b.node("Sigmoid", [y])
    b.node("Transpose", [y], perm=[0, 3, 1, 2])


def nothing(b: Builder) -> None:
    """Nodes that do nothing, or make flat."""
    x = b.any_()
    match b.one_of("Identity", "Dropout", "Cast", "flat", "Squeeze"):
        case "Cast":
            b.node("Cast", [x], to=1)
        case "flat":
            flat(b)
        case "Squeeze":
            y = b.node("GlobalMaxPool", [b.map_()])
            if b.opset < 13:
                b.node("Squeeze", [y], axes=[3, 2])
            else:
                b.node("Squeeze", [y, b.ints([-1, 2])])
        case op:
            b.node(op, [x])


def on_host(b: Builder) -> None:
    """An operator that the machine has no unit for."""
    match b.one_of("Softmax", "Softmax", "LRN", "InstanceNormalization", "DepthToSpace", "L2"):
        case "Softmax":
            b.node("Softmax", [b.any_()], axis=b.one_of(1, -1))
        case "LRN":
            b.node("LRN", [b.map_()], size=b.one_of(3, 5), bias=b.one_of(1.0, 2.0))
        case "DepthToSpace":
            b.node("DepthToSpace", [b.node("Concat", [b.map_()] * 4, axis=1)], blocksize=2)
        case "L2":
            x = b.any_()
            if b.opset < 18:
                b.node("ReduceL2", [x], axes=[1])
            else:
                b.node("ReduceL2", [x, b.ints([1])])
        case op:
            x = b.map_()
            b.node(op, [x, b.normal(x.channels), b.normal(x.channels)], epsilon=0.1)


STEPS = (
    *(concat, concat, split, slice_, pad, resize, down, shuffle, turn, nothing, on_host, on_host),
)
