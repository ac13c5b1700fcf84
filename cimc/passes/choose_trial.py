"""A network quantised on the side: what is known of its layers before any is chosen, and trials."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp, StringAttr

from cimc.interp.nn import main_function, run
from cimc.passes.assign_multiplier import AssignMultiplierPass
from cimc.passes.assign_precision import AssignPrecisionPass
from cimc.passes.calibrate import calibration_arrays
from cimc.passes.context import CimContext
from cimc.passes.plan import Plan, named_layers
from cimc.passes.quantise import QuantisePass
from cimc.passes.repair import HOLD_OUT, RepairPass
from cimc.passes.sampled_layers import SampledLayer, affordable, sampled_layers
from cimc.passes.sensitivity import WholeRun, layer_error, noise_to_signal

SAMPLE_PRODUCTS, SAMPLE_IMAGES = 1e10, (8, 256)
"""Of the run that gives the histograms."""
SENSE_PRODUCTS, SENSE_IMAGES = 4e10, (4, 32)
"""Of the runs, one a layer, that give the sensitivities."""
HELD_PRODUCTS, HELD_IMAGES = 1e10, (4, 64)
"""Of the run of a trial."""
REFERENCE_SNR_DB = 25.0
"""Sensitivities are measured with the multiplier that is nearest to it: small, but no rounding."""

Images = Mapping[str, NDArray[Any]]


class Trial:
    """One network, as floats and with exact products."""

    def __init__(self, ctx: CimContext, module: ModuleOp, repair: str):
        """Of calibrated float `module`; nothing of it or of `ctx` changes."""
        self.ctx, self.repair = ctx.scratch(), repair
        bits = (replace(layer, multiplier=None) for layer in ctx.plan.layers)
        self.ctx.plan = Plan(tuple(bits), ctx.plan.source)
        self.real, self.exact = module.clone(), module.clone()
        AssignPrecisionPass().apply(self.ctx, self.exact)
        AssignMultiplierPass("exact").apply(self.ctx, self.exact)
        QuantisePass().apply(self.ctx, self.exact)
        self.images = calibration_arrays(self.ctx, main_function(self.exact))
        self.count = min(len(array) for array in self.images.values())

    @cached_property
    def layers(self) -> list[SampledLayer]:
        """Layers in order, with samples of what they read."""
        images = spread(self.images, self.affordable(SAMPLE_PRODUCTS, SAMPLE_IMAGES))
        return list(sampled_layers(self.exact, self.ctx.weights, images))

    def affordable(self, products: float, limits: tuple[int, int]) -> int:
        """How many of the calibration images a run may take."""
        return min(self.count, affordable(self.exact, products, limits))

    @cached_property
    def runs(self) -> tuple[WholeRun, WholeRun]:
        """Of the floats and of the exact codes, on the images that sensitivities come from."""
        count = self.affordable(2 * SENSE_PRODUCTS / max(len(self.layers), 1), SENSE_IMAGES)
        images = spread(self.images, count)
        real, codes = (
            WholeRun(module, self.ctx.weights, images) for module in (self.real, self.exact)
        )
        return real, codes

    def reaching(self, layer: SampledLayer, multiplier: str) -> float:
        """Noise to signal of the outputs when only `layer` has `multiplier`, corrected."""
        real, codes = self.runs
        error = layer_error(layer, codes.values[layer.layer.x], multiplier, self.ctx.weights)
        return real.noise(dict(named_layers(self.real))[layer.name].y, error)

    def sensitivities(self, snr_db: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
        """Noise to signal of the outputs over that of the sums, for each layer by node.

        `snr_db` is what each layer can have, by multiplier; layers that can only be exact are left
        out.
        """
        found: dict[str, float] = {}
        for layer in self.layers:
            known = {m: db for m, db in snr_db.get(layer.name, {}).items() if db is not None}
            if not known:
                continue
            reference = min(known, key=lambda m: abs(known[m] - REFERENCE_SNR_DB))
            measured = layer.measured_snr_db(reference)
            assert measured is not None
            found[layer.name] = self.reaching(layer, reference) * 10 ** (measured / 10)
        return found

    @cached_property
    def held(self) -> dict[str, NDArray[Any]]:
        """Calibration images that decide in repair and are not fitted to."""
        first = HOLD_OUT - 1 if self.count >= HOLD_OUT else 0
        held = {name: array[first::HOLD_OUT] for name, array in self.images.items()}
        return {name: a[: self.affordable(HELD_PRODUCTS, HELD_IMAGES)] for name, a in held.items()}

    @cached_property
    def exact_noise(self) -> float:
        """Noise to signal of the outputs with exact products."""
        return self.noise(self.exact, self.ctx, self.held)

    def planned_noise(self, multipliers: Mapping[str, str], images: Images | None = None) -> float:
        """The same with a multiplier for each layer, by node, repaired; on `images` if given."""
        module = self.exact.clone()
        for name, layer in named_layers(module):
            layer.multiplier = StringAttr(multipliers[name])
        own = self.ctx.scratch()
        RepairPass(self.repair).apply(own, module)
        return self.noise(module, own, images or self.held)

    def noise(self, module: ModuleOp, ctx: CimContext, images: Images) -> float:
        """Energy of the outputs' error over theirs, of quantised `module` on `images`."""
        clean = run(self.real, self.ctx.weights, images).outputs
        noisy = run(module, ctx.weights, images).outputs
        flat = [
            np.concatenate([each[k].reshape(-1) for k in sorted(clean)]).astype(np.float64)
            for each in (clean, noisy)
        ]
        return noise_to_signal(*flat)


def spread(images: Images, count: int) -> dict[str, NDArray[Any]]:
    """`count` of the images, evenly."""
    size = min(len(array) for array in images.values())
    at = np.linspace(0, size - 1, min(count, size)).astype(int)
    return {name: array[at] for name, array in images.items()}


def decibels(noise: float) -> float | None:
    """Signal to noise in dB; None without noise."""
    return -10 * math.log10(noise) if noise > 0 else None
