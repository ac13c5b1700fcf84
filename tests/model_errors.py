"""What importing an unusable model says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx.helper import make_graph, make_node, make_tensor_value_info
from small_onnx import FLOAT, random

from cimc.diagnostics import InvalidModel
from cimc.frontend import load

W = random(4, 3, 3, 3)
BRANCH = make_graph(
    [make_node("Identity", ["x"], ["b"])], "b", [], [make_tensor_value_info("b", FLOAT, None)]
)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def message(path: Path, error: type[Exception] = InvalidModel) -> str:
    """Text of the error that importing `path` raises; a single line."""
    with pytest.raises(error) as caught:
        load(path)
    assert type(caught.value) is error
    text = str(caught.value)
    assert "\n" not in text
    return text
