"""Import of models that arrive quantised: what is refused, what stands for what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto
from onnx.helper import make_node, make_opsetid, make_tensor
from small_onnx import model, node, random, save

from cimc.diagnostics import CimcError
from cimc.dialects.nn import ConvOp, DequantizeOp, QuantizeOp, WeightedOp
from cimc.frontend import load

ONE, TWO = np.float32(1), np.float32(2)
U0, S0 = np.uint8(0), np.int8(0)
QONNX = "qonnx.custom_op.general"
QUANTISE = node("QuantizeLinear", ["x", "s", "z"], "q")
DEQUANTISE = node("DequantizeLinear", ["q", "s", "z"])


def both_ways(**changed: Any) -> dict[str, Any]:
    return {"s": ONE, "z": U0} | changed


def saved(nodes: list[NodeProto], constants: dict[str, Any], folder: Path, opset: int = 17) -> Path:
    proto: ModelProto = model(nodes, constants, opset=opset)
    for domain in (QONNX, "com.microsoft"):
        proto.opset_import.append(make_opsetid(domain, 1))
    return save(proto, folder)


REFUSED = {
    "16 bits": (
        [QUANTISE, DEQUANTISE],
        both_ways(z=np.uint16(0)),
        "(QuantizeLinear): zero point (input 2) has element type uint16; only INT8 and UINT8 are "
        "supported",
    ),
    "channels of activations": (
        [QUANTISE, DEQUANTISE],
        both_ways(s=np.float32([1, 2, 3]), z=np.zeros(3, np.uint8)),
        "(QuantizeLinear): activations with 3 scales; only one for all channels is supported",
    ),
    "zero points of channels": (
        [
            node("DequantizeLinear", ["w", "s", "z"], "v", axis=0),
            node("Conv", ["x", "v"]),
        ],
        {"w": np.ones((2, 3, 1, 1), np.int8), "s": np.float32([1, 2]), "z": np.int8([0, 3])},
        "(DequantizeLinear): zero points of the channels differ (0 to 3); only one for all is "
        "supported: quantise weights symmetrically",
    ),
    "scales of inputs": (
        [
            node("DequantizeLinear", ["w", "s", "z"], "v", axis=1),
            node("Conv", ["x", "v"]),
        ],
        {
            "w": np.ones((2, 3, 1, 1), np.int8),
            "s": np.float32([1, 2, 3]),
            "z": np.zeros(3, np.int8),
        },
        "(Conv): weights have 3 scales along axis 1; only one, or one an output (axis 0, 2 "
        "values), is supported",
    ),
    "blocks": (
        [node("DequantizeLinear", ["w", "s"], "v", axis=0, block_size=2), node("Conv", ["x", "v"])],
        {"w": np.ones((2, 3, 1, 1), np.int8), "s": ONE},
        "(DequantizeLinear): attribute block_size=2; quantise without blocks",
    ),
    "another scale": (
        [QUANTISE, node("DequantizeLinear", ["q", "t", "z"])],
        both_ways(t=TWO),
        "(DequantizeLinear): codes with uint8 scale 1 zero point 0 are read with uint8 scale 2 "
        "zero point 0; both must be the same",
    ),
    "operator": (
        [QUANTISE, node("Relu", ["q"], "r"), node("DequantizeLinear", ["r", "s", "z"])],
        both_ways(),
        "(Relu): reads codes; put DequantizeLinear before it",
    ),
    "output type": (
        [node("QuantizeLinear", ["x", "s"], "q", output_dtype=int(TensorProto.INT16)), DEQUANTISE],
        both_ways(),
        "(QuantizeLinear): attribute output_dtype=5; only UINT8 and INT8 are supported",
    ),
    "rounding": (
        [make_node("Quant", ["x", "s", "f", "b"], ["y"], "n", domain=QONNX, rounding_mode="FLOOR")],
        {"s": ONE, "f": np.float32(0), "b": np.float32(8)},
        "(Quant): attribute rounding_mode='FLOOR'; only ROUND is supported",
    ),
    "many bits": (
        [make_node("Quant", ["x", "s", "f", "b"], ["y"], "n", domain=QONNX)],
        {"s": ONE, "f": np.float32(0), "b": np.float32(16)},
        "(Quant): bit width (input 3) is 16; only 2 to 8 is supported",
    ),
    "one bit": (
        [make_node("BipolarQuant", ["x", "s"], ["y"], "n", domain=QONNX)],
        {"s": ONE},
        "(BipolarQuant): activations of one bit; use Quant with 2 to 8 bits",
    ),
    "channels last": (
        [
            QUANTISE,
            make_node(
                "QLinearGlobalAveragePool",
                ["q", "s", "z", "s", "z"],
                ["r"],
                "n",
                domain="com.microsoft",
                channels_last=1,
            ),
            node("DequantizeLinear", ["r", "s", "z"]),
        ],
        both_ways(),
        "(QLinearGlobalAveragePool): attribute channels_last=1; only channels before height and "
        "width",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    nodes, constants, expected = REFUSED[name]
    opset = 21 if name in ("16 bits", "blocks", "output type") else 17
    with pytest.raises(CimcError) as caught:
        load(saved(nodes, constants, tmp_path, opset))
    assert str(caught.value).endswith(expected)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["INT4", "FLOAT8E4M3FN"])
def test_other_types_of_weights_are_refused(kind: str, tmp_path: Path) -> None:
    nodes = [node("DequantizeLinear", ["w", "s"], "v"), node("Conv", ["x", "v"])]
    proto = model(nodes, {"s": ONE}, opset=21)
    number = TensorProto.DataType.Value(kind)
    proto.graph.initializer.append(make_tensor("w", number, [2, 3, 1, 1], [1.0] * 6))
    with pytest.raises(CimcError, match="only INT8, UINT8 and INT32 are supported"):
        load(save(proto, tmp_path))


def test_scale_of_zero_is_refused(tmp_path: Path) -> None:
    path = saved([QUANTISE, DEQUANTISE], both_ways(s=np.float32(0)), tmp_path)
    with pytest.raises(CimcError, match="must be float and above 0"):
        load(path)


def test_output_of_codes_is_refused(tmp_path: Path) -> None:
    proto = model([node("QuantizeLinear", ["x", "s", "z"])], both_ways())
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.UINT8
    with pytest.raises(CimcError, match="output 'y': holds codes; end with DequantizeLinear"):
        load(save(proto, tmp_path))


def layer_of(path: Path) -> tuple[WeightedOp, np.ndarray, np.ndarray]:
    imported = load(path)
    layer = next(op for op in imported.module.walk() if isinstance(op, ConvOp))
    assert layer.weight_scales is not None
    blobs = (layer.weights, layer.weight_scales)
    weights, scales = (imported.weights.get(blob.key.data) for blob in blobs)
    return layer, weights, scales


def test_weights_keep_their_steps(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 256, (2, 3, 1, 1)).astype(np.uint8)
    scale = np.float32([0.1, 0.3])
    constants = {"w": codes, "s": scale, "z": np.full(2, 200, np.uint8)}
    nodes = [node("DequantizeLinear", ["w", "s", "z"], "v", axis=0), node("Conv", ["x", "v"])]
    layer, weights, scales = layer_of(saved(nodes, constants, tmp_path))
    assert layer.weight_zero is not None
    found = np.rint(weights / scales.reshape(-1, 1, 1, 1)) + layer.weight_zero.value.data
    assert np.array_equal(found, codes.astype(int) - 128)
    assert np.array_equal(scales, scale.astype(np.float64))


def test_transposed_weights_keep_their_steps(tmp_path: Path) -> None:
    codes = random(4, 6).round().astype(np.int8)
    constants = {"w": codes, "s": random(4) ** 2 + 1, "z": np.zeros(4, np.int8)}
    nodes = [
        node("GlobalAveragePool", ["x"], "g"),
        node("Flatten", ["g"], "f"),
        node("DequantizeLinear", ["w", "s", "z"], "v", axis=0),
        node("Transpose", ["v"], "t"),
        node("MatMul", ["f", "t"]),
    ]
    proto = model(nodes, constants, shape=("N", 6, 8, 8))
    imported = load(save(proto, tmp_path))
    layer = next(op for op in imported.module.walk() if isinstance(op, WeightedOp))
    assert layer.weight_scales is not None
    scales = imported.weights.get(layer.weight_scales.key.data)
    assert np.array_equal(scales, constants["s"].astype(np.float64))


def test_qonnx_is_a_quantisation_and_its_inverse(tmp_path: Path) -> None:
    nodes = [
        make_node("Quant", ["x", "s", "f", "b"], ["q"], "a", domain=QONNX, signed=1, narrow=1),
        make_node("Quant", ["w", "t", "f", "b"], ["v"], "b", domain=QONNX, signed=1, narrow=1),
        node("Conv", ["q", "v"]),
    ]
    scales = np.float32([0.5, 0.25]).reshape(2, 1, 1, 1)
    constants = {"s": TWO, "t": scales, "f": np.float32(0), "b": np.float32(4)}
    constants["w"] = random(2, 3, 1, 1)
    layer, weights, found = layer_of(saved(nodes, constants, tmp_path))
    assert layer.weight_bits is not None
    assert layer.weight_bits.value.data == 4
    assert np.array_equal(found, [0.5, 0.25])
    assert np.array_equal(weights, np.clip(np.rint(constants["w"] / scales), -7, 7) * scales)
    codes = layer.x.owner
    assert isinstance(codes, DequantizeOp)
    assert isinstance(codes.x.owner, QuantizeOp)
    assert (codes.x.owner.low.value.data, codes.x.owner.high.value.data) == (-7, 7)


def test_bipolar_weights_are_one_step_each_way(tmp_path: Path) -> None:
    nodes = [
        make_node("BipolarQuant", ["w", "s"], ["v"], "b", domain=QONNX),
        node("Conv", ["x", "v"]),
    ]
    w = random(2, 3, 1, 1)
    layer, weights, scales = layer_of(saved(nodes, {"w": w, "s": TWO}, tmp_path))
    assert layer.weight_bits is not None
    assert layer.weight_bits.value.data == 2
    assert np.array_equal(weights, np.where(w >= 0, 2, -2))
    assert np.array_equal(scales, [2, 2])


@pytest.mark.parametrize("form", ["qdq", "qoperator"])
def test_both_forms_of_onnxruntime_import(form: str) -> None:
    path = Path(__file__).parents[1] / "fixtures" / f"ort_{form}.onnx"
    imported = load(path)
    names = [op.name for op in imported.module.walk()]
    assert names.count("nn.conv") == 6
    assert names.count("nn.quantize") == 13
    assert onnx.load(path).graph.output[0].name == imported.outputs[0].name
