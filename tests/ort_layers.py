"""Codes of every tensor of a quantised model, by onnxruntime and by cimc, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import SSAValue

from cimc import targets
from cimc.dialects.nn import quant_of
from cimc.frontend import load
from cimc.frontend.builder import hint
from cimc.interp import nn
from cimc.passes.context import CimContext
from cimc.passes.pipeline import PASSES

TO_CODES = ("fold-batch-norm", "canonicalise-nn", "fold-qdq", "calibrate", "assign-precision")


@dataclass(frozen=True)
class Agreement:
    """How codes of one tensor compare."""

    tensor: str
    elements: int
    different: int
    largest: int


def is_codes(op_type: str) -> bool:
    """Results of the operator are codes."""
    return op_type == "QuantizeLinear" or op_type.startswith(("QLinear", "QGemm"))


def reference(path: Path, x: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """All code tensors of onnxruntime, by name; exact products also without VNNI."""
    model = onnx.load(path)
    constants = {t.name for t in model.graph.initializer}
    kinds = {t.name: t.data_type for t in model.graph.initializer}
    names: dict[str, int] = {}
    for node in model.graph.node:
        if is_codes(node.op_type) and node.input[0] not in constants:
            zero = {"QuantizeLinear": 2, "QLinearConcat": 1}.get(node.op_type)
            last = node.input[zero] if zero is not None else node.input[zero_of(node.op_type)]
            names[node.output[0]] = kinds.get(last, TensorProto.UINT8)
    outputs = {o.name for o in model.graph.output}
    model.graph.output.extend(
        helper.make_tensor_value_info(n, kind, None)
        for n, kind in names.items()
        if n not in outputs
    )
    session = exact_session(model.SerializeToString())
    entry = session.get_inputs()[0]
    parts = [x[i : i + 1] for i in range(len(x))] if entry.shape[0] == 1 else [x]
    wanted = list(names)
    found = [session.run(wanted, {entry.name: part}) for part in parts]
    return {n: np.concatenate([np.asarray(r[i]) for r in found]) for i, n in enumerate(wanted)}


def exact_session(model: bytes) -> onnxruntime.InferenceSession:
    """A session whose products of uint8 and int8 do not saturate on processors without VNNI.

    The option makes weights uint8, which onnxruntime then lacks operators for when activations
    are int8; those do not saturate.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")
    providers = ["CPUExecutionProvider"]
    try:
        return onnxruntime.InferenceSession(model, options, providers=providers)
    except NotImplemented:
        return onnxruntime.InferenceSession(model, providers=providers)


def zero_of(op_type: str) -> int:
    """Input that is the zero point of the result of a QLinear operator."""
    if op_type in ("QLinearConv", "QLinearMatMul", "QLinearAdd", "QLinearMul"):
        return 7
    return 8 if op_type == "QGemm" else 4


def quantised_module(path: Path) -> tuple[ModuleOp, CimContext]:
    """The model at `path`, all on codes; products are exact."""
    imported = load(path)
    ctx = CimContext(targets.get("daism"), imported.weights)
    for name in (*TO_CODES, "quantise"):
        PASSES[name]()().apply(ctx, imported.module)
        imported.module.verify()
    return imported.module, ctx


def own(
    path: Path, x: NDArray[np.float32], given: Mapping[str, NDArray[Any]] | None = None
) -> dict[str, NDArray[Any]]:
    """All code tensors of the integer interpreter, by SSA name.

    With `given` a layer reads the codes that are there, instead of those of the layers before it.
    """
    module, ctx = quantised_module(path)
    function = nn.main_function(module)
    (name,) = nn.end_names(function, "arg_names")
    values: dict[SSAValue[Any], NDArray[Any]] = dict(nn.bind_inputs(function, {name: x}))
    result: dict[str, NDArray[Any]] = {}
    for op in function.body.block.ops:
        if isinstance(op, ReturnOp):
            break
        y = nn.execute_all(op, [values[v] for v in op.operands], ctx.weights)[0]
        values[op.results[0]] = y
        if quant_of(op.results[0]) is not None:
            key = str(op.results[0].name_hint)
            values[op.results[0]] = (given or {}).get(key, y)
            result[key] = y
    return result


def compare(path: Path, x: NDArray[np.float32], *, alone: bool = True) -> list[Agreement]:
    """Every code tensor that both have; `alone`: each layer reads onnxruntime's codes."""
    theirs = {hint(name) or "": codes for name, codes in reference(path, x).items()}
    ours = own(path, x, theirs if alone else None)
    result: list[Agreement] = []
    for name in [each for each in theirs if each in ours]:
        assert (ours[name].shape, ours[name].dtype) == (theirs[name].shape, theirs[name].dtype)
        gap = np.abs(ours[name].astype(np.int32) - theirs[name].astype(np.int32))
        result.append(Agreement(name, gap.size, int((gap > 0).sum()), int(gap.max())))
    return result
