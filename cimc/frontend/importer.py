"""Walks an ONNX graph and builds the `nn` function; collects everything that is unsupported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto
from xdsl.dialects.builtin import (
    TensorType,
)
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, SSAValue

from cimc.diagnostics import InvalidModel, UnsupportedModel
from cimc.dialects.nn import shape_of
from cimc.frontend.arity import check_arity
from cimc.frontend.builder import Builder, hint
from cimc.frontend.codes import NOT_FOLDED, attach_steps, carry_steps
from cimc.frontend.desugar import Parts, desugar, makes_codes
from cimc.frontend.fold import can_fold, fold_node
from cimc.frontend.host import ELEMENTS, HostRefused, operator_name
from cimc.frontend.host_merge import drop_unused, merge_host_ops
from cimc.frontend.host_node import copied, hosted
from cimc.frontend.inputs import argument_of
from cimc.frontend.model import ImportedModel, TensorInfo, module_of
from cimc.frontend.node import (
    MissingInput,
    Node,
    NodeRefused,
    NodeUnsupported,
    Operand,
    Tensor,
    holds_codes,
    is_constant,
)
from cimc.frontend.outcomes import NodeOutcome, Outcomes
from cimc.frontend.read import opset_of, read_model, stored_array, unique_names
from cimc.frontend.registry import IMPORTERS, load_importers
from cimc.frontend.shapes import inferred_shapes
from cimc.frontend.steps import Steps
from cimc.frontend.view import View
from cimc.weights import WeightStore


def load(
    path: Path | str, weights: WeightStore | None = None, *, whole: bool = False
) -> ImportedModel:
    """Import ONNX file `path`; constants go to `weights`.

    `whole` takes inputs and outputs of any type and fixed shape as they are, not as batches of
    images: the float interpreter can run the result, the machine cannot.

    Raises:
        InvalidModel: the file is not a usable ONNX model.
        UnsupportedModel: it holds something that neither machine nor host can run; all is listed.
    """
    path = Path(path)
    store = WeightStore() if weights is None else weights
    return Importer(path, read_model(path), store, whole).run()


def survey(path: Path) -> tuple[list[NodeOutcome], ImportedModel | None]:
    """What becomes of every node of ONNX file `path`; no model when something is unsupported.

    Raises:
        InvalidModel: the file is not a usable ONNX model.
        UnsupportedModel: its inputs or outputs are of no supported kind.
    """
    importer = Importer(path, read_model(path), WeightStore())
    try:
        model = importer.run()
    except UnsupportedModel:
        if not importer.outcomes.unsupported:
            raise
        model = None
    return importer.outcomes.in_order(), model


class Importer:
    """State of one import."""

    def __init__(self, path: Path, model: ModelProto, weights: WeightStore, whole: bool = False):
        load_importers()
        self.path = path
        self.model = model
        self.whole = whole
        self.initialisers = {t.name: t for t in model.graph.initializer}
        self.values: dict[str, Operand | None] = {}
        self.steps: dict[str, Steps] = {}
        self.unsupported: list[str] = []
        self.outcomes = Outcomes()
        graph = model.graph
        self.used = frozenset(name for n in graph.node for name in n.input)
        self.used |= {o.name for o in graph.output}
        defined = {name for n in graph.node for name in n.output} | {v.name for v in graph.input}
        self.builder = Builder(weights, defined | set(self.initialisers))
        self.block = self.builder.block
        self.batch: int | None = None
        self._shapes: dict[int, Mapping[str, tuple[int, ...]]] = {}

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
        if not outputs or not (inputs or self.whole):
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

    def add_input(self, value: ValueInfoProto) -> None:
        """Make an argument of the function, or note why it cannot be one."""
        argument = argument_of(value, self.whole)
        where = f"{self.path.name} input '{value.name}'"
        self.unsupported += [f"{where}: {problem}" for problem in argument.problems]
        if argument.problems:
            return
        self.batch = argument.batch
        new = self.block.insert_arg(argument.type, len(self.block.args))
        new.name_hint = hint(value.name)
        self.values[value.name] = new

    def value(self, name: str, where: str) -> Operand | None:
        """The value called `name`; None when it is lost behind an unsupported node."""
        if name not in self.values:
            if name not in self.initialisers:
                raise InvalidModel(f"{where}: input '{name}' is not defined before this node")
            self.values[name] = stored_array(self.path, self.initialisers[name])
        return self.values[name]

    def all_nodes(self) -> list[Node]:
        """Nodes of the graph."""
        protos = self.model.graph.node
        return [
            Node(
                proto=proto,
                index=index,
                name=name,
                file=self.path.name,
                opset=opset_of(self.model),
                batch=self.batch or 1,
                inputs=[],
                builder=self.builder,
                used=self.used,
                steps=self.steps,
                whole=self.whole,
            )
            for index, (proto, name) in enumerate(zip(protos, unique_names(protos), strict=True))
        ]

    def add_node(self, node: Node) -> None:
        """Import one node; on failure note it and let its results stand for unknown values."""
        proto = node.proto
        for name in proto.output:
            if name and name in self.values:
                raise node.invalid(f"output '{name}' is defined twice")
        check_arity(node)
        node.inputs = [self.value(n, node.where) if n else None for n in proto.input]
        try:
            results = self.results(node)
            computed = any(isinstance(y, SSAValue) for y in results)
            self.outcomes.note(node, "mapped" if computed else "folded")
        except MissingInput:
            results = []
            self.outcomes.note(node, "mapped")
        except NodeRefused as e:
            results = self.on_host(node, str(e)) if self.whole else self.refused(node, str(e))
        except NodeUnsupported as e:
            results = self.on_host(node, str(e))
        tensors = [v for v in node.inputs if not (v is None or is_constant(v))]
        codes = makes_codes(proto) or any(holds_codes(v) for v in tensors)
        missing = proto.output[len(results) :]
        guesses = [self.placeholder(n) if tensors and not codes else None for n in missing]
        self.values.update(zip(proto.output, [*results, *guesses], strict=False))

    def refused(self, node: Node, what: str) -> list[Operand | None]:
        """Note that `node` cannot be compiled; no results."""
        self.outcomes.note(node, "unsupported", what)
        self.unsupported.append(f"{node.where}: {what}")
        return []

    def results(self, node: Node) -> Sequence[Operand | None]:
        """Values of the outputs that are known."""
        proto = node.proto
        if self.whole and (makes_codes(proto) or proto.op_type in NOT_FOLDED):
            raise node.unsupported("codes that are no batch of images stay on the host")
        parts = desugar(node)
        if parts is not None:
            return self.add_parts(node, parts)
        constants = [v for v in node.inputs if is_constant(v)]
        all_known = len(constants) == sum(map(bool, proto.input))
        if all_known and can_fold(proto) and proto.op_type not in NOT_FOLDED:
            carry_steps(node, self.steps)
            return self.folded(node)
        key = operator_name(proto)
        if key not in IMPORTERS:
            raise node.unsupported(f"operator {key} has no unit on the machine")
        found = IMPORTERS[key](node)
        if not isinstance(found, list):
            attach_steps(node, found, self.steps)
        unread = node.unread()
        if unread:
            raise node.unsupported(f"attribute {unread[0]} is not supported; export without it")
        results = found if isinstance(found, list) else [found]
        # numpy makes scalars of arrays without dimensions
        return [np.asarray(y) if isinstance(y, np.generic) else y for y in results]

    def add_parts(self, node: Node, parts: Parts) -> list[Operand | None]:
        """Import the nodes that `node` stands for; its results."""
        self.values.update(parts.constants)
        for proto in parts.nodes:
            self.add_node(replace(node, proto=proto, inputs=[], read=set()))
        return [self.values.pop(name, None) if name else None for name in node.proto.output]

    def on_host(self, node: Node, reason: str) -> Sequence[Operand | None]:
        """Results of `node` on the host, because of `reason`; notes it when it cannot run there."""
        try:
            results = hosted(node, reason, self.model.opset_import, self.shapes)
            self.outcomes.note(node, "host", reason)
            return results
        except HostRefused as e:
            known = operator_name(node.proto) in IMPORTERS
            return self.refused(node, f"{reason}; on the host: {e}" if known else str(e))

    def folded(self, node: Node) -> list[Operand | None]:
        """Results of a node whose inputs are all constant."""
        inputs = [v if is_constant(v) else None for v in node.inputs]
        try:
            return list(fold_node(node.proto, self.model.opset_import, inputs))
        except ValueError as e:
            raise node.refused(
                f"cannot be evaluated ({e}); simplify the model before import"
            ) from e

    def placeholder(self, name: str) -> Tensor | None:
        """A tensor of the inferred shape, so that nodes behind an unsupported one are checked."""
        shape = self.shapes(1).get(name)
        element = ELEMENTS[TensorProto.FLOAT]
        return None if shape is None else Block(arg_types=[TensorType(element, shape)]).args[0]

    def shapes(self, batch: int) -> Mapping[str, tuple[int, ...]]:
        """Shapes of intermediate tensors that `onnx` infers for a `batch`."""
        if batch not in self._shapes:
            self._shapes[batch] = inferred_shapes(self.model, batch)
        return self._shapes[batch]

    def output(self, name: str) -> Tensor:
        """The tensor that the graph returns as `name`."""
        value = self.value(name, f"{self.path.name} output '{name}'")
        if value is not None and holds_codes(value):
            raise UnsupportedModel(
                f"{self.path.name} output '{name}': holds codes; end with DequantizeLinear"
            )
        if isinstance(value, View):
            value = self.builder.tensor(value)
        if value is None or is_constant(value) or value in self.block.args:
            if self.whole and value is not None:
                return copied(self.builder, name, value)
            raise UnsupportedModel(
                f"{self.path.name} output '{name}': is not computed from the inputs; remove it"
            )
        return value

    def finish(self, inputs: list[str], outputs: list[tuple[str, Tensor]]) -> ImportedModel:
        """Close the function and check the module."""
        values = [value for _, value in outputs]
        self.block.add_op(ReturnOp(*values))
        drop_unused(self.block)
        weights, opsets = self.builder.weights, self.model.opset_import
        merge_host_ops(self.block, self.builder.parts, weights, opsets)
        assert self.block.last_op is not None
        values, arguments = self.block.last_op.operands, self.block.args
        module = module_of(self.block, inputs, [name for name, _ in outputs])
        return ImportedModel(
            self.path,
            module,
            weights,
            tuple(TensorInfo(n, shape_of(a)) for n, a in zip(inputs, arguments, strict=True)),
            tuple(TensorInfo(name, shape_of(value)) for name, value in outputs),
            self.batch,
        )
