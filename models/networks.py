"""The trained networks in PyTorch; module names, so weight names, are those of torchvision."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn


class LeNet(nn.Sequential):
    """LeNet-5 with ReLU and max pooling: [N,1,28,28] -> [N,10], 61,706 parameters."""

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(1, 6, 5, padding=2),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(6, 16, 5),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
                fc1=nn.Linear(400, 120),
                relu3=nn.ReLU(),
                fc2=nn.Linear(120, 84),
                relu4=nn.ReLU(),
                fc3=nn.Linear(84, 10),
            )
        )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut, projected by a 1x1 when the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """[N,inputs,H,W] -> [N,outputs,H/stride,W/stride]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + shortcut)


class ResNet(nn.Module):
    """A stem, stages of `blocks` residual blocks, a classifier.

    Each stage but the first halves the image and doubles the channels.
    """

    def __init__(self, stem: nn.Module, width: int, blocks: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.stem_names = [name for name, _ in stem.named_children()]
        for name, layer in stem.named_children():
            self.add_module(name, layer)
        inputs = width
        for stage, count in enumerate(blocks):
            outputs, stride = width << stage, 1 if stage == 0 else 2
            first = BasicBlock(inputs, outputs, stride)
            rest = [BasicBlock(outputs, outputs) for _ in range(count - 1)]
            self.add_module(f"layer{stage + 1}", nn.Sequential(first, *rest))
            inputs = outputs
        self.layers = [f"layer{stage + 1}" for stage in range(len(blocks))]
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """[N,C,H,W] -> [N,classes]."""
        for name in (*self.stem_names, *self.layers):
            x = self.get_submodule(name)(x)
        return self.fc(torch.flatten(self.avgpool(x), 1))


def resnet8(width: int = 16, classes: int = 10) -> ResNet:
    """He et al. 2016 section 4.2 with n = 1, projection shortcuts, one input channel."""
    stem = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, width, 3, 1, 1, bias=False),
            bn1=nn.BatchNorm2d(width),
            relu=nn.ReLU(inplace=True),
        )
    )
    return ResNet(stem, width, (1, 1, 1), classes)


def resnet18(
    width: int = 64, classes: int = 1000, blocks: tuple[int, ...] = (2, 2, 2, 2)
) -> ResNet:
    """`torchvision.models.resnet18`: by default the same state_dict keys and shapes."""
    stem = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, width, 7, 2, 3, bias=False),
            bn1=nn.BatchNorm2d(width),
            relu=nn.ReLU(inplace=True),
            maxpool=nn.MaxPool2d(3, 2, 1),
        )
    )
    return ResNet(stem, width, blocks, classes)
