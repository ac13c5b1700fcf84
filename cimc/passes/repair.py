"""`repair`: undo, in the integers of each layer, what its approximate multiplier does on average.

Layers are taken in order. What enters them is what the repaired layers before give; what they
should give is what the same network gives with exact products. A step is tried on three quarters of
the calibration images. It is kept where it brings the layer nearer to that on the last quarter, and
where what the first half of the three gives suits the second half, and the other way round: what
neighbours among the images share (crops of one photograph) must not be taken for all. Steps:

- `gain`: one factor for the layer;
- `offset`: besides, an offset for each output channel, as far as the two halves agree on them;
- `channel-gain`: a factor of its own for each channel too, as far as they agree; all these undo the
  error of the layer alone;
- `upstream`: a factor and an offset for each channel that also undo what layers before left;
- `rounding`: each weight becomes the code whose products with the layer's activations are nearest,
  in each output channel behind that gain of many with which its codes suit the multiplier best;
- `descent`: codes of each output channel are changed one by one while its sums come nearer.

Only weights, biases and requantisation factors change: nothing costs a cycle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cimc.diagnostics import InvalidInput
from cimc.dialects.nn import WeightedOp
from cimc.interp.nn import main_function
from cimc.passes.calibrate import calibration_arrays
from cimc.passes.context import cim_context
from cimc.passes.repair_fold import fold
from cimc.passes.repair_layer import LayerRepair, Step
from cimc.passes.repair_steps import steps_of
from cimc.passes.repair_streams import Streams

HOLD_OUT = 4
"""One image of this many decides and is not fitted to."""


@dataclass(frozen=True)
class Repaired:
    """What the pass did, for the report."""

    level: str = "none"
    """Or the steps that were asked for."""
    images: int = 0
    hold_out: int = 0
    steps: list[Step] = field(default_factory=list[Step])


@dataclass(frozen=True)
class RepairPass(ModulePass):
    """Changes integers of layers whose multiplier is not exact, on quantised @main.

    `level` is "none", or how far down that list: "gain", "offsets", "channels" (the first four) or
    "weights" (all); or steps with commas between them: "gain,offset,rounding". At most `images`
    calibration images are used; `fit_rows` is how many results of a layer are fitted to.

    Raises:
        InvalidInput: an unknown level or step, or fewer than 4 calibration images.
    """

    name = "repair"

    level: str = "none"
    images: int = 256
    fit_rows: int = 16384

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Change layers in place and note the steps in the context."""
        steps = steps_of(self.level)
        if not steps or not any(approximate(layer) for layer in layers_of(op)):
            return
        context = cim_context(ctx)
        arrays = calibration_arrays(context, main_function(op))
        inputs = {name: array[: self.images] for name, array in arrays.items()}
        count = len(next(iter(inputs.values())))
        held = np.arange(count) % HOLD_OUT == HOLD_OUT - 1
        if not held.any():
            raise InvalidInput(
                f"{self.name}: needs at least {HOLD_OUT} calibration images, got {count}"
            )
        context.repaired = Repaired(self.level, count, int(held.sum()))
        streams = Streams(op, context.weights, inputs)
        rng = np.random.default_rng(0)
        for layer in streams.layers():
            if not approximate(layer):
                continue
            wanted, given = streams.operands(layer)
            repair = LayerRepair.sample(
                layer, context.weights, wanted, given, held, self.fit_rows, rng
            )
            found = repair.best(steps)
            fold(layer, found, context.weights)
            context.repaired.steps.extend(repair.steps)


def layers_of(module: ModuleOp) -> Iterator[WeightedOp]:
    """Convolutions and matrix products, in order."""
    return (op for op in module.walk() if isinstance(op, WeightedOp))


def approximate(layer: WeightedOp) -> bool:
    """`layer` is quantised and has a multiplier that is not named exact."""
    known = layer.requant_m is not None and layer.multiplier is not None
    return known and layer.multiplier is not None and layer.multiplier.data != "exact"
