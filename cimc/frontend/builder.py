"""The function under construction: appends operations, carries out views, keeps host parts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto
from onnx.helper import make_node
from xdsl.dialects.builtin import LocationAttr, TensorType, f32
from xdsl.ir import Attribute, Block, Operation, SSAValue

from cimc.diagnostics import fused, node_names
from cimc.dialects.nn import (
    FlattenOp,
    HostOp,
    NnOp,
    ShuffleOp,
    UnflattenOp,
    int_attr,
    shape_of,
    store_blob,
)
from cimc.frontend.host import HostPart, TensorKind, attribute_of, kind_of
from cimc.frontend.view import View, layout_of, plan
from cimc.weights import WeightStore

NO_MODEL = np.zeros(0, np.uint8)
"""Stands for the model of a host part until all parts are known."""


class Builder:
    """Builds the block of ``@main``; `taken` are names that ONNX values have."""

    def __init__(self, weights: WeightStore, taken: set[str]):
        self.weights = weights
        self.block = Block()
        self.parts: dict[Operation, HostPart] = {}
        """What each `nn.host` stands for."""
        self.taken = taken
        self.names: dict[SSAValue[Any], str] = {}
        self.made: dict[View, SSAValue[Any]] = {}

    def fresh(self, wish: str) -> str:
        """A name that nothing has yet, like `wish`."""
        name, number = wish, 0
        while name in self.taken:
            number += 1
            name = f"{wish}_{number}"
        self.taken.add(name)
        return name

    def name_of(self, value: SSAValue[Any]) -> str:
        """Name of a tensor inside host parts."""
        if value not in self.names:
            self.names[value] = self.fresh(f"cimc_{value.name_hint or 'value'}")
        return self.names[value]

    def emit(self, op: NnOp, loc: LocationAttr, name: str) -> SSAValue[Any]:
        """Append `op`, which stands for ONNX value `name`; its result."""
        op.location = loc
        op.y.name_hint = hint(name)
        self.block.add_op(op)
        return op.y

    def host(
        self,
        nodes: Sequence[NodeProto],
        operands: Mapping[str, SSAValue[Any]],
        constants: Mapping[str, NDArray[Any]],
        results: Mapping[str, TensorKind],
        loc: LocationAttr,
        reason: str,
    ) -> list[SSAValue[Any]]:
        """Append an `nn.host` that runs `nodes`, which read `operands` and `constants` by name."""
        types = [TensorType(attribute_of(kind), kind.shape) for kind in results.values()]
        model = store_blob(self.weights, NO_MODEL)
        op = HostOp(list(operands.values()), types, model=model, nodes="", reason="")
        op.location = loc
        for name, value in zip(results, op.results, strict=True):
            value.name_hint = hint(name)
            self.names[value] = name
        self.block.add_op(op)
        self.parts[op] = HostPart(
            tuple(nodes), tuple(operands), tuple(results), dict(constants), reason
        )
        return list(op.results)

    # Views

    def tensor(self, view: View) -> SSAValue[Any]:
        """The tensor that `view` stands for; made once."""
        if view not in self.made:
            self.made[view] = self.carried_out(view)
        return self.made[view]

    def carried_out(self, view: View) -> SSAValue[Any]:
        """Append what makes `view` of its base."""
        x, shape = view.base, shape_of(view.base)
        if view.layout == layout_of(shape):
            return x
        steps = plan(view.layout, shape) if kind_of(x).element == TensorProto.FLOAT else None
        if steps is None:
            return self.rearranged(view)
        if steps.groups > 1:
            x = self.moved(ShuffleOp, x, shape, view, {"groups": int_attr(steps.groups)})
        if steps.flatten:
            x = self.moved(FlattenOp, x, (shape[0], math.prod(shape[1:])), view)
        if steps.unflatten:
            x = self.moved(UnflattenOp, x, (*shape_of(x), 1, 1), view)
        return x

    def moved(
        self,
        kind: type[NnOp],
        x: SSAValue[Any],
        shape: Sequence[int],
        view: View,
        properties: Mapping[str, Attribute] | None = None,
    ) -> SSAValue[Any]:
        """Append one step of `view`."""
        return self.emit(
            kind([x], TensorType(f32, shape), properties), fused(view.steps), view.name
        )

    def rearranged(self, view: View) -> SSAValue[Any]:
        """Append reshape, transpose, reshape on the host, which make any view."""
        order = [atom for atoms in view.layout for atom in atoms]
        stored = sorted(order, key=lambda atom: (atom.axis, -atom.stride))
        name, result = self.name_of(view.base), self.fresh(f"{view.name}_moved")
        shapes = {f"{result}_shape": list(view.shape)}
        nodes = [make_node("Reshape", [name, f"{result}_shape"], [result])]
        if order != stored:
            cut, turned = self.fresh(f"{view.name}_cut"), self.fresh(f"{view.name}_turned")
            shapes[f"{cut}_shape"] = [atom.size for atom in stored]
            permutation = [stored.index(atom) for atom in order]
            nodes[0].input[0] = turned
            nodes[:0] = [
                make_node("Reshape", [name, f"{cut}_shape"], [cut]),
                make_node("Transpose", [cut], [turned], perm=permutation),
            ]
        constants = {key: np.array(value, np.int64) for key, value in shapes.items()}
        kind = TensorKind(kind_of(view.base).element, view.shape)
        names = ", ".join(name for step in view.steps for name in node_names(step))
        reason = (
            f"{names}: {list(shape_of(view.base))} to {list(view.shape)} is no flattening, "
            "channel shuffle or 1x1 map"
        )
        loc = fused(view.steps)
        return self.host(nodes, {name: view.base}, constants, {result: kind}, loc, reason)[0]


def hint(name: str) -> str | None:
    """An SSA name made of an ONNX name; None when nothing usable is left."""
    text = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return f"v{text}" if text[:1].isdigit() else text or None
