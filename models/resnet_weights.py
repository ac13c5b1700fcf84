"""Seeded ResNet weights by torchvision name; numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from resnet_graph import IMAGE_CHANNELS, Form, residual_blocks

RESIDUAL_GAMMA_LIMIT = 0.5


class Draw:
    """Collects weights drawn from one seeded stream."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.weights: dict[str, NDArray[np.float32]] = {}

    def conv(self, name: str, inputs: int, outputs: int, kernel: int) -> None:
        """He initialisation, fan out: output variance is 2 inputs / outputs x input power."""
        deviation = np.sqrt(2 / (outputs * kernel**2))
        values = self.random.normal(0, deviation, (outputs, inputs, kernel, kernel))
        if inputs > IMAGE_CHANNELS:
            values -= values.mean(axis=(1, 2, 3), keepdims=True)
        self.weights[f"{name}.weight"] = values.astype(np.float32)

    def norm(self, name: str, channels: int, power: float, gamma_limit: float = 1.3) -> None:
        """BN statistics as after training on data whose variance here is about `power`."""
        parts = {
            "weight": self.random.uniform(0.2, gamma_limit, channels),
            "bias": self.random.normal(0, 0.1, channels),
            "running_mean": self.random.normal(0, 0.2 * np.sqrt(power), channels),
            "running_var": power * self.random.uniform(0.5, 2.0, channels),
        }
        for part, values in parts.items():
            self.weights[f"{name}.{part}"] = values.astype(np.float32)

    def linear(self, name: str, inputs: int, outputs: int) -> None:
        """PyTorch's default, with rows of mean 0: what all features share tells no class."""
        bound = 1 / np.sqrt(inputs)
        weight = self.random.uniform(-bound, bound, (outputs, inputs))
        weight -= weight.mean(axis=1, keepdims=True)
        self.weights[f"{name}.weight"] = weight.astype(np.float32)
        bias = self.random.uniform(-bound, bound, outputs)
        self.weights[f"{name}.bias"] = bias.astype(np.float32)


def random_weights(form: Form, seed: int) -> dict[str, NDArray[np.float32]]:
    """Every weight that `form` needs, for inputs of variance 1.

    Fresh BN statistics (mean 0, variance 1, gamma 1) would hide folding errors; the small gamma
    on residual branches keeps activations bounded. The weights say nothing about accuracy.
    """
    draw = Draw(seed)
    if form.preactivation:
        draw.norm("bn0", IMAGE_CHANNELS, 1.0)
        draw.norm("bn2", form.features, 1.0)
    draw.conv("conv1", IMAGE_CHANNELS, form.width, 7)
    draw.norm("bn1", form.width, 2 * IMAGE_CHANNELS / form.width)
    for block in residual_blocks(form):
        name, power = block.name, block.inputs / block.outputs
        draw.conv(f"{name}.conv1", block.inputs, block.outputs, 3)
        draw.conv(f"{name}.conv2", block.outputs, block.outputs, 3)
        if form.preactivation:
            draw.norm(f"{name}.bn1", block.inputs, 1.0)
            draw.norm(f"{name}.bn2", block.outputs, power, RESIDUAL_GAMMA_LIMIT)
        else:
            draw.norm(f"{name}.bn1", block.outputs, power)
            draw.norm(f"{name}.bn2", block.outputs, 1.0, RESIDUAL_GAMMA_LIMIT)
        if block.projects:
            draw.conv(f"{name}.downsample.0", block.inputs, block.outputs, 1)
            if not form.preactivation:
                draw.norm(f"{name}.downsample.1", block.outputs, power)
    draw.linear("fc", form.features, form.classes)
    return draw.weights
