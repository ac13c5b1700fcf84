"""Test cases that the `onnx` package ships: single operators, and networks converted from torch."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

FAMILIES = (
    *("Conv", "ConvInteger", "QLinearConv", "QLinearMatMul", "MatMulInteger", "ConvTranspose"),
    *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MaxPool", "AveragePool"),
    *("GlobalAveragePool", "GlobalMaxPool", "LpPool", "BatchNormalization", "Gemm", "MatMul"),
    *("Relu", "LeakyRelu", "PRelu", "Clip", "HardSigmoid", "HardSwish", "Softmax", "LogSoftmax"),
    *("Add", "Mul", "Sub", "Div", "Sum", "Mean", "Max", "Min", "Pow", "Concat", "Flatten"),
    *("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Pad", "LRN", "Resize", "Upsample"),
    *("Split", "Slice", "Gather", "ReduceMean", "ReduceSum", "ReduceMax", "Identity", "Dropout"),
    *("Shape", "Size", "Constant", "ConstantOfShape", "Expand", "DepthToSpace", "SpaceToDepth"),
    *("InstanceNormalization", "Sigmoid", "Tanh", "Elu", "Selu", "Celu", "ThresholdedRelu"),
    *("Softplus", "Softsign", "Mish", "Gelu", "Swish", "Shrink", "Exp", "Log", "Sqrt", "Abs"),
    *("Neg", "Erf", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Sin", "Cos", "Tan"),
    *("Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"),
)
"""Operators of convolutional networks."""

CONVERTED = (
    *("Conv2d", "Conv2d_no_bias", "Conv2d_padding", "Conv2d_strided", "Conv2d_dilated"),
    *("Conv2d_groups", "Conv2d_groups_thnn", "Conv2d_depthwise", "Conv2d_depthwise_padded"),
    *("Conv2d_depthwise_strided", "Conv2d_depthwise_with_multiplier", "BatchNorm2d_eval"),
    *("BatchNorm2d_momentum_eval", "AvgPool2d", "AvgPool2d_stride", "MaxPool2d"),
    *("MaxPool2d_stride_padding_dilation", "Linear", "Linear_no_bias"),
)
"""Networks of one layer of two dimensions, with weights and outputs stored."""


@dataclass(frozen=True)
class Converted:
    """One of `CONVERTED` with its data."""

    model: ModelProto
    inputs: list[NDArray[Any]]
    outputs: list[NDArray[Any]]


def operator_cases() -> dict[str, TestCase]:
    """Cases of one node whose operator is one of `FAMILIES`, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind="node")
    return {
        case.name.removeprefix("test_"): case
        for case in cases
        if case.model is not None
        and len(case.model.graph.node) == 1
        and case.model.graph.node[0].op_type in FAMILIES
    }


def converted(name: str) -> Converted:
    """Case `name` of `CONVERTED`."""
    cases = load_model_tests(kind="pytorch-converted")
    folder = next(case.model_dir for case in cases if case.name == f"test_{name}")
    assert folder is not None
    data = Path(folder) / "test_data_set_0"

    def stored(kind: str) -> list[NDArray[Any]]:
        files = sorted(data.glob(f"{kind}_*.pb"))
        return [numpy_helper.to_array(onnx.load_tensor(str(file))) for file in files]

    return Converted(onnx.load(Path(folder) / "model.onnx"), stored("input"), stored("output"))
