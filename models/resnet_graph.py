"""The ResNet-18 of torchvision as an ONNX graph, in the forms of old and new exporters.

Needs onnx and numpy only. Topology: He et al. 2015 table 1; with `preactivation` that of
He et al. 2016 (identity mappings), where a BatchNormalization follows an Add and so cannot be
folded into a Conv.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Weights = Mapping[str, NDArray[np.float32]]

EPSILON = 1e-5
IMAGE_CHANNELS = 3
OLDEST_OPSET = 7
OPSET_OF_IR4 = 9
REDUCE_AXES_ARE_INPUT = 18
RESHAPE_HAS_ALLOWZERO = 14


@dataclass(frozen=True)
class Form:
    """Which of the equivalent files to write, and the size of the network.

    `opset` is 7 or newer. `ir3_inputs` lists initialisers as graph inputs and stamps IR
    version 3; opsets 7 and 8 always have that form. `dynamic_batch` names the first dimension
    "batch" instead of fixing it to 1. `blocks` is the number of residual blocks in each stage.
    """

    bn: Literal["fold", "keep"] = "fold"
    opset: int = 17
    ir3_inputs: bool = False
    pool: Literal["gap", "reducemean"] = "gap"
    flatten: Literal["flatten", "reshape"] = "flatten"
    dynamic_batch: bool = True
    width: int = 64
    classes: int = 1000
    size: int = 224
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    preactivation: bool = False

    def __post_init__(self) -> None:
        """ValueError for a form that cannot be written."""
        newest = onnx.defs.onnx_opset_version()
        if not OLDEST_OPSET <= self.opset <= newest:
            raise ValueError(f"opset {self.opset} is not in {OLDEST_OPSET}..{newest}")
        if min(self.width, self.classes, self.size, *self.blocks) < 1:
            raise ValueError("width, classes, size and blocks must be positive")

    @property
    def is_ir3(self) -> bool:
        """Whether initialisers are graph inputs too, as they had to be before IR 4."""
        return self.ir3_inputs or self.opset < OPSET_OF_IR4

    @property
    def features(self) -> int:
        """Channels that reach the classifier."""
        return self.width << (len(self.blocks) - 1)


@dataclass(frozen=True)
class Block:
    """One residual block; `name` is its torchvision name, e.g. layer2.0."""

    name: str
    inputs: int
    outputs: int
    stride: int

    @property
    def projects(self) -> bool:
        """Whether the shortcut needs a 1x1 convolution."""
        return self.stride != 1 or self.inputs != self.outputs


def residual_blocks(form: Form) -> Iterator[Block]:
    """The blocks from input to output."""
    inputs = form.width
    for stage, count in enumerate(form.blocks):
        outputs = form.width << stage
        for index in range(count):
            stride = 2 if stage > 0 and index == 0 else 1
            yield Block(f"layer{stage + 1}.{index}", inputs, outputs, stride)
            inputs = outputs


class GraphBuilder:
    """Appends nodes and their initialisers; a method returns the name of its output."""

    def __init__(self, form: Form, weights: Weights) -> None:
        self.form = form
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []

    def node(self, op: str, name: str, inputs: list[str], **attributes: float | list[int]) -> str:
        """Append an ONNX node."""
        path = f"/{name.replace('.', '/')}/{op}"
        output = f"{path}_output_0"
        node = helper.make_node(op, inputs, [output], path)
        node.attribute.extend(
            helper.make_attribute(key, value) for key, value in sorted(attributes.items())
        )
        self.nodes.append(node)
        return output

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """Append an initialiser."""
        self.initialisers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str) -> str:
        """Append the initialiser of a weight."""
        return self.constant(name, self.weights[name])

    def conv(self, name: str, norm: str | None, x: str, kernel: int, stride: int) -> str:
        """A Conv padded by (kernel - 1) / 2, then, unless folded into it, its BN `norm`."""
        attributes = {
            "dilations": [1, 1],
            "group": 1,
            "kernel_shape": [kernel, kernel],
            "pads": [(kernel - 1) // 2] * 4,
            "strides": [stride, stride],
        }
        if norm is None or self.form.bn == "keep":
            out = self.node("Conv", name, [x, self.weight(f"{name}.weight")], **attributes)
            return out if norm is None else self.norm(norm, out)
        scale, shift = self.affine(norm)
        kernel_values = self.weights[f"{name}.weight"] * scale[:, None, None, None]
        inputs = [
            self.constant(f"{name}.weight", kernel_values.astype(np.float32)),
            self.constant(f"{name}.bias", shift.astype(np.float32)),
        ]
        return self.node("Conv", name, [x, *inputs], **attributes)

    def affine(self, norm: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scale and shift [C] of a BatchNormalization at inference."""
        gamma, beta, mean, variance = (
            self.weights[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + EPSILON)
        return scale, beta - mean * scale

    def norm(self, name: str, x: str) -> str:
        """A BatchNormalization node."""
        parts = ("weight", "bias", "running_mean", "running_var")
        inputs = [x, *(self.weight(f"{name}.{part}") for part in parts)]
        return self.node("BatchNormalization", name, inputs, epsilon=EPSILON, momentum=0.9)

    def relu(self, name: str, x: str) -> str:
        """A Relu node."""
        return self.node("Relu", name, [x])

    def stem(self, x: str) -> str:
        """Image -> [N,width,size/4,size/4]."""
        if self.form.preactivation:
            x = self.norm("bn0", x)
        out = self.relu("relu", self.conv("conv1", "bn1", x, 7, 2))
        window = {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [2, 2]}
        return self.node("MaxPool", "maxpool", [out], **window)

    def block(self, block: Block, x: str) -> str:
        """The 2015 block: Conv, BN, Relu, Conv, BN, Add, Relu."""
        name, shortcut = block.name, x
        out = self.conv(f"{name}.conv1", f"{name}.bn1", x, 3, block.stride)
        out = self.conv(f"{name}.conv2", f"{name}.bn2", self.relu(f"{name}.relu", out), 3, 1)
        if block.projects:
            down = f"{name}.downsample"
            shortcut = self.conv(f"{down}.0", f"{down}.1", x, 1, block.stride)
        return self.relu(f"{name}.relu_1", self.node("Add", name, [out, shortcut]))

    def preactivation_block(self, block: Block, x: str) -> str:
        """The 2016 block: BN, Relu, Conv, BN, Relu, Conv, Add."""
        name, shortcut = block.name, x
        active = self.relu(f"{name}.relu", self.norm(f"{name}.bn1", x))
        out = self.conv(f"{name}.conv1", f"{name}.bn2", active, 3, block.stride)
        out = self.conv(f"{name}.conv2", None, self.relu(f"{name}.relu_1", out), 3, 1)
        if block.projects:
            shortcut = self.conv(f"{name}.downsample.0", None, active, 1, block.stride)
        return self.node("Add", name, [out, shortcut])

    def head(self, x: str, output: str) -> None:
        """[N,features,H,W] -> `output` [N,classes]."""
        out = self.flatten(self.pool(x))
        inputs = [out, self.weight("fc.weight"), self.weight("fc.bias")]
        node = helper.make_node("Gemm", inputs, [output], "/fc/Gemm", alpha=1.0, beta=1.0, transB=1)
        self.nodes.append(node)

    def pool(self, x: str) -> str:
        """Mean over height and width, which stay as 1x1."""
        if self.form.pool == "gap":
            return self.node("GlobalAveragePool", "avgpool", [x])
        if self.form.opset < REDUCE_AXES_ARE_INPUT:
            return self.node("ReduceMean", "avgpool", [x], axes=[2, 3], keepdims=1)
        axes = self.constant("avgpool.axes", np.array([-1, -2], np.int64))
        return self.node("ReduceMean", "avgpool", [x, axes], keepdims=1)

    def flatten(self, x: str) -> str:
        """[N,C,1,1] -> [N,C]."""
        if self.form.flatten == "flatten":
            return self.node("Flatten", "flatten", [x], axis=1)
        shape = self.constant("flatten.shape", np.array([-1, self.form.features], np.int64))
        allowzero = {"allowzero": 1} if self.form.opset >= RESHAPE_HAS_ALLOWZERO else {}
        return self.node("Reshape", "flatten", [x, shape], **allowzero)


def build(form: Form, weights: Weights) -> onnx.ModelProto:
    """The checked model; `weights` by torchvision name, KeyError when one is missing."""
    builder = GraphBuilder(form, weights)
    x = builder.stem("input")
    for block in residual_blocks(form):
        x = builder.preactivation_block(block, x) if form.preactivation else builder.block(block, x)
    if form.preactivation:
        x = builder.relu("relu_1", builder.norm("bn2", x))
    builder.head(x, "output")

    name = "resnet_v2" if form.preactivation else "resnet"
    inputs, outputs = interface(form, builder.initialisers)
    graph = helper.make_graph(builder.nodes, name, inputs, outputs, builder.initialisers)
    opset = helper.make_opsetid("", form.opset)
    model = helper.make_model(
        graph,
        opset_imports=[opset],
        ir_version=3 if form.is_ir3 else helper.find_min_ir_version_for([opset]),
        producer_name="cimc-models",
    )
    onnx.checker.check_model(model)
    return model


def interface(
    form: Form, initialisers: list[onnx.TensorProto]
) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
    """Graph inputs and outputs."""
    batch = "batch" if form.dynamic_batch else 1
    image = [batch, IMAGE_CHANNELS, form.size, form.size]
    real = helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, image)
    listed = [
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in initialisers
        if form.is_ir3
    ]
    scores = [batch, form.classes]
    return [real, *listed], [
        helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, scores)
    ]
