"""A quantised network run twice, side by side: with exact products, and as it is being repaired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue

from cimc.dialects.nn import WeightedOp
from cimc.interp.nn import bind_inputs, execute_all, main_function
from cimc.weights import WeightStore

Array = NDArray[Any]
Values = dict[SSAValue[Any], Array]

BATCH = 16


class Streams:
    """Values of @main on the same inputs: of an exact twin, and of the module itself."""

    def __init__(self, module: ModuleOp, weights: WeightStore, inputs: Mapping[str, Array]):
        """Run on `inputs` [N, ...] by name of the argument."""
        self.weights = weights
        self.function = main_function(module)
        self.twin = main_function(exact_twin(module))
        self.given: Values = bind_inputs(self.function, inputs)
        arguments = zip(self.twin.body.block.args, self.function.body.block.args, strict=True)
        self.wanted: Values = {twin: self.given[own] for twin, own in arguments}
        self.twins: dict[Operation, Operation] = {}

    def layers(self) -> Iterator[WeightedOp]:
        """Layers in order; each is run, as it is by then, when the next one is asked for."""
        own, twins = self.function.body.block.ops, self.twin.body.block.ops
        for op, twin in zip(list(own), list(twins), strict=True):
            if isinstance(op, ReturnOp):
                return
            self.twins[op] = twin
            if isinstance(op, WeightedOp):
                yield op
            self.step(op, twin)

    def operands(self, layer: WeightedOp) -> tuple[Array, Array]:
        """What `layer` reads: with exact products, and repaired."""
        return self.wanted[self.twins[layer].operands[0]], self.given[layer.operands[0]]

    def step(self, op: Operation, twin: Operation) -> None:
        """Run `op` and its `twin`, once if they cannot differ, and drop what is not read again."""
        args = [self.given[v] for v in op.operands]
        wanted = [self.wanted[v] for v in twin.operands]
        results = in_batches(op, args, self.weights)
        same = all(a is b for a, b in zip(args, wanted, strict=True))
        if same and op.properties == twin.properties:
            exact = results
        else:
            exact = in_batches(twin, wanted, self.weights)
        self.given |= dict(zip(op.results, results, strict=True))
        self.wanted |= dict(zip(twin.results, exact, strict=True))
        for each, values in ((op, self.given), (twin, self.wanted)):
            for operand in set(each.operands):
                last = max(map(position, (use.operation for use in operand.uses)))
                if last <= position(each):
                    del values[operand]


def position(op: Operation) -> int:
    """Index of `op` in its block."""
    block = op.parent_block()
    assert block is not None
    return block.get_operation_index(op)


def in_batches(op: Operation, args: list[Array], weights: WeightStore) -> list[Array]:
    """Results of `op`, a few images at a time."""
    parts = [
        execute_all(op, [a[at : at + BATCH] for a in args], weights)
        for at in range(0, len(args[0]), BATCH)
    ]
    return [np.concatenate(results) for results in zip(*parts, strict=True)]


def exact_twin(module: ModuleOp) -> ModuleOp:
    """A copy of the quantised network in which every product is exact."""
    twin = module.clone()
    for op in twin.walk():
        if isinstance(op, WeightedOp):
            op.multiplier = StringAttr("exact")
    return twin
