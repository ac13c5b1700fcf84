"""``--verify-each``: runs the interpreter behind every pass and compares with before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from cimc.backend.compiler import CUT, REPAIR
from cimc.backend.image import host_ports
from cimc.diagnostics import VerifyFailed
from cimc.dialects.cim import OutputOp
from cimc.dialects.nn import DequantizeOp, NnOp, quant_of
from cimc.interp import cim as cim_level
from cimc.interp import nn as nn_level
from cimc.weights import WeightStore

Outputs = dict[str, NDArray[Any]]

CHANGES = ("assign-multiplier", REPAIR)
"""Passes that change what integer levels compute."""
FLOAT_TOLERANCE = 1e-4
"""Of the largest magnitude of an output, between float levels; integer levels agree exactly."""


class MeaningChecker:
    """An observer of passes that holds the meaning of the module constant on data."""

    def __init__(self, store: WeightStore, inputs: Mapping[str, NDArray[Any]]):
        """Check on float `inputs` [N, ...] by name; `store` holds the blobs of the module."""
        self.store = store
        self.inputs = inputs
        self._before: tuple[str, Outputs] | None = None

    def __call__(self, name: str, module: ModuleOp) -> None:
        """Compare the outputs of `module` with those behind the pass before `name`.

        Quantisation changes them by design, and so do another multiplier of integer layers and
        repair: these are not compared, nor what computes with both floats and codes.

        Raises:
            VerifyFailed: the pass changed the meaning; it names output, index and values.
        """
        if name == CUT:
            self._begin_part(module)
            return
        kind = arithmetic(module)
        integer = kind == "integer"
        outputs = run_any_level(module, self.store, self.inputs)
        same = self._before is not None and self._before[0] == kind != "mixed"
        if self._before is not None and same and not (integer and name in CHANGES):
            for output, before in self._before[1].items():
                compare(name, output, before, outputs[output], exact=integer)
        self._before = kind, outputs

    def _begin_part(self, module: ModuleOp) -> None:
        """Go on with a part of the network; what it gives, later parts read."""
        outputs = run_any_level(module, self.store, self.inputs)
        self.inputs = {**self.inputs, **outputs}
        self._before = arithmetic(module), outputs


def is_cim(module: ModuleOp) -> bool:
    """Whether the network is at the `cim` level."""
    return any(isinstance(op, OutputOp) for op in module.walk())


def arithmetic(module: ModuleOp) -> Literal["float", "mixed", "integer"]:
    """What the network computes with, apart from conversions and what runs on the host."""
    if is_cim(module):
        return "integer"
    ops = [op for op in module.walk() if isinstance(op, NnOp)]
    codes = any(quant_of(op.y) is not None for op in ops)
    floats = any(quant_of(op.y) is None and not isinstance(op, DequantizeOp) for op in ops)
    if floats:
        return "mixed" if codes else "float"
    return "integer"


def run_any_level(
    module: ModuleOp, store: WeightStore, inputs: Mapping[str, NDArray[Any]]
) -> Outputs:
    """Float outputs by name, by the interpreter of the level that `module` is at."""
    if not is_cim(module):
        return dict(nn_level.run(module, store, inputs).outputs)
    ins, outs = host_ports(module)
    codes = {port.name: port.codes(inputs[port.name]) for port in ins}
    found = cim_level.run(module, store, codes).outputs
    return {port.name: port.real(found[port.name]) for port in outs}


def compare(
    name: str, output: str, before: NDArray[Any], after: NDArray[Any], *, exact: bool
) -> None:
    """Raise VerifyFailed when pass `name` changed `output` by more than is allowed."""
    allowed = 0.0 if exact else FLOAT_TOLERANCE * float(np.abs(before).max())
    if before.shape == after.shape and not (np.abs(before - after) > allowed).any():
        return
    if before.shape != after.shape:
        raise VerifyFailed(
            f"pass '{name}' changed the shape of output '{output}' "
            f"from {before.shape} to {after.shape}; this is a defect of cimc"
        )
    at = tuple(int(i) for i in np.argwhere(np.abs(before - after) > allowed)[0])
    raise VerifyFailed(
        f"pass '{name}' changed the meaning: output '{output}' at {list(at)} was {before[at]:.6g}, "
        f"is {after[at]:.6g} (allowed difference {allowed:.3g}); this is a defect of cimc"
    )
