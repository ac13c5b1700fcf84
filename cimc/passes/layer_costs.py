"""What each layer costs with a multiplier: compiled for it and counted by the ordinary estimate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

from xdsl.dialects.builtin import ModuleOp, StringAttr

from cimc.diagnostics import node_names
from cimc.dialects.cim import LayerOp
from cimc.dialects.nn import WeightedOp, operand_bits
from cimc.multipliers import get as get_multiplier
from cimc.passes.context import CimContext
from cimc.passes.depthwise import VECTOR_MULTIPLIER, on_vector_unit, suits_vector_unit
from cimc.passes.pipeline import PASSES, PIPELINE
from cimc.passes.plan import named_layers
from cimc.passes.segments import cut

FIRST, LAST = "nn-to-cim", "cim-estimate-cycles"
Configuration = tuple[tuple[int, ...], ...]


class LayerCosts(Protocol):
    """What to make small. The choice of a layer depends on nothing else but its error."""

    def of(self, node: str, multiplier: str) -> tuple[float, ...]:
        """Figures of layer `node` with `multiplier`, the most important first."""
        ...


class MachineCosts:
    """Cycles, then rows of the array that hold weights, or gates where multipliers are built in.

    Cycles of a layer are those that it has when all layers of the array have its multiplier;
    multipliers with the same rows and reads have the same.
    """

    def __init__(self, ctx: CimContext, exact: ModuleOp):
        """For the quantised network `exact`; nothing of `ctx` or of it changes."""
        self.ctx = ctx
        self.exact = exact
        self.layers = dict(named_layers(exact))
        self.cycles: dict[Configuration, dict[str, int]] = {}

    def of(self, node: str, multiplier: str) -> tuple[float, ...]:
        """Cycles; rows of all weights of the layer, or gates of one multiplier."""
        layer = self.layers[node]
        key = self.configuration(multiplier)
        if key not in self.cycles:
            self.cycles[key] = dict(self.counted(multiplier))
        return float(self.cycles[key].get(node, 0)), float(self.size(layer, multiplier))

    def configuration(self, multiplier: str) -> Configuration:
        """What cycles depend on: rows and reads for each precision in use."""
        if self.ctx.target.multipliers:
            return ()
        widths = sorted({operand_bits(layer) for layer in self.layers.values()})
        found = [(*bits, get_multiplier(multiplier).array_config(*bits)) for bits in widths]
        return tuple((m, n, config.rows, config.reads) for m, n, config in found)

    def size(self, layer: WeightedOp, multiplier: str) -> int:
        """Rows or gates; nothing on the vector unit."""
        vector = multiplier == VECTOR_MULTIPLIER
        if vector and suits_vector_unit(layer, self.ctx.target.geometry):
            return 0
        bits, found = operand_bits(layer), get_multiplier(multiplier)
        if self.ctx.target.multipliers:
            return found.gates(*bits) or 0
        return math.prod(layer.weights.shape) * found.array_config(*bits).rows

    def counted(self, multiplier: str) -> Iterator[tuple[str, int]]:
        """Cycles of every layer, by node, of the network with `multiplier` throughout."""
        module = self.exact.clone()
        for _, layer in named_layers(module):
            if not on_vector_unit(layer, self.ctx.target.geometry):
                layer.multiplier = StringAttr(multiplier)
        names = PIPELINE[PIPELINE.index(FIRST) : PIPELINE.index(LAST) + 1]
        for segment in cut(module).parts:
            if segment.on_host:
                continue
            own = self.ctx.scratch(self.ctx.target.built_for([multiplier]))
            for name in names:
                PASSES[name]()().apply(own, segment.module)
            yield from cycles_by_node(segment.module)


def cycles_by_node(module: ModuleOp) -> Iterator[tuple[str, int]]:
    """Node and cycles of each layer of a scheduled module."""
    for op in module.walk():
        if isinstance(op, LayerOp) and (nodes := node_names(op.location)):
            cycles = op.cycles
            assert cycles is not None
            yield nodes[0], cycles.value.data
