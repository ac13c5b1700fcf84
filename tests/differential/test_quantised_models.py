"""Models that arrive quantised against onnxruntime, tensor by tensor, with exact products."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.ort_layers import Agreement, compare

FIXTURES = Path(__file__).parents[1] / "fixtures"
IDENTICAL = 0.9999


def check(found: list[Agreement], tensors: int) -> None:
    """At most one code apart everywhere, identical in 99.99 % of all elements."""
    assert len(found) >= tensors
    assert max(each.largest for each in found) <= 1, found
    elements = sum(each.elements for each in found)
    different = sum(each.different for each in found)
    assert different <= (1 - IDENTICAL) * elements, found


@pytest.mark.parametrize(("form", "tensors"), [("ort_qdq", 13), ("ort_qoperator", 11)])
def test_fixtures(form: str, tensors: int) -> None:
    x = np.load(FIXTURES / f"{form}.npz")["x"]
    check(compare(FIXTURES / f"{form}.onnx", x), tensors)


def test_a_wrong_code_is_seen() -> None:
    with pytest.raises(AssertionError):
        check([Agreement("a", 100, 0, 0), Agreement("b", 100, 1, 1)], 2)
    with pytest.raises(AssertionError):
        check([Agreement("a", 1_000_000, 1, 2)], 1)
