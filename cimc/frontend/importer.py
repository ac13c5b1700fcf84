"""Walks an ONNX graph and builds the `nn` function; collects everything that is unsupported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto
from onnx.numpy_helper import to_array
from xdsl.dialects.builtin import ArrayAttr, FunctionType, ModuleOp, StringAttr, TensorType, f32
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region

from cimc.diagnostics import InvalidModel, UnsupportedModel
from cimc.dialects.nn import quant_of, shape_of
from cimc.frontend.codes import NOT_FOLDED, attach_steps, carry_steps
from cimc.frontend.desugar import Parts, desugar, makes_codes, operator_key
from cimc.frontend.fold import can_fold, fold_node
from cimc.frontend.node import (
    Constant,
    MissingInput,
    Node,
    NodeUnsupported,
    Tensor,
    Value,
    hint,
    is_tensor,
)
from cimc.frontend.read import opset_of, read_model
from cimc.frontend.registry import IMPORTERS, load_importers
from cimc.frontend.shapes import inferred_shapes
from cimc.frontend.steps import Steps
from cimc.weights import WeightStore

DIMENSIONS = {4: ("batch", "channels", "height", "width"), 2: ("batch", "features")}


@dataclass(frozen=True)
class TensorInfo:
    """Name and shape of an input or output; the batch is 1."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ImportedModel:
    """An ONNX model as ``func.func @main`` of `nn` ops, one image at a time."""

    path: Path
    module: ModuleOp
    weights: WeightStore
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    batch: int | None
    """Batch size that the file fixes; None when it is dynamic."""


def load(path: Path | str, weights: WeightStore | None = None) -> ImportedModel:
    """Import ONNX file `path`; constants go to `weights`.

    Raises:
        InvalidModel: the file is not a usable ONNX model.
        UnsupportedModel: it holds something without a mapping; all of it is listed.
    """
    path = Path(path)
    store = WeightStore() if weights is None else weights
    return Importer(path, read_model(path), store).run()


class Importer:
    """State of one import."""

    def __init__(self, path: Path, model: ModelProto, weights: WeightStore):
        load_importers()
        self.path = path
        self.model = model
        self.weights = weights
        self.initialisers = {t.name: t for t in model.graph.initializer}
        self.values: dict[str, Value | None] = {}
        self.steps: dict[str, Steps] = {}
        self.unsupported: list[str] = []
        self.block = Block()
        nodes = model.graph.node
        self.used_by_nodes = frozenset(name for n in nodes for name in n.input)
        self.used = self.used_by_nodes | {o.name for o in model.graph.output}
        self.batch: int | None = None
        self._shapes: Mapping[str, tuple[int, ...]] | None = None

    def run(self) -> ImportedModel:
        """Import inputs, nodes, outputs, in this order."""
        inputs = [v for v in self.model.graph.input if v.name not in self.initialisers]
        for value in inputs:
            self.add_input(value)
        if self.model.graph.sparse_initializer:
            self.unsupported.append(f"{self.path.name}: sparse initialisers; store them dense")
        self.raise_unsupported()
        for node in self.all_nodes():
            self.add_node(node)
        self.raise_unsupported()
        outputs = [(v.name, self.output(v.name)) for v in self.model.graph.output]
        if not inputs or not outputs:
            raise InvalidModel(f"{self.path.name}: the graph has no inputs or no outputs")
        return self.finish([v.name for v in inputs], outputs)

    def raise_unsupported(self) -> None:
        """Report everything collected so far."""
        if len(self.unsupported) == 1:
            raise UnsupportedModel(self.unsupported[0])
        if self.unsupported:
            lines = "".join(f"\n  {line}" for line in self.unsupported)
            raise UnsupportedModel(
                f"{self.path.name}: {len(self.unsupported)} parts are not supported:{lines}"
            )

    # Inputs and constants

    def add_input(self, value: ValueInfoProto) -> None:
        """Make an argument of the function, or note why it cannot be one."""
        tensor, where = value.type.tensor_type, f"{self.path.name} input '{value.name}'"
        if tensor.elem_type != TensorProto.FLOAT:
            known = TensorProto.DataType.items()
            kind = next((name for name, i in known if i == tensor.elem_type), "unknown")
            self.unsupported.append(f"{where}: element type {kind}; only FLOAT is supported")
            return
        sizes = [
            d.dim_value if d.WhichOneof("value") == "dim_value" and d.dim_value > 0 else None
            for d in tensor.shape.dim
        ]
        names = DIMENSIONS.get(len(sizes))
        if names is None:
            text = "unknown" if not tensor.HasField("shape") else str(len(sizes))
            self.unsupported.append(f"{where}: rank {text}; only [N,C,H,W] and [N,K] are supported")
            return
        for i, size in enumerate(sizes):
            if i and size is None:
                symbol = tensor.shape.dim[i].dim_param
                self.unsupported.append(
                    f"{where}: dimension {i} ({names[i]}) is dynamic"
                    f"{f' ({symbol!r})' if symbol else ''}; export with a fixed size"
                )
        self.batch = sizes[0]
        shape = [1, *(size or 1 for size in sizes[1:])]
        argument = self.block.insert_arg(TensorType(f32, shape), len(self.block.args))
        argument.name_hint = hint(value.name)
        self.values[value.name] = argument

    def value(self, name: str, where: str) -> Value | None:
        """The value called `name`; None when it is lost behind an unsupported node."""
        if name not in self.values:
            if name not in self.initialisers:
                raise InvalidModel(f"{where}: input '{name}' is not defined before this node")
            self.values[name] = self.initialiser(self.initialisers[name])
        return self.values[name]

    def initialiser(self, tensor: TensorProto) -> Constant:
        """The array of an initialiser."""
        try:
            return np.asarray(to_array(tensor))
        except (ValueError, TypeError, KeyError, AttributeError) as e:
            reason = str(e).splitlines()[0] if str(e) else type(e).__name__
            raise InvalidModel(
                f"{self.path.name}: tensor '{tensor.name}' of shape {list(tensor.dims)} is "
                f"damaged: {reason}; export the model again"
            ) from e

    # Nodes

    def all_nodes(self) -> list[Node]:
        """Nodes of the graph; unnamed and repeated names get their operator and number."""
        seen: set[str] = set()
        result: list[Node] = []
        for index, proto in enumerate(self.model.graph.node):
            name = proto.name or f"{proto.op_type}_{index}"
            if name in seen:
                name = f"{name}#{index}"
            seen.add(name)
            result.append(
                Node(
                    proto=proto,
                    index=index,
                    name=name,
                    file=self.path.name,
                    opset=opset_of(self.model),
                    batch=self.batch or 1,
                    inputs=[],
                    block=self.block,
                    weights=self.weights,
                    used=self.used,
                    used_by_nodes=self.used_by_nodes,
                    steps=self.steps,
                )
            )
        return result

    def add_node(self, node: Node) -> None:
        """Import one node; on failure note it and let its results stand for unknown values."""
        proto = node.proto
        for name in proto.output:
            if name and name in self.values:
                raise node.invalid(f"output '{name}' is defined twice")
        node.inputs = [self.value(n, node.where) if n else None for n in proto.input]
        try:
            results = self.results(node)
        except MissingInput:
            results = []
        except NodeUnsupported as e:
            self.unsupported.append(str(e))
            results = []
        tensors = [v for v in node.inputs if v is not None and is_tensor(v)]
        codes = makes_codes(proto) or any(quant_of(v) is not None for v in tensors)
        missing = proto.output[len(results) :]
        guesses = [self.placeholder(n) if tensors and not codes else None for n in missing]
        self.values.update(zip(proto.output, [*results, *guesses], strict=False))

    def results(self, node: Node) -> list[Value | None]:
        """Values of the outputs that are known."""
        proto = node.proto
        parts = desugar(node)
        if parts is not None:
            return self.add_parts(node, parts)
        constants = [v for v in node.inputs if v is not None and not is_tensor(v)]
        all_known = len(constants) == sum(map(bool, proto.input))
        if all_known and can_fold(proto) and proto.op_type not in NOT_FOLDED:
            carry_steps(node, self.steps)
            return self.folded(node)
        key = operator_key(proto)
        if key not in IMPORTERS:
            raise node.unsupported(
                f"operator {key} is not supported; "
                "replace it in the model or cut the model before it"
            )
        first = IMPORTERS[key](node)
        attach_steps(node, first, self.steps)
        unread = node.unread()
        if unread:
            raise node.unsupported(f"attribute {unread[0]} is not supported; export without it")
        return [first]

    def add_parts(self, node: Node, parts: Parts) -> list[Value | None]:
        """Import the nodes that `node` stands for; its results."""
        self.values.update(parts.constants)
        for proto in parts.nodes:
            self.add_node(replace(node, proto=proto, inputs=[], read=set()))
        return [self.values.pop(name, None) if name else None for name in node.proto.output]

    def folded(self, node: Node) -> list[Value | None]:
        """Results of a node whose inputs are all constant."""
        inputs = [None if v is None or is_tensor(v) else v for v in node.inputs]
        try:
            return list(fold_node(node.proto, self.model.opset_import, inputs))
        except ValueError as e:
            raise node.unsupported(
                f"cannot be evaluated ({e}); simplify the model before import"
            ) from e

    def placeholder(self, name: str) -> Tensor | None:
        """A tensor of the inferred shape, so that nodes behind an unsupported one are checked."""
        if self._shapes is None:
            self._shapes = inferred_shapes(self.model)
        shape = self._shapes.get(name)
        return None if shape is None else Block(arg_types=[TensorType(f32, shape)]).args[0]

    # Outputs

    def output(self, name: str) -> Tensor:
        """The tensor that the graph returns as `name`."""
        value = self.value(name, f"{self.path.name} output '{name}'")
        if value is not None and is_tensor(value) and quant_of(value) is not None:
            raise UnsupportedModel(
                f"{self.path.name} output '{name}': holds codes; end with DequantizeLinear"
            )
        if value is None or not is_tensor(value) or value in self.block.args:
            raise UnsupportedModel(
                f"{self.path.name} output '{name}': is not computed from the inputs; remove it"
            )
        return value

    def finish(self, inputs: list[str], outputs: list[tuple[str, Tensor]]) -> ImportedModel:
        """Close the function and check the module."""
        values = [value for _, value in outputs]
        self.block.add_op(ReturnOp(*values))
        arguments = self.block.args
        kind = FunctionType.from_lists([a.type for a in arguments], [v.type for v in values])
        function = FuncOp("main", kind, Region(self.block))
        function.attributes["arg_names"] = names_attr(inputs)
        function.attributes["res_names"] = names_attr(name for name, _ in outputs)
        module = ModuleOp([function])
        module.verify()
        return ImportedModel(
            self.path,
            module,
            self.weights,
            tuple(TensorInfo(n, shape_of(a)) for n, a in zip(inputs, arguments, strict=True)),
            tuple(TensorInfo(name, shape_of(value)) for name, value in outputs),
            self.batch,
        )


def names_attr(names: Iterable[str]) -> ArrayAttr[StringAttr]:
    """A list of ONNX names."""
    return ArrayAttr([StringAttr(name) for name in names])
