"""Reads an ONNX file, with its external data, into memory; refuses what is not a usable model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.inliner
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto
from onnx.defs import onnx_opset_version
from onnx.helper import tensor_dtype_to_np_dtype
from onnx.numpy_helper import to_array

from cimc.diagnostics import InvalidModel, UnsupportedModel

OLDEST_OPSET = 7


def read_model(path: Path) -> ModelProto:
    """The model in file `path`: local functions inlined, external data loaded.

    Raises:
        InvalidModel: unreadable, truncated or garbage file, empty graph, bad external data.
        UnsupportedModel: an opset older than 7 or newer than the installed onnx package.
    """
    try:
        data = path.read_bytes()
    except OSError as e:
        raise InvalidModel(f"{path}: cannot read the model: {e.strerror}") from e
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as e:
        raise InvalidModel(
            f"{path}: not an ONNX model, or truncated ({len(data)} bytes); export it again"
        ) from e
    if not all(isinstance(text, str) for text in texts(model)):
        raise InvalidModel(f"{path}: damaged: a name is not UTF-8; export it again")
    if not model.graph.node:
        raise InvalidModel(f"{path}: empty graph: no nodes in {len(data)} bytes")
    check_opset(path, model)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    for tensor in tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL:
            load_external(path, tensor)
    return model


def check_opset(path: Path, model: ModelProto) -> None:
    """Check that the standard operators' version is one that is known here."""
    version = opset_of(model)
    if version == 0:
        raise InvalidModel(f"{path}: names no opset version; export it again")
    if version < OLDEST_OPSET:
        raise UnsupportedModel(
            f"{path}: opset {version} is older than {OLDEST_OPSET}; "
            "convert it with onnx.version_converter"
        )
    if version > onnx_opset_version():
        raise UnsupportedModel(
            f"{path}: opset {version} is newer than {onnx_opset_version()}, the newest that "
            f"onnx {onnx.__version__} knows; export with an older opset or update onnx"
        )


def opset_of(model: ModelProto) -> int:
    """Version of the standard operators; 0 when the model names none."""
    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    return max(versions, default=0)


def texts(model: ModelProto) -> Iterator[object]:
    """Every name that import reads; protobuf hands out damaged text as bytes."""
    graph = model.graph
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    for value in (*graph.input, *graph.output):
        yield value.name
        yield from (d.dim_param for d in value.type.tensor_type.shape.dim)
    for tensor in tensors(model):
        yield tensor.name
        yield from (part for entry in tensor.external_data for part in (entry.key, entry.value))
    yield from (opset.domain for opset in model.opset_import)


def tensors(model: ModelProto) -> Iterator[TensorProto]:
    """All initialisers, and constants in node attributes."""
    yield from model.graph.initializer
    for node in model.graph.node:
        yield from node_tensors(node)


def node_tensors(node: NodeProto) -> Iterator[TensorProto]:
    """Tensors in the attributes of `node`."""
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t


def load_external(path: Path, tensor: TensorProto) -> None:
    """Replace a reference to a file in the folder of the model by the bytes it stands for.

    Raises:
        InvalidModel: the path leaves the folder, the file is missing or too short.
    """
    fields = {entry.key: entry.value for entry in tensor.external_data}
    what = f"{path}: external data of tensor '{tensor.name}'"
    location = fields.get("location", "")
    folder = path.parent.resolve()
    file = (folder / location).resolve()
    if not file.is_relative_to(folder):
        raise InvalidModel(f"{what}: path '{location}' leaves the folder of the model; refused")
    try:
        offset = int(fields.get("offset", 0))
        size = math.prod(tensor.dims) * tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, TypeError, ValueError) as e:
        raise InvalidModel(f"{what}: bad offset or element type ({e})") from e
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            data = stream.read(size)
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) else str(e)
        raise InvalidModel(
            f"{what}: cannot read '{location}': {reason}; keep the file beside the model"
        ) from e
    if len(data) != size:
        raise InvalidModel(
            f"{what}: '{location}' holds {len(data)} bytes at offset {offset}, {size} are needed"
        )
    tensor.raw_data = data
    tensor.ClearField("external_data")
    tensor.data_location = TensorProto.DEFAULT


def stored_array(path: Path, tensor: TensorProto) -> NDArray[Any]:
    """The array of an initialiser.

    Raises:
        InvalidModel: its data do not fit its shape and type.
    """
    try:
        return np.asarray(to_array(tensor))
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        reason = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise InvalidModel(
            f"{path.name}: tensor '{tensor.name}' of shape {list(tensor.dims)} is "
            f"damaged: {reason}; export the model again"
        ) from e


def unique_names(nodes: Iterable[NodeProto]) -> list[str]:
    """A name for each node; unnamed and repeated ones get their operator and number."""
    seen: set[str] = set()
    names: list[str] = []
    for index, node in enumerate(nodes):
        name = node.name or f"{node.op_type}_{index}"
        names.append(f"{name}#{index}" if name in seen else name)
        seen.add(names[-1])
    return names
