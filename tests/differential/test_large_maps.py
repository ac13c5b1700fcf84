"""Layers that take their operand in parts: interpreters, emulator and onnxruntime agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cimc.diagnostics import DoesNotFit, VerifyFailed
from cimc.passes import parts
from tests.large_maps import NETWORKS, TIGHT, LargeMap, compiled, one
from tests.small_onnx import node, onnxruntime_result, random


@pytest.mark.parametrize("name", NETWORKS)
def test_levels_agree(name: str, tmp_path: Path) -> None:
    network = NETWORKS[name]
    found = compiled(network, tmp_path)
    assert found.verify("emulate", images=2)["errors"]["implementation"]["differing_bytes"] == 0
    layers = found.network.programs[0].scheduled.walk()
    taken = [each for op in layers if (each := op.properties.get("strips")) is not None]
    assert taken, "nothing went through DRAM"


@pytest.mark.parametrize("name", NETWORKS)
def test_meaning_is_that_of_onnxruntime(name: str, tmp_path: Path) -> None:
    network = NETWORKS[name]
    found = compiled(network, tmp_path)
    x = random(4, *network.shape)
    expected = onnxruntime_result(tmp_path / "m.onnx", {"x": x})
    error = found.run(None, {"x": x})[0] - expected
    assert np.abs(error).max() <= 0.04 * np.abs(expected).max()


def test_planted_error_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part lacks its last row."""
    right = parts.kernel_parts

    def wrong(*of: Any) -> list[range]:
        return [range(k.start, max(k.stop - 1, k.start + 1)) for k in right(*of)]

    monkeypatch.setattr("cimc.passes.schedule.sums.kernel_parts", wrong)
    found = compiled(NETWORKS["mean of a map"], tmp_path)
    with pytest.raises(VerifyFailed):
        found.verify("emulate", images=1)


@pytest.mark.parametrize(
    "network",
    [
        one("GlobalAveragePool", 300, 1, 3),
        LargeMap([node("Relu", ["x"])], (1, 2, 600), target=TIGHT),
    ],
)
def test_a_row_must_fit(network: LargeMap, tmp_path: Path) -> None:
    """What one row of a map, or of operands and result, needs is the limit that is left."""
    with pytest.raises(DoesNotFit, match=r"one output row needs .* the target has 512"):
        compiled(network, tmp_path)
