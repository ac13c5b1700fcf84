"""Write tests/fixtures: one small residual network in every form an importer meets.

  python models/make_fixtures.py [DIR]

Needs torch and onnxscript (the tests that read the files do not). Each <form>.onnx has a
<form>.npz beside it: x [2,3,32,32] float32 and y [2,10], computed by torch where the file is
float and by onnxruntime where it is int8. Files of fixed batch take the two images in turn.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import export_torch
import numpy as np
import onnx
import torch
from make_resnet18 import CALIBRATION_IMAGES, FLOAT_TOLERANCE, random_images, run, save
from networks import ResNet, resnet18
from numpy.typing import NDArray
from quantise_ort import quantise
from resnet_graph import Form, build
from resnet_weights import random_weights

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures"
SEED = 18
NETWORK = Form(width=4, classes=10, size=32, blocks=(1, 1))
# Steps of the input values: a power of two, so that x is exact and packs well.
INPUT_STEPS = 16
INT8_SQNR_DB = 20

Torch = export_torch.Form
TORCH_FORMS = {
    "dynamo_opset20": Torch(),
    "dynamo_external": Torch(external_data=True),
    "dynamo_batch1": Torch(dynamic_batch=False),
    "dynamo_unoptimised": Torch(keep_bn=True),
    "torchscript_opset17": Torch("torchscript", opset=17),
    "torchscript_opset11": Torch("torchscript", opset=11),
    "torchscript_bn_opset17": Torch("torchscript", keep_bn=True, opset=17),
    "torchscript_bn_opset9": Torch("torchscript", keep_bn=True, opset=9),
    "torchscript_bn_opset7_ir3": Torch("torchscript", keep_bn=True, opset=7, dynamic_batch=False),
}
GRAPH_FORMS = {
    "graph_bn_opset7_ir3": replace(NETWORK, bn="keep", opset=7, dynamic_batch=False),
    "graph_ir3_opset9": replace(NETWORK, opset=9, ir3_inputs=True),
    "graph_reducemean_opset13": replace(NETWORK, opset=13, pool="reducemean", flatten="reshape"),
    "graph_reducemean_opset26": replace(NETWORK, opset=26, pool="reducemean", flatten="reshape"),
    "graph_preactivation": replace(NETWORK, preactivation=True),
}


def images() -> NDArray[np.float32]:
    """Two inputs with edges, flat parts and noise."""
    noise = np.random.default_rng(SEED).normal(0, 0.25, (2, 3, NETWORK.size, NETWORK.size))
    x = random_images(NETWORK, 2, seed=SEED) + noise
    return (np.round(x * INPUT_STEPS) / INPUT_STEPS).astype(np.float32)


def torch_network() -> ResNet:
    """The network in torch with the weights of the generated graphs."""
    net = resnet18(NETWORK.width, NETWORK.classes, NETWORK.blocks)
    export_torch.set_weights(net, random_weights(NETWORK, SEED))
    return net.eval()


def write_expected(
    path: Path, x: NDArray[np.float32], y: NDArray[np.float32], tolerance: float
) -> None:
    """Write `path`'s .npz; ValueError if onnxruntime disagrees or the images look alike."""
    got = run(path, x)
    scale = float(np.abs(y).max())
    if not np.abs(got - y).max() <= tolerance * scale:
        raise ValueError(f"{path.name}: onnxruntime disagrees with the expected output")
    if not np.abs(y[0] - y[1]).max() > 0.1 * scale:
        raise ValueError(f"{path.name}: two images give the same output")
    np.savez_compressed(path.with_suffix(".npz"), x=x, y=y)
    print(f"{path.name}: {path.stat().st_size} bytes")


def sqnr_db(reference: NDArray[np.float32], got: NDArray[np.float32]) -> float:
    """Signal to noise of `got` in dB."""
    return float(10 * np.log10(np.sum(reference**2) / np.sum((got - reference) ** 2)))


def write_float(folder: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """All float forms; returns torch's output."""
    net = torch_network()
    with torch.no_grad():
        y = net(torch.from_numpy(x)).numpy()
    for name, form in TORCH_FORMS.items():
        path = folder / f"{name}.onnx"
        export_torch.export(net, path, (3, NETWORK.size, NETWORK.size), form)
        write_expected(path, x, y, FLOAT_TOLERANCE)
    for name, form in GRAPH_FORMS.items():
        path = folder / f"{name}.onnx"
        model = build(form, random_weights(form, SEED))
        save(model, path, external_data=False)
        write_expected(path, x, run(model, x) if form.preactivation else y, FLOAT_TOLERANCE)
    return y


def write_int8(folder: Path, x: NDArray[np.float32], y: NDArray[np.float32]) -> None:
    """Both forms of onnxruntime's quantiser, from the TorchScript file as its users have it."""
    source = onnx.load(folder / "torchscript_opset17.onnx")
    calibration = random_images(NETWORK, CALIBRATION_IMAGES, seed=SEED + 1)
    for form in ("qdq", "qoperator"):
        path = folder / f"ort_{form}.onnx"
        save(quantise(source, calibration, form), path, external_data=False)
        got = run(path, x)
        if not sqnr_db(y, got) > INT8_SQNR_DB:
            raise ValueError(f"{path.name}: {sqnr_db(y, got):.1f} dB from float")
        write_expected(path, x, got, 0.0)


def main() -> None:
    """Command line."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FIXTURES
    folder.mkdir(parents=True, exist_ok=True)
    x = images()
    write_int8(folder, x, write_float(folder, x))


if __name__ == "__main__":
    main()
