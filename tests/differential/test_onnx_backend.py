"""The test cases of the `onnx` package on `CimcBackend`, in float and emulated."""

from __future__ import annotations

import unittest
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, numpy_helper
from onnx.backend.test import BackendTest
from onnx.backend.test.runner import Runner

from cimc import onnx_backend
from cimc.diagnostics import InvalidInput
from cimc.onnx_backend import CimcBackend, EmulatedBackend
from tests.onnx_cases import CONVERTED, converted, operator_cases
from tests.small_onnx import model, node, random

CASES = operator_cases()

NO_CODES = "a result of 2 or 4 bits or of small floats: codes have 8 bits, as has the machine"
RANDOM = "training: random, by a generator that onnxruntime does not have"
POSITIONS = "onnxruntime samples at other positions"

EXCLUDED: Mapping[str, str] = {
    "training_dropout": RANDOM,
    "training_dropout_default": RANDOM,
    "training_dropout_default_mask": RANDOM,
    "training_dropout_mask": RANDOM,
    "identity_sequence": "a sequence is no tensor",
    "identity_opt": "an optional value is no tensor",
    "resize_downsample_scales_linear_align_corners": POSITIONS,
    "resize_downsample_scales_cubic_align_corners": POSITIONS,
    "quantizelinear_e4m3fn": NO_CODES,
    "quantizelinear_e5m2": NO_CODES,
    "quantizelinear_float4e2m1": NO_CODES,
    "quantizelinear_int2": NO_CODES,
    "quantizelinear_int4": NO_CODES,
    "quantizelinear_uint2": NO_CODES,
    "quantizelinear_uint4": NO_CODES,
}
"""Cases that do not run, and why."""

ON_THE_MACHINE = 100
"""At least this many cases leave nothing to the host (others have rank 3 or integers)."""

LARGEST_ERROR = 0.02
LEAST_SQNR = 35.0
"""Of 8-bit codes with exact products, as a part of the largest output, and in dB.

The result alone is rounded by half a step of 1/127 of its largest element, 0.4 %; weights and
inputs are each as much off, in independent directions, and clipping where the squared error is
least costs some tenths more: 1 % is usual, 2 % is one whole code each. Rounding of one such tensor
is noise 41 dB below a signal whose peak is 4 times its effective value, of three of them 36 dB.
"""


def arrays(tensors: Sequence[Any]) -> list[Any]:
    """Stored tensors as arrays; `ml_dtypes` has those of fewer than 8 bits and the small floats."""
    return [numpy_helper.to_array(x) if isinstance(x, TensorProto) else x for x in tensors]


@pytest.mark.parametrize("name", CASES)
def test_operator(name: str):
    if name in EXCLUDED:
        pytest.skip(EXCLUDED[name])
    case = CASES[name]
    for inputs, outputs in case.data_sets or []:
        found = CimcBackend.prepare(case.model).run(arrays(inputs))
        Runner.assert_similar_outputs(arrays(outputs), found, case.rtol, case.atol)


def test_cases_are_those_of_the_package():
    assert set(EXCLUDED) <= set(CASES)
    assert len(CASES) > 500


def test_many_cases_run_on_the_machine(monkeypatch: pytest.MonkeyPatch):
    """Else the comparison would be of onnxruntime with itself."""
    counts: list[int] = []
    names = CASES.keys() - EXCLUDED.keys()
    hosted = onnx_backend.hosted
    monkeypatch.setattr(onnx_backend, "hosted", lambda m: counts.append(hosted(m)) or counts[-1])
    free = 0
    for name in names:
        counts.clear()
        inputs, _ = (CASES[name].data_sets or [])[0]
        CimcBackend.prepare(CASES[name].model).run(arrays(inputs))
        free += min(counts) == 0
    assert free >= ON_THE_MACHINE


@pytest.mark.parametrize("name", CONVERTED)
def test_converted_network_in_float(name: str):
    case = converted(name)
    found = CimcBackend.prepare(case.model).run(case.inputs)
    np.testing.assert_allclose(found[0], case.outputs[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", CONVERTED)
def test_converted_network_emulated(name: str):
    case = converted(name)
    found = EmulatedBackend.prepare(case.model, multiplier="exact").run(case.inputs)
    expected, error = case.outputs[0], found[0] - case.outputs[0]
    assert np.abs(error).max() <= LARGEST_ERROR * np.abs(expected).max()
    assert 10 * np.log10((expected**2).sum() / (error**2).sum()) >= LEAST_SQNR


def test_harness_of_the_package_takes_the_class():
    suite = BackendTest(CimcBackend, __name__).include("^test_conv_with_strides_padding_cpu$")
    result = suite.test_suite.run(unittest.TestResult())
    assert result.wasSuccessful()
    assert result.testsRun - len(result.skipped) == 1


def test_outputs_by_name_and_in_order():
    proto = model([node("Relu", ["x"], "a"), node("Neg", ["a"])])
    x = random(2, 3, 8, 8)
    first = CimcBackend.run_model(proto, [x])[0]
    np.testing.assert_array_equal(first, -np.maximum(x, 0))
    np.testing.assert_array_equal(CimcBackend.prepare(proto).run({"x": x})[0], first)


def test_wrong_arguments():
    proto = model([node("Relu", ["x"])])
    with pytest.raises(InvalidInput, match="unknown level 'rtl'; known: float, emulate"):
        CimcBackend.prepare(proto, level="rtl")
    with pytest.raises(InvalidInput, match="unknown device 'CUDA'"):
        CimcBackend.prepare(proto, "CUDA")
    with pytest.raises(InvalidInput, match="inputs x are missing"):
        CimcBackend.prepare(proto).run([])
