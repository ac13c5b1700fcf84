"""Every pass by name, and the order in which the compiler runs them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from xdsl.passes import ModulePass

_PASSES = {
    "fold-batch-norm": ("fold_batch_norm", "FoldBatchNormPass"),
    "canonicalise-nn": ("canonicalise_nn", "CanonicaliseNnPass"),
    "fold-qdq": ("fold_qdq", "FoldQdqPass"),
    "calibrate": ("calibrate", "CalibratePass"),
    "choose-plan": ("choose_plan", "ChoosePlanPass"),
    "assign-precision": ("assign_precision", "AssignPrecisionPass"),
    "assign-multiplier": ("assign_multiplier", "AssignMultiplierPass"),
    "quantise": ("quantise", "QuantisePass"),
    "predict-errors": ("predict_errors", "PredictErrorsPass"),
    "repair": ("repair", "RepairPass"),
    "nn-to-cim": ("lower_to_cim", "NnToCimPass"),
    "cim-tile": ("tile", "TilePass"),
    "cim-allocate": ("allocate", "AllocatePass"),
    "cim-schedule": ("schedule_commands", "SchedulePass"),
    "cim-estimate-cycles": ("estimate_cycles", "EstimateCyclesPass"),
    "lower-to-bits": ("lower_to_bits", "LowerToBitsPass"),
}
"""Name of each pass, in pipeline order: module of this package, class in it."""


def _factory(module: str, name: str) -> Callable[[], type[ModulePass]]:
    return lambda: getattr(import_module(f"cimc.passes.{module}"), name)


PASSES: dict[str, Callable[[], type[ModulePass]]] = {
    key: _factory(*where) for key, where in _PASSES.items()
}
"""Lazy factories for `cimc-opt`; importing a pass is not free."""

PIPELINE: tuple[str, ...] = tuple(_PASSES)
"""The order in which `cimc` runs the passes."""

STAGE_AFTER = {
    "nn": None,
    "nn-quantised": "repair",
    "cim": "nn-to-cim",
    "cim-scheduled": "cim-estimate-cycles",
    "bit": "lower-to-bits",
}
"""For each IR stage of `--emit` and the output directory, the pass behind which it is taken."""
