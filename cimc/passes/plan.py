"""What a person decides per layer: `plan.json`.

    {"layers": [{"node": "conv1", "multiplier": "exact", "weight_bits": 8, "activation_bits": 8}]}

Layers are convolutions and matrix products, by the name of their ONNX node. A layer, or a field of
one, that the plan leaves out takes the uniform choice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from cimc.diagnostics import InvalidInput, did_you_mean, node_names
from cimc.dialects.nn import WeightedOp
from cimc.multipliers import get as get_multiplier

BITS = range(2, 9)


@dataclass(frozen=True)
class LayerPlan:
    """Choices for one layer; None leaves a choice open."""

    node: str
    multiplier: str | None = None
    weight_bits: int | None = None
    activation_bits: int | None = None


LAYER_FIELDS = tuple(field.name for field in fields(LayerPlan))
NO_CHOICE = LayerPlan("")


@dataclass(frozen=True)
class Plan:
    """Choices for some layers of a network."""

    layers: tuple[LayerPlan, ...] = ()
    source: str = "plan"
    """Where it comes from, for error messages."""

    @staticmethod
    def read(path: Path) -> Plan:
        """The plan in JSON file `path`.

        Raises:
            InvalidInput: unreadable, not JSON, an unknown key or multiplier, a value out of range.
        """
        try:
            data = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as e:
            reason = e.strerror if isinstance(e, OSError) else f"not JSON: {e}"
            raise InvalidInput(f"{path}: cannot read the plan: {reason}") from e
        return Plan.from_json(data, str(path))

    @staticmethod
    def from_json(data: Any, source: str = "plan") -> Plan:
        """The plan that parsed JSON `data` describes; raises `InvalidInput` as `read` does."""
        if not isinstance(data, dict) or not isinstance(data.get("layers"), list):
            raise InvalidInput(f'{source}: a plan is an object with a list "layers"')
        layers = tuple(_layer(source, i, layer) for i, layer in enumerate(data["layers"]))
        seen: set[str] = set()
        for layer in layers:
            if layer.node in seen:
                raise InvalidInput(f"{source}: layer '{layer.node}' appears twice")
            seen.add(layer.node)
        return Plan(layers, source)

    @staticmethod
    def of(module: ModuleOp) -> Plan:
        """The choices that the layers of `module` carry."""
        layers = [
            LayerPlan(
                name,
                None if op.multiplier is None else op.multiplier.data,
                None if op.weight_bits is None else op.weight_bits.value.data,
                None if op.activation_bits is None else op.activation_bits.value.data,
            )
            for name, op in named_layers(module)
        ]
        return Plan(tuple(layers))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads; open choices are left out."""
        layers = [
            {key: value for key, value in asdict(layer).items() if value is not None}
            for layer in self.layers
        ]
        return {"layers": layers}

    def write(self, path: Path) -> None:
        """Write the file that `read` reads."""
        path.write_text(json.dumps(self.to_json(), indent=2) + "\n", "utf-8")

    def layer(self, node: str) -> LayerPlan:
        """The choices for layer `node`."""
        return next((layer for layer in self.layers if layer.node == node), NO_CHOICE)

    def check(self, nodes: Iterable[str]) -> None:
        """Check that every layer of the plan is one of `nodes`.

        Raises:
            InvalidInput: naming the first that is not, and the nearest name.
        """
        known = set(nodes)
        for layer in self.layers:
            if layer.node not in known:
                raise InvalidInput(
                    f"{self.source}: the network has no layer '{layer.node}'"
                    f"{did_you_mean(layer.node, known)}"
                )


def layer_name(op: WeightedOp) -> str:
    """Name of the ONNX node that `op` stands for; empty when it has no location."""
    return next(iter(node_names(op.location)), "")


def named_layers(module: ModuleOp) -> Iterator[tuple[str, WeightedOp]]:
    """Layers of `module` with their names, in order."""
    for op in module.walk():
        if isinstance(op, WeightedOp):
            yield layer_name(op), op


def _layer(source: str, i: int, data: Any) -> LayerPlan:
    """Entry number `i` of a plan's list."""
    if not isinstance(data, dict) or not isinstance(data.get("node"), str):
        raise InvalidInput(f'{source}: layer {i} must be an object with a text "node"')
    where = f"{source}: layer '{data['node']}'"
    for key in data:
        if key not in LAYER_FIELDS:
            raise InvalidInput(f"{where}: unknown key '{key}'{did_you_mean(key, LAYER_FIELDS)}")
    multiplier = data.get("multiplier")
    if multiplier is not None:
        try:
            get_multiplier(str(multiplier))
        except InvalidInput as e:
            raise InvalidInput(f"{where}: {e}") from e
    for key in ("weight_bits", "activation_bits"):
        bits = data.get(key)
        if bits is not None and (type(bits) is not int or bits not in BITS):
            raise InvalidInput(f"{where}: {key} must be an integer from 2 to 8, got {bits!r}")
    return LayerPlan(**data)
