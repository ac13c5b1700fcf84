"""A network quantised on the side: what is known of its layers before any is chosen, and trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp, StringAttr

from cimc.interp.nn import main_function, run
from cimc.passes.calibrate import calibration_arrays
from cimc.passes.context import CimContext
from cimc.passes.operands import Operands
from cimc.passes.plan import named_layers
from cimc.passes.plan_search import Bits, Choice, Choices
from cimc.passes.precisions import Precisions
from cimc.passes.repair import HOLD_OUT, RepairPass
from cimc.passes.repair_fit import Floats
from cimc.passes.sampled_layers import SampledLayer, affordable, sampled_layers
from cimc.passes.sensitivity import WholeRun, layer_error, noise_to_signal

SAMPLE_PRODUCTS, SAMPLE_IMAGES = 1e10, (8, 256)
"""Of the run that gives the histograms."""
SENSE_PRODUCTS, SENSE_IMAGES = 4e10, (4, 256)
"""Of the runs, one a layer, that give the sensitivities."""
HELD_PRODUCTS, HELD_IMAGES = 1e10, (4, 64)
"""Of the run of a trial."""
REFERENCE_SNR_DB = 25.0
"""Sensitivities are measured with the choice that is nearest to it: small, but no rounding."""

Images = Mapping[str, NDArray[Any]]


class Trial:
    """One network, as floats and with exact products."""

    def __init__(self, ctx: CimContext, module: ModuleOp, repair: str, bits: Sequence[int] = ()):
        """Of calibrated float `module`; nothing of it or of `ctx` changes.

        `bits` are those to choose from; with exact products every layer has the most of them.
        """
        self.ctx, self.repair = ctx.scratch(), repair
        self.ctx.plan = ctx.plan
        self.real = module.clone()
        self.precisions = Precisions(self.ctx, self.real, bits)
        self.exact = self.precisions.module(self.precisions.finest)
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

    def operands(self, node: str, bits: Bits) -> Operands | None:
        """What a layer multiplies with `bits`; None where it does in the exact network, too."""
        finest = bits == self.precisions.finest[node]
        return None if finest else self.precisions.operands(node, bits)

    def predicted_snr_db(self, layer: SampledLayer, choice: Choice) -> float | None:
        """Of the sums of `layer` against the exact ones; None without an error."""
        given = self.operands(layer.name, choice.bits)
        return layer.predicted_snr_db(choice.multiplier, given)

    def reaching(self, layer: SampledLayer, choice: Choice) -> Floats:
        """What changes in the outputs [N, ...] when only `layer` has `choice`, corrected."""
        real, codes = self.runs
        given = self.operands(layer.name, choice.bits)
        x = codes.values[layer.layer.x]
        error = layer_error(layer, x, choice.multiplier, self.ctx.weights, given)
        return real.difference(dict(named_layers(self.real))[layer.name].y, error)

    def predicted_noise(self, plan: Choices) -> float:
        """Noise to signal of the outputs with a choice for each layer, by node, corrected.

        From runs of single layers: what they change adds up, and the error of exact codes.
        """
        real, codes = self.runs
        total = codes.clean - real.clean
        for layer in self.layers:
            if (choice := plan.get(layer.name)) is not None and self.errs(layer, choice):
                total = total + self.reaching(layer, choice)
        return noise_to_signal(real.clean, total)

    def errs(self, layer: SampledLayer, choice: Choice) -> bool:
        """A layer with `choice` gives other sums than the exact ones."""
        return self.predicted_snr_db(layer, choice) is not None

    def sensitivities(
        self, snr_db: Mapping[str, Mapping[Choice, float | None]]
    ) -> dict[str, dict[Bits, float]]:
        """Noise to signal of the outputs over that of the sums, for each layer by node, and bits.

        `snr_db` is what each layer can have, by choice; what can only be exact is left out.
        """
        found: dict[str, dict[Bits, float]] = {}
        for layer in self.layers:
            known = snr_db.get(layer.name, {})
            for bits in dict.fromkeys(choice.bits for choice in known):
                own = {c: db for c, db in known.items() if c.bits == bits and db is not None}
                if not own:
                    continue
                reference = min(own, key=lambda c: abs(own[c] - REFERENCE_SNR_DB))
                given = self.operands(layer.name, bits)
                measured = layer.measured_snr_db(reference.multiplier, given)
                assert measured is not None
                noise = noise_to_signal(self.runs[0].clean, self.reaching(layer, reference))
                found.setdefault(layer.name, {})[bits] = noise * 10 ** (measured / 10)
        return found

    @cached_property
    def folds(self) -> list[tuple[Images, Images]]:
        """Calibration images to repair with and others to measure on: the halves, both ways.

        Neighbours among them are often of one kind, halves are not; too few to halve are not cut.
        """
        most = self.affordable(HELD_PRODUCTS, HELD_IMAGES)
        if self.count < 2 * HOLD_OUT:
            return [(self.images, {name: a[:most] for name, a in self.images.items()})]
        middle = self.count // 2
        first, second = (
            {name: array[part] for name, array in self.images.items()}
            for part in (slice(None, middle), slice(middle, self.count))
        )
        return [
            (fit, spread(other, most // 2)) for fit, other in ((first, second), (second, first))
        ]

    @cached_property
    def exact_noise(self) -> float:
        """Noise to signal of the outputs with exact products."""
        return self.noise([(self.exact, self.ctx, images) for _, images in self.folds])

    def planned_noise(self, plan: Choices, images: Images | None = None) -> float:
        """The same with a choice for each layer, by node, repaired.

        On `images`, repaired with all calibration images; without them each half of these is
        repaired with the other one.
        """
        folds = self.folds if images is None else [(self.images, images)]
        return self.noise([(*self.repaired(plan, fit), seen) for fit, seen in folds])

    def repaired(self, plan: Choices, images: Images) -> tuple[ModuleOp, CimContext]:
        """The network with a choice for each layer, repaired with `images`."""
        bits = {node: choice.bits for node, choice in plan.items()}
        module = self.precisions.module(bits).clone()
        for name, layer in named_layers(module):
            layer.multiplier = StringAttr(plan[name].multiplier)
        own = self.ctx.scratch()
        assert own.calibration is not None
        own.calibration = replace(own.calibration, arrays=dict(images))
        RepairPass(self.repair).apply(own, module)
        return module, own

    def noise(self, runs: Sequence[tuple[ModuleOp, CimContext, Images]]) -> float:
        """Energy of the outputs' error over theirs, of quantised modules on images of each."""
        clean, noisy = (
            [
                values.astype(np.float64).reshape(-1)
                for module, ctx, images in each
                for _, values in sorted(run(module, ctx.weights, images).outputs.items())
            ]
            for each in ([(self.real, self.ctx, images) for _, _, images in runs], runs)
        )
        before, after = np.concatenate(clean), np.concatenate(noisy)
        return noise_to_signal(before, after - before)


def spread(images: Images, count: int) -> dict[str, NDArray[Any]]:
    """`count` of the images, evenly."""
    size = min(len(array) for array in images.values())
    at = np.linspace(0, size - 1, min(count, size)).astype(int)
    return {name: array[at] for name, array in images.items()}


def decibels(noise: float) -> float | None:
    """Signal to noise in dB; None without noise."""
    return -10 * math.log10(noise) if noise > 0 else None
