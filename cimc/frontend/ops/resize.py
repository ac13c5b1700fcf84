"""Resize and Upsample where every result is a copy of one element."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.nn import ResizeOp, int_array, shape_of
from cimc.frontend.node import Node, Tensor
from cimc.frontend.ops.layout import part
from cimc.frontend.registry import onnx_op

Positions = NDArray[np.float64]

ROUNDINGS: Mapping[str, Callable[[Positions], Positions]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def coordinates(node: Node, mode: str, size: int, out: int, scale: float) -> Positions:
    """Where in an axis of `size` each of `out` positions lies."""
    at = np.arange(out, dtype=np.float64)
    match mode:
        case "asymmetric":
            return at / scale
        case "half_pixel":
            return (at + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            return (at + 0.5) / scale - 0.5 if out > 1 else np.zeros(1)
        case "half_pixel_symmetric":
            return size / 2 * (1 - out / (scale * size)) + (at + 0.5) / scale - 0.5
        case "align_corners":
            return at * (size - 1) / (out - 1) if out > 1 else np.zeros(1)
        case _:
            raise node.unsupported(
                f"attribute coordinate_transformation_mode='{mode}'; use 'asymmetric'"
            )


def factors(node: Node, shape: tuple[int, ...]) -> tuple[list[float], list[int]]:
    """Scale and resulting size of each axis, from attribute or inputs."""
    if node.opset < 9:
        scales = [float(v) for v in node.attr_floats("scales", [])]
        sizes = None
    else:
        first = 1 if node.opset < 11 else 2
        scales, sizes = None, None
        if node.given(first) and node.constant(first).size:
            scales = [float(v) for v in node.constant(first).reshape(-1)]
        elif node.given(3):
            sizes = node.integers(3)
    rank = len(shape)
    axes = [a % rank for a in node.attr_ints("axes", list(range(rank)))]
    if len(axes) != len(scales or sizes or []):
        raise node.invalid(f"scales {scales} or sizes {sizes} do not go with axes {axes}")
    all_scales, all_sizes = [1.0] * rank, list(shape)
    for i, axis in enumerate(axes):
        if scales is not None:
            if not (math.isfinite(scales[i]) and scales[i] > 0):
                raise node.invalid(f"scales {scales} must be finite and above 0")
            all_scales[axis] = scales[i]
            all_sizes[axis] = math.floor(shape[axis] * scales[i])
        elif sizes is not None:
            size = 1 if axis == 0 and sizes[i] == node.batch else sizes[i]
            all_sizes[axis], all_scales[axis] = size, size / shape[axis]
    if min(all_sizes) < 1:
        raise node.invalid(f"result would have shape {all_sizes}")
    return all_scales, all_sizes


@onnx_op("Resize", "Upsample")
def resize(node: Node) -> Tensor:
    """Resize-10 .. 19, Upsample-7 .. 9, nearest, to a whole multiple or an even sampling."""
    x = node.tensor(0, 4)
    old = node.opset < 11
    mode = node.attr_string("mode", "nearest")
    transform = node.attr_string(
        "coordinate_transformation_mode", "asymmetric" if old else "half_pixel"
    )
    rounding = node.attr_string("nearest_mode", "floor" if old else "round_prefer_floor")
    policy = node.attr_string("keep_aspect_ratio_policy", "stretch")
    node.ignore("cubic_coeff_a", "exclude_outside", "extrapolation_value", "antialias")
    if mode != "nearest" or policy != "stretch":
        raise node.unsupported(
            f"attributes mode='{mode}', keep_aspect_ratio_policy='{policy}'; only 'nearest' and "
            "'stretch' are supported"
        )
    if rounding not in ROUNDINGS:
        raise node.invalid(f"attribute nearest_mode has the unknown value '{rounding}'")
    shape = shape_of(x)
    scales, sizes = factors(node, shape)
    taken: list[NDArray[np.int64]] = []
    for size, out, scale in zip(shape, sizes, scales, strict=True):
        at = ROUNDINGS[rounding](coordinates(node, transform, size, out, scale))
        taken.append(np.clip(at, 0, size - 1).astype(np.int64))
    return sampled(node, x, taken)


def sampled(node: Node, x: Tensor, taken: list[NDArray[np.int64]]) -> Tensor:
    """`x` at positions `taken` of each axis: even steps, or each position several times."""
    shape = shape_of(x)
    cuts: dict[int, tuple[int, int, int]] = {}
    repeats = [1] * len(shape)
    for axis, (at, size) in enumerate(zip(taken, shape, strict=True)):
        step = int(at[1] - at[0]) if len(at) > 1 else 1
        times = len(at) // size
        if step > 0 and (at == at[0] + step * np.arange(len(at))).all():
            cuts[axis] = (int(at[0]), len(at), step)
        elif len(at) == times * size and (at == np.arange(len(at)) // times).all():
            repeats[axis] = times
        else:
            raise node.unsupported(
                f"positions of axis {axis} are taken unevenly; only whole factors and "
                "even sampling are supported"
            )
    if repeats[:2] != [1, 1]:
        raise node.unsupported("batch or channels grow; only height and width can")
    y = part(node, x, cuts)
    if repeats == [1] * len(shape):
        return y
    result = tuple(n * times for n, times in zip(shape_of(y), repeats, strict=True))
    return node.op(ResizeOp, [y], result, {"scale": int_array(repeats[2:])})
