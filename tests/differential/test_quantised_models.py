"""Models that arrive quantised against onnxruntime, tensor by tensor, with exact products."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx.helper import make_node, make_opsetid
from ort_layers import Agreement, compare, reference
from small_onnx import model, node, onnxruntime_result, random, save

from cimc import api
from cimc.frontend import Preprocess

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
IDENTICAL = 0.9999


def models_module(name: str) -> ModuleType:
    """A script of models/, which are run from there and are no package."""
    sys.path.insert(0, str(ROOT / "models"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


def quantised_file(
    source: Path, form: str, types: str, per_channel: bool, folder: Path
) -> tuple[Path, NDArray[np.float32], NDArray[Any]]:
    """`source` quantised by onnxruntime on the calibration images; test images and labels."""
    sample = np.load(ROOT / "models" / "fashion_mnist_sample.npz")
    how = Preprocess.read(Preprocess.beside(source))
    quantise = models_module("quantise_ort").quantise
    x = how(sample["calibration"][..., None])
    path = folder / f"{source.stem}.onnx"
    onnx.save(quantise(onnx.load(source), x, form, types=types, per_channel=per_channel), path)
    return path, how(sample["images"][..., None]), sample["labels"]


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
    check(compare(FIXTURES / f"{form}.onnx", x, alone=False), tensors)


TRAINED = [
    ("lenet", "qdq", "u8s8", True),
    ("lenet", "qdq", "s8s8", False),
    ("lenet", "qoperator", "u8s8", False),
    ("resnet8", "qdq", "s8s8", True),
    ("resnet8", "qoperator", "u8u8", False),
    ("resnet18_w16", "qdq", "u8u8", True),
    ("resnet18_w16", "qoperator", "u8s8", True),
]


@pytest.mark.parametrize(("name", "form", "types", "per_channel"), TRAINED)
def test_trained_models(
    name: str, form: str, types: str, per_channel: bool, models: Path, tmp_path: Path
) -> None:
    path, x, _ = quantised_file(models / f"{name}.onnx", form, types, per_channel, tmp_path)
    check(compare(path, x[:8]), {"lenet": 6, "resnet8": 15, "resnet18_w16": 31}[name])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["qdq", "qoperator"])
@pytest.mark.parametrize("size", [["--width", "16", "--size", "64"], []])
def test_resnet18(form: str, size: list[str], tmp_path: Path) -> None:
    models_module("quantise_ort")  # the maker imports it when it is needed
    maker, path = models_module("make_resnet18"), tmp_path / "m.onnx"
    args = maker.make_parser().parse_args([str(path), "--quantise", form, *size])
    maker.write(args)
    images = maker.random_images(maker.Form(size=args.size), 2, seed=3)
    check(compare(path, images), 31)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet", "resnet8", "resnet18_w16"])
def test_accuracy_is_that_of_onnxruntime(name: str, models: Path, tmp_path: Path) -> None:
    path, x, labels = quantised_file(models / f"{name}.onnx", "qdq", "u8s8", True, tmp_path)
    ours = api.compile(path, multiplier="exact").run(None, {"input": x})[0]
    theirs = onnxruntime_result(path, {"input": x})
    right = [int((y.argmax(1) == labels).sum()) for y in (ours, theirs)]
    assert abs(right[0] - right[1]) <= 1
    assert right[0] > 0.8 * len(labels)


def codes(seed: int, low: int, high: int, *shape: int) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(low, high + 1, shape)


CORNERS: dict[str, dict[str, Any]] = {
    "all of int8": {
        "w": codes(0, -128, 127, 4, 3, 3, 3).astype(np.int8),
        "wz": np.int8(0),
        "xz": np.int8(0),
        "yz": np.int8(0),
    },
    "zero points at the ends": {
        "w": codes(1, 0, 255, 4, 3, 3, 3).astype(np.uint8),
        "wz": np.uint8(255),
        "xz": np.uint8(255),
        "yz": np.uint8(0),
    },
    "asymmetric int8": {
        "w": codes(2, -128, 127, 4, 3, 3, 3).astype(np.int8),
        "wz": np.int8(-128),
        "xz": np.int8(127),
        "yz": np.int8(-30),
    },
}


def one_conv(name: str, form: str, folder: Path) -> Path:
    """A 3x3 convolution with padding and the zero points of `CORNERS[name]`."""
    constants: dict[str, Any] = {"xs": np.float32(0.0203), "ys": np.float32(0.317)}
    constants |= {"b": np.int32([1000, -5, 0, 7]), "bs": np.float32(0.0203 * 0.0117)}
    constants |= {"ws": np.float32(0.0117), **CORNERS[name]}
    scaled = [node("QuantizeLinear", ["x", "xs", "xz"], "q")]
    if form == "qoperator":
        inputs = ["q", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"]
        scaled.append(node("QLinearConv", inputs, "o", pads=[1, 1, 1, 1]))
    else:
        scaled += [
            node("DequantizeLinear", ["q", "xs", "xz"], "d"),
            node("DequantizeLinear", ["w", "ws", "wz"], "v"),
            node("DequantizeLinear", ["b", "bs"], "c"),
            node("Conv", ["d", "v", "c"], "f", pads=[1, 1, 1, 1]),
            node("QuantizeLinear", ["f", "ys", "yz"], "o"),
        ]
    scaled.append(node("DequantizeLinear", ["o", "ys", "yz"]))
    return save(model(scaled, constants), folder)


@pytest.mark.parametrize("form", ["qdq", "qoperator"])
@pytest.mark.parametrize("name", CORNERS)
def test_codes_of_the_whole_range(name: str, form: str, tmp_path: Path) -> None:
    """Magnitudes of 8 bits on both sides; halos hold the zero point; also on the machine."""
    path, x = one_conv(name, form, tmp_path), 4 * random(3, 3, 8, 8)
    check(compare(path, x), 2)
    compiled = api.compile(path, multiplier="exact")
    expected = reference(path, x)["o"]
    zero = int(CORNERS[name]["yz"])
    real = (expected.astype(np.int32) - zero).astype(np.float32) * np.float32(0.317)
    assert np.allclose(compiled.run(None, {"x": x})[0], real, rtol=0, atol=1e-4)


def test_qonnx_is_its_qdq_form(tmp_path: Path) -> None:
    """Quant of 4 bits, against clipped codes of the same scales in QDQ form."""
    domain, folder = "qonnx.custom_op.general", tmp_path / "qdq"
    folder.mkdir()
    w = random(4, 3, 3, 3)
    scales = (np.abs(w).reshape(4, -1).max(axis=1) / 7).astype(np.float32)
    constants: dict[str, Any] = {"s": np.float32(0.21), "t": scales, "u": np.float32(0.37)}
    zeros = {"z": np.float32(0), "b": np.float32(4)}
    quants = [
        make_node("Quant", ["x", "s", "z", "b"], ["d"], "a", domain=domain, signed=1, narrow=0),
        make_node("Quant", ["w", "t4", "z", "b"], ["v"], "w", domain=domain, signed=1, narrow=1),
        node("Conv", ["d", "v"], "c", pads=[1, 1, 1, 1]),
        node("Relu", ["c"], "r"),
        make_node("Quant", ["r", "u", "z", "b"], ["y"], "o", domain=domain, signed=0, narrow=0),
    ]
    qonnx = model(quants, constants | zeros | {"w": w, "t4": scales.reshape(4, 1, 1, 1)})
    qonnx.opset_import.append(make_opsetid(domain, 1))
    codes_of_w = np.rint(w / scales.reshape(4, 1, 1, 1)).astype(np.int8)
    ends = {"-8": np.float32(-8 * 0.21), "7": np.float32(7 * 0.21), "15": np.float32(15 * 0.37)}
    pairs = [
        node("Clip", ["x", "-8", "7"], "xc"),
        node("QuantizeLinear", ["xc", "s", "i8"], "q"),
        node("DequantizeLinear", ["q", "s", "i8"], "d"),
        node("DequantizeLinear", ["k", "t", "i8s"], "v", axis=0),
        node("Conv", ["d", "v"], "c", pads=[1, 1, 1, 1]),
        node("Relu", ["c"], "r"),
        node("Clip", ["r", "", "15"], "rc"),
        node("QuantizeLinear", ["rc", "u", "u8"], "e"),
        node("DequantizeLinear", ["e", "u", "u8"]),
    ]
    more = {"i8": np.int8(0), "i8s": np.zeros(4, np.int8), "u8": np.uint8(0), "k": codes_of_w}
    expected = save(model(pairs, constants | ends | more), folder)
    x = 2 * random(4, 3, 8, 8)
    compiled = api.compile(save(qonnx, tmp_path), multiplier="exact", verify_each=True)
    report = compiled.verify("emulate", inputs={"x": x})
    assert report["verification"]["reference"].startswith("cimc's float interpreter")
    # Code -8 has a magnitude of 4 bits.
    for field in ("weight_bits = 4", "activation_bits = 4", "magnitude_bits = array<i64: 3, 4>"):
        assert field in compiled.ir("nn-quantised")
    y, theirs = compiled.run(None, {"x": x})[0], onnxruntime_result(expected, {"x": x})
    assert np.abs(y - theirs).max() <= 0.38
    assert (np.abs(y - theirs) < 1e-4).mean() > 0.999


@pytest.mark.parametrize("target", ["daism-small", "dcim-small"])
def test_weights_of_four_bits_without_sign(target: str, tmp_path: Path) -> None:
    """Codes up to 15 around zero point 0 have no room in half a byte beside a sign."""
    domain = "qonnx.custom_op.general"
    quants = [
        make_node("Quant", ["x", "s", "z", "b"], ["d"], "a", domain=domain, signed=1, narrow=1),
        make_node("Quant", ["w", "s", "z", "b"], ["v"], "w", domain=domain, signed=0, narrow=0),
        node("Conv", ["d", "v"]),
    ]
    constants = {"s": np.float32(0.1), "z": np.float32(0), "b": np.float32(4)}
    qonnx = model(quants, constants | {"w": 1.5 * np.abs(random(4, 3, 3, 3))})
    qonnx.opset_import.append(make_opsetid(domain, 1))
    compiled = api.compile(save(qonnx, tmp_path), target=target, multiplier="exact")
    report = compiled.verify("emulate", inputs={"x": random(2, 3, 8, 8)})
    assert report["errors"]["implementation"]["differing_bytes"] == 0


def test_a_layer_without_quantised_result_is_calibrated(tmp_path: Path) -> None:
    """A float island: the last layer gives floats, and one in the middle has a float bias."""
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], "q"),
        node("DequantizeLinear", ["q", "s", "z"], "d"),
        node("Conv", ["d", "w", "b"], "c"),
        node("Relu", ["c"], "r"),
        node("DequantizeLinear", ["v", "s", "vz"], "u"),
        node("Conv", ["r", "u"]),
    ]
    constants: dict[str, Any] = {"s": np.float32(0.02), "z": np.uint8(120), "vz": np.int8(0)}
    constants |= {"w": random(4, 3, 3, 3), "b": random(4, seed=1)}
    constants["v"] = codes(4, -127, 127, 5, 4, 1, 1).astype(np.int8)
    path, x = save(model(nodes, constants), tmp_path), random(8, 3, 8, 8, seed=2)
    compiled = api.compile(path, multiplier="exact", calibration={"x": x}, verify_each=True)
    y, expected = compiled.run(None, {"x": x})[0], onnxruntime_result(path, {"x": x})
    error = np.sum((y - expected) ** 2) / np.sum(expected**2)
    assert 10 * np.log10(error) < -30


needs_verilator = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("g++", "make", "perl")),
    reason="Verilator needs g++, make and perl",
)


@pytest.mark.cosim
@needs_verilator
def test_rtl_of_a_quantised_lenet(models: Path, tmp_path: Path) -> None:
    path, x, _ = quantised_file(models / "lenet.onnx", "qdq", "u8s8", True, tmp_path)
    compiled = api.compile(path)
    report = compiled.verify("rtl", inputs={"input": x[:1]})
    assert report["errors"]["implementation"]["differing_bytes"] == 0


def test_a_wrong_code_is_seen() -> None:
    with pytest.raises(AssertionError):
        check([Agreement("a", 100, 0, 0), Agreement("b", 100, 1, 1)], 2)
    with pytest.raises(AssertionError):
        check([Agreement("a", 1_000_000, 1, 2)], 1)
