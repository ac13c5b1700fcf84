"""`predict-errors`: the error of each layer with its multiplier, in closed form and measured.

The prediction takes milliseconds: from histograms of the layer's inputs in the exact network, no
product is run (`cimc.cost.error_model`). Beside it stands what products give that are run, on other
images. Both are about the sums of the layer behind one gain and an offset for each channel, as
`repair` fits them.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cimc.passes.context import cim_context
from cimc.passes.plan import named_layers
from cimc.passes.repair import approximate
from cimc.passes.repair_layer import rounded_db
from cimc.passes.repair_streams import exact_twin
from cimc.passes.sampled_layers import affordable, every_other, sampled_layers

PRODUCTS = 2e10
"""Of the runs on calibration images."""
IMAGES = (8, 256)


@dataclass(frozen=True)
class LayerError:
    """Signal to noise of a layer's sums, in dB; None without an error."""

    predicted_snr_db: float | None = None
    measured_snr_db: float | None = None


@dataclass(frozen=True)
class PredictErrorsPass(ModulePass):
    """Notes the errors of layers whose multiplier is not exact; @main is quantised, not changed.

    Does nothing without calibration data: noise says nothing about errors.
    """

    name = "predict-errors"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Set `CimContext.layer_errors`."""
        context = cim_context(ctx)
        wanted = {
            name: layer.multiplier.data
            for name, layer in named_layers(op)
            if approximate(layer) and layer.multiplier is not None
        }
        data = context.calibration
        if data is None or not data.ranges_are_real or not wanted:
            return
        halves = every_other(data.arrays, affordable(op, PRODUCTS, IMAGES))
        exact = exact_twin(op)
        runs = (sampled_layers(exact, context.weights, images) for images in halves)
        for seen, other in zip(*runs, strict=True):
            if (multiplier := wanted.get(seen.name)) is not None:
                context.layer_errors[seen.name] = LayerError(
                    rounded_db(seen.predicted_snr_db(multiplier)),
                    rounded_db(other.measured_snr_db(multiplier)),
                )
