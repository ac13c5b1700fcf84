"""No pass changes what a network computes: integer levels agree exactly, float ones to 1e-5."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from cimc import targets
from cimc.backend.compiler import REPAIR, AfterPass, Network, Options, compile_network
from cimc.diagnostics import VerifyFailed
from cimc.dialects.cim import ConvOp
from cimc.dialects.nn import WeightedOp
from cimc.dialects.nn.attrs import store_blob
from cimc.frontend import load
from cimc.frontend.data import load_calibration
from cimc.passes.context import CimContext, cim_context
from cimc.passes.pipeline import PASSES, PIPELINE
from cimc.sim import verify_each
from cimc.sim.verify_each import MeaningChecker

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "models" / "fashion_mnist_sample.npz"
TRAINED = [ROOT / "models" / f"{name}.onnx" for name in ("lenet", "resnet8", "resnet18_w16")]
FIXTURES = [
    ROOT / "tests" / "fixtures" / f"{name}.onnx"
    for name in ("graph_bn_opset7_ir3", "dynamo_unoptimised", "graph_preactivation")
]
IMAGES = 3
FLOAT_TOLERANCE = 1e-5
AT = PIPELINE.index("quantise")
FLOAT, INTEGER = PIPELINE[:AT], tuple(p for p in PIPELINE[AT + 1 :] if p != REPAIR)
"""Passes before and behind `quantise`; it and repair change outputs by design: not compared."""


def compile_checked(path: Path, after: Callable[[CimContext], AfterPass]) -> Network:
    """Compile `path` with an observer that may use the context; trained networks see images."""
    imported = load(path)
    given = load_calibration(imported, SAMPLE if path in TRAINED else None)
    ctx = CimContext(targets.get("daism"), imported.weights, given)
    return compile_network(imported, ctx, Options(), [after(ctx)])


def checker(ctx: CimContext) -> MeaningChecker:
    """Compares the outputs on `IMAGES` inputs behind each pass with those before it."""
    assert ctx.calibration is not None
    inputs = {name: array[:IMAGES] for name, array in ctx.calibration.arrays.items()}
    return MeaningChecker(ctx.weights, inputs)


@pytest.mark.parametrize("path", [*TRAINED, *FIXTURES], ids=lambda path: path.stem)
def test_every_pass_keeps_the_outputs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drift: dict[str, float] = {}

    def compare(
        name: str, output: str, before: np.ndarray, after: np.ndarray, *, exact: bool
    ) -> None:
        assert exact == (name in INTEGER)
        assert len(before) == IMAGES
        assert (before[0] != before[1]).any(), "two inputs must give two outputs"
        drift[name] = float(np.abs(before - after).max() / np.abs(before).max())

    monkeypatch.setattr(verify_each, "compare", compare)
    compile_checked(path, checker)
    assert list(drift) == [*FLOAT, *INTEGER]
    assert max(drift[name] for name in FLOAT) <= FLOAT_TOLERANCE
    assert max(drift[name] for name in INTEGER) == 0


def swap_output_channels(ctx: CimContext, module: ModuleOp) -> None:
    """Reverse the output channels of the weights, not of the bias, of the first layer."""
    layer = next(op for op in module.walk() if isinstance(op, WeightedOp | ConvOp))
    codes = ctx.weights.get(layer.weights.key.data)
    layer.weights = store_blob(ctx.weights, codes[::-1].copy())


@pytest.mark.parametrize("name", [*FLOAT, *INTEGER])
def test_a_pass_that_changes_the_meaning_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind: Any = PASSES[name]()
    original = kind.apply

    def apply(self: Any, ctx: Context, module: ModuleOp) -> None:
        original(self, ctx, module)
        swap_output_channels(cim_context(ctx), module)

    monkeypatch.setattr(kind, "apply", apply)
    with pytest.raises(VerifyFailed, match=rf"^pass '{name}' changed the meaning: output 'output'"):
        compile_checked(TRAINED[0], checker)
