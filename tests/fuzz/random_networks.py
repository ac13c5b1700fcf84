"""A hypothesis strategy for networks: ONNX files over all operators, with data and a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import steps_elementwise
import steps_layers
import steps_layout
from hypothesis import reject
from hypothesis.strategies import DrawFn, composite, integers, lists, sampled_from
from network_builder import Builder
from numpy.typing import NDArray
from onnx import ModelProto
from onnx.printer import to_text
from onnx_nodes import session
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidGraph
from quantised_forms import by_onnxruntime, insert_grids

from cimc import multipliers, targets
from cimc.passes.plan import LayerPlan, Plan
from cimc.targets import Target

STEPS = (*steps_layers.STEPS, *steps_elementwise.STEPS, *steps_layout.STEPS)
SIZES = (1, 2, 3, 5, 4, 6, 7, 8, 9, 11)
CHANNELS = (1, 2, 3, 4, 5, 6, 8, 12, 16, 18, 40)
OPSETS = (13, 17, 21, 18, 11, 20)
FORMS = ("float", "float", "float", "float", "all", "some", "qdq", "qoperator")
MULTIPLIERS = tuple(n for n in multipliers.names() if "daism" in multipliers.get(n).arrays)
TYPES = ("u8s8", "s8s8", "u8u8")

SMALL = targets.get("daism-small")


def tight(activation_bytes: int) -> Target:
    """The small target with so small a buffer that maps go in strips through DRAM."""
    geometry = replace(SMALL.geometry, activation_bytes=activation_bytes)
    return replace(SMALL, name=f"daism-{activation_bytes}", geometry=geometry)


@dataclass(frozen=True, eq=False)
class RandomNetwork:
    """An ONNX file and how to compile it."""

    model: ModelProto
    images: dict[str, NDArray[np.float32]]
    form: str
    smooth: bool
    """Small errors stay small: the result can be compared with floats."""
    target: Target
    multiplier: str
    plan: Plan

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What hypothesis shows of a falsifying example."""
        printer.text(str(self))

    def __str__(self) -> str:
        """Graph without large constants, and how it is compiled."""
        graph = ModelProto()
        graph.CopyFrom(self.model)
        for tensor in graph.graph.initializer:
            if np.prod(tensor.dims) > 16:
                tensor.ClearField("raw_data")
        layers = self.plan.to_json()["layers"]
        return (
            f"{self.form} for {self.target.name}, {self.multiplier}, plan {layers}\n"
            f"{to_text(graph)}"
        )


@composite
def networks(draw: DrawFn, *, rtl: bool = False) -> RandomNetwork:
    """Networks of up to eight steps; those for `rtl` are for the small target as it is."""
    form = draw(sampled_from(FORMS))
    opset = draw(sampled_from(OPSETS if form in ("float", "some") else OPSETS[:4]))
    batch = draw(sampled_from((None, None, 1, *(() if form.startswith("q") else (2,)))))
    rng = np.random.default_rng(draw(integers(0, 1 << 16)))
    b = Builder(draw, opset, batch, rng, vector_bias=form.startswith("q"))
    add_inputs(b, single=form.startswith("q"))
    for step in draw(lists(sampled_from(STEPS), min_size=1, max_size=8)):
        step(b)
    if not b.nodes:  # no step found anything to do
        b.node("Relu", [b.pool[-1]])
    outputs = b.sinks()
    if form in ("all", "some"):
        insert_grids(b, 1.0 if form == "all" else 0.6)
    model = b.model(outputs)
    images = {x.name: x.values for x in b.inputs}
    if form.startswith("q"):
        model = by_onnxruntime(model, next(iter(images.values())), form, b.one_of(*TYPES))
        try:
            session(model.SerializeToString())
        except InvalidGraph:  # it gives QLinearAveragePool attributes that this does not have
            reject()
        # Its QLinearSoftmax over a single element gives 0: 256 wraps.
        b.smooth &= all(node.op_type != "QLinearSoftmax" for node in model.graph.node)
    target = SMALL if rtl else b.one_of(SMALL, targets.get("daism"), *map(tight, (256, 512, 1024)))
    names = {node.name for node in model.graph.node}
    layers = [name if name in names else f"{name}_quant" for name in b.layers]
    plan = layer_plan(b, layers, quantised=form != "float")
    uniform = b.one_of("exact", *MULTIPLIERS)
    return RandomNetwork(model, images, form, b.smooth, target, uniform, plan)


def add_inputs(b: Builder, *, single: bool) -> None:
    """One or two inputs, maps or vectors."""
    kinds = ("map", "map", "map", "map", "vector", "two maps", "map and vector")
    kind = b.one_of(*kinds[:5]) if single else b.one_of(*kinds)
    shape = (b.one_of(*CHANNELS), b.one_of(*SIZES), b.one_of(*SIZES))
    if kind != "vector":
        b.input(*shape)
    if kind == "two maps":
        b.input(*shape)
    if kind.endswith("vector"):
        b.input(b.one_of(*CHANNELS))


def layer_plan(b: Builder, names: list[str], *, quantised: bool) -> Plan:
    """Multipliers, and for float networks precisions, of some layers."""
    layers: list[LayerPlan] = []
    if b.one_of(False, True):
        for name in names:
            if b.chance():
                choice: dict[str, Any] = {"multiplier": b.one_of(*MULTIPLIERS)}
                if not quantised and b.one_of(False, False, True):
                    choice |= {"weight_bits": b.whole(2, 8), "activation_bits": b.whole(2, 8)}
                layers.append(LayerPlan(name, **choice))
    return Plan(tuple(layers))
