"""The networks of one layer that the `onnx` package has from torch, on the RTL."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx.version_converter import convert_version

from cimc.api import compile
from tests.onnx_cases import CONVERTED, converted
from tests.simulators import needs_verilator

pytestmark = pytest.mark.cosim

TOO_LARGE = "MaxPool2d_stride_padding_dilation"
"""A map of 1000x1000; the emulator runs it."""


@needs_verilator
@pytest.mark.parametrize("name", [name for name in CONVERTED if name != TOO_LARGE])
def test_converted_network(name: str, tmp_path: Path):
    case = converted(name)
    path = tmp_path / f"{name}.onnx"
    onnx.save(convert_version(case.model, 9), path)
    inputs = {case.model.graph.input[0].name: case.inputs[0]}
    report = compile(path, "daism-small", calibration=inputs).verify("rtl", images=2, inputs=inputs)
    assert report["errors"]["implementation"]["differing_bytes"] == 0
    assert report["errors"]["implementation"]["compared_bytes"] > 0
    assert report["cycles"]["rtl"] == report["cycles"]["estimated"]
