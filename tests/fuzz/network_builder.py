"""Grows an ONNX graph node by node; onnxruntime says what each node gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from hypothesis import reject
from hypothesis.strategies import DrawFn, SearchStrategy, booleans, integers, sampled_from
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto
from onnx.helper import make_node, make_tensor_value_info
from onnx_nodes import NodeRunner, build_model

Array = NDArray[Any]
T = TypeVar("T")

IMAGES = 6
"""Calibration images of a network whose file leaves the batch open."""
LARGEST = 1e4
"""Tensors beyond this are not worth a network."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value of the graph, with what it is on the calibration images."""

    name: str
    values: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Without the batch."""
        return self.values.shape[1:]

    @property
    def is_map(self) -> bool:
        """[N, C, H, W], as against [N, K]."""
        return self.values.ndim == 4

    @property
    def channels(self) -> int:
        """Size of axis 1."""
        return self.values.shape[1]


@dataclass
class Builder:
    """The graph so far. Structure is drawn, weights come from a seeded generator."""

    draw: DrawFn
    opset: int
    batch: int | None
    """What the file fixes."""
    rng: np.random.Generator
    vector_bias: bool = False
    """A bias has a value for each output: onnxruntime's quantiser takes no other."""
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    inputs: list[Tensor] = field(default_factory=list)
    pool: list[Tensor] = field(default_factory=list)
    """Tensors that the next step may read, in the order of their making."""
    layers: list[str] = field(default_factory=list)
    """Names of nodes with weights."""
    renamed: dict[str, str] = field(default_factory=dict)
    """What readers of a tensor read in its place."""
    smooth: bool = True
    """No function with jumps: small errors stay small."""

    def whole(self, low: int, high: int) -> int:
        """Any number of low..high."""
        return self.draw(integers(low, high))

    def one_of(self, *options: T) -> T:
        """Any of `options`; the first is the simplest."""
        return self.draw(sampled_from(options))

    def chance(self) -> bool:
        """True or false."""
        return self.draw(booleans())

    def take(self, strategy: SearchStrategy[T]) -> T:
        """What `strategy` gives."""
        return self.draw(strategy)

    def input(self, *shape: int) -> Tensor:
        """A graph input of standard normal values."""
        values = self.rng.standard_normal((self.batch or IMAGES, *shape)).astype(np.float32)
        tensor = Tensor(f"x{len(self.inputs)}", values)
        self.inputs.append(tensor)
        self.pool.append(tensor)
        return tensor

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Name of a new constant."""
        name = f"k{len(self.constants)}"
        self.constants[name] = np.asarray(values, dtype)
        return name

    def ints(self, values: Sequence[int] | int) -> str:
        """Name of a new constant of int64."""
        return self.constant(values, np.int64)

    def normal(self, *shape: int, scale: float = 1.0) -> str:
        """Name of a new constant of normal values."""
        return self.constant(self.rng.normal(0, scale, shape))

    def node(self, op: str, xs: Sequence[Tensor | str], count: int = 1, **attributes: Any) -> Any:
        """A new node of `xs` and its result, or list of `count` results; they join the pool."""
        names = [x if isinstance(x, str) else x.name for x in xs]
        number = len(self.nodes)
        results = [f"t{number}" if count == 1 else f"t{number}_{i}" for i in range(count)]
        proto = make_node(op, names, results, name=f"n{number}_{op}", **attributes)
        given = {x.name: x.values for x in xs if isinstance(x, Tensor)}
        found = NodeRunner(proto, given, self.constants, self.opset)(given)
        if any(not sound(values) for values in found.values()):
            reject()
        self.nodes.append(proto)
        tensors = [Tensor(name, found[name]) for name in results]
        self.pool += tensors
        return tensors[0] if count == 1 else tensors

    def layer(self, op: str, xs: Sequence[Tensor | str], **attributes: Any) -> Tensor:
        """A new node with weights."""
        y = self.node(op, xs, **attributes)
        self.layers.append(self.nodes[-1].name)
        return y

    def pick(self, among: Sequence[Tensor]) -> Tensor:
        """One of a pool, mostly the newest."""
        back = min(self.one_of(0, 0, 0, 0, 1, 2, 5), len(among) - 1)
        return among[len(among) - 1 - back]

    def map_(self) -> Tensor:
        """A tensor [N, C, H, W]; where there is none, a vector as one."""
        maps = [t for t in self.pool if t.is_map]
        return self.pick(maps) if maps else tall(self, self.any_())

    def any_(self) -> Tensor:
        """A tensor [N, C, H, W] or [N, K]."""
        return self.pick([t for t in self.pool if t.values.ndim in (2, 4)])

    def sinks(self) -> list[Tensor]:
        """Tensors that no node reads."""
        used = {name for node in self.nodes for name in node.input}
        return [t for t in self.pool if t.name not in used and t not in self.inputs]

    def model(self, outputs: Sequence[Tensor]) -> ModelProto:
        """The graph so far, as ONNX."""
        first = "N" if self.batch is None else self.batch
        inputs = [
            make_tensor_value_info(x.name, TensorProto.FLOAT, [first, *x.shape])
            for x in self.inputs
        ]
        ends = [
            make_tensor_value_info(y.name, TensorProto.FLOAT, [first, *y.shape]) for y in outputs
        ]
        used = {name for node in self.nodes for name in node.input}
        constants = {name: array for name, array in self.constants.items() if name in used}
        return build_model(self.nodes, inputs, ends, constants, self.opset)


def tall(b: Builder, x: Tensor) -> Tensor:
    """Vectors as 1x1 maps."""
    if b.chance():
        return b.node("Reshape", [x, b.ints([0, x.channels, 1, 1])])
    if b.opset < 13:
        return b.node("Unsqueeze", [x], axes=[2, 3])
    return b.node("Unsqueeze", [x, b.ints([2, -1])])


def sound(values: Array) -> bool:
    """Neither empty, infinite nor out of proportion."""
    finite = bool(np.isfinite(values).all()) and values.size > 0
    return finite and (values.dtype != np.float32 or float(np.abs(values).max()) < LARGEST)
