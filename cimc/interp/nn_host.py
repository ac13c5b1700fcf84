"""Runs `nn.host` operations: parts of the ONNX graph, by onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator

from cimc.diagnostics import InvalidModel, loc_text
from cimc.dialects.nn import HostOp, shape_of
from cimc.weights import WeightStore

Array = NDArray[Any]


Runner = Callable[[dict[str, Array]], list[Any]]
"""Results of a model on arrays by input name."""


def session(model: bytes) -> onnxruntime.InferenceSession:
    """`model` in onnxruntime.

    Raises:
        ValueError: it has no kernel for it, or finds it invalid; the text says why.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as e:  # its bindings raise classes of their own
        raise ValueError(str(e).splitlines()[0]) from e


def result_types(model: bytes) -> dict[str, tuple[str, tuple[int, ...] | None]]:
    """Type (``tensor(float)``) and shape (None if not all is known) of each output of `model`.

    Raises:
        ValueError: as `session`.
    """
    found: dict[str, tuple[str, tuple[int, ...] | None]] = {}
    for output in session(model).get_outputs():
        shape: list[Any] = output.shape
        known = all(isinstance(n, int) for n in shape)
        found[output.name] = (output.type, tuple(shape) if known else None)
    return found


@lru_cache(maxsize=64)
def runner(model: bytes) -> Runner:
    """Executes `model`: onnxruntime, or `onnx` where that has no kernel for it.

    Raises:
        ValueError: neither can; the text says why.
    """
    try:
        found = session(model)
    except ValueError:
        evaluator = reference(model)
        if evaluator is None:
            raise
        return evaluator
    return lambda feed: list[Any](found.run(None, feed))


def reference(model: bytes) -> Runner | None:
    """Executes `model` by `onnx`; None when that does not know all of its operators."""
    try:
        evaluator = ReferenceEvaluator(ModelProto.FromString(model))
    except Exception:  # noqa: BLE001 (any operator may raise anything)
        return None
    return lambda feed: list[Any](evaluator.run(None, feed))


def run_model(model: bytes, inputs: Sequence[Array]) -> list[Array]:
    """Results of `model` on `inputs`, in the order of its graph inputs.

    Raises:
        ValueError: it cannot be executed; the text says why.
    """
    names = [each.name for each in ModelProto.FromString(model).graph.input]
    feed = dict(zip(names, inputs, strict=True))
    try:
        results = runner(model)(feed)
    except Exception as e:
        second = reference(model)
        try:
            results = None if second is None else second(feed)
        except Exception:  # noqa: BLE001 (the first failure is reported)
            results = None
        if results is None:
            raise ValueError(str(e).splitlines()[0] if str(e) else type(e).__name__) from e
    return [np.asarray(y) for y in results]


def host(op: HostOp, args: Sequence[Array], weights: WeightStore) -> list[Array]:
    """Results of `op`, as many times its own batch as `args` hold.

    Raises:
        InvalidModel: onnxruntime refuses the part.
    """
    model = weights.get(op.model.key.data).tobytes()
    repeats = 1
    for value, array in zip(op.xs, args, strict=True):
        own_batch = shape_of(value)[0] if shape_of(value) else 1
        repeats = max(1, (len(array) if array.ndim else 1) // max(1, own_batch))
    found: list[list[Array]] = []
    for i in range(repeats):
        part = [own(array, shape_of(x), i) for x, array in zip(op.xs, args, strict=True)]
        try:
            found.append(run_model(model, part))
        except ValueError as e:
            raise InvalidModel(f"{loc_text(op.location)}: cannot run on the host: {e}") from e
    join = [np.concatenate if shape_of(y) or repeats == 1 else np.stack for y in op.ys]
    return [
        parts[0] if repeats == 1 else put(parts)
        for put, parts in zip(join, zip(*found, strict=True), strict=True)
    ]


def own(array: Array, shape: tuple[int, ...], i: int) -> Array:
    """The part of `array` that belongs to repetition `i` of a value of `shape`."""
    if not shape:
        return np.asarray(array.reshape(-1)[i])
    return array[i * shape[0] : (i + 1) * shape[0]]
