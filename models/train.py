"""Train a network on Fashion-MNIST and write its ONNX file and preprocessing file.

  OMP_NUM_THREADS=1 python models/train.py lenet|resnet8|resnet18_w16 [--epochs N] [--out DIR]

SGD with Nesterov momentum and a one-cycle learning rate; the weights after the last epoch are
kept: nothing is chosen by looking at test images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from data import DEBIAN_ROOT, Images, Labels, Preprocess, load, preprocess_path
from evaluate import top1
from export_torch import Form, export
from networks import LeNet, resnet8, resnet18
from torch import Tensor, nn
from torch.nn import functional

MEAN, STD = 0.2860, 0.3530
BATCH = 128


@dataclass(frozen=True)
class Recipe:
    """A network, its input, and how long and how fast it learns."""

    build: Callable[[], nn.Module]
    pad: int
    channels: int
    epochs: int
    learning_rate: float
    shift: int

    @property
    def preprocess(self) -> Preprocess:
        """What the trained network expects of an image."""
        return Preprocess(1 / 255, [MEAN], [STD], [self.pad] * 4, self.channels)


RECIPES = {
    "lenet": Recipe(LeNet, 0, 1, epochs=20, learning_rate=0.05, shift=0),
    "resnet8": Recipe(resnet8, 0, 1, epochs=12, learning_rate=0.1, shift=2),
    "resnet18_w16": Recipe(lambda: resnet18(16, 10), 2, 3, epochs=18, learning_rate=0.1, shift=2),
}


def augment(x: Tensor, shift: int) -> Tensor:
    """Move the batch [N,C,H,W] by up to `shift` pixels; mirror each image with chance 1/2."""
    height, width = x.shape[2:]
    top, left = (int(n) for n in torch.randint(0, 2 * shift + 1, (2,)))
    padded = functional.pad(x, (shift,) * 4, value=-MEAN / STD)
    moved = padded[:, :, top : top + height, left : left + width]
    mirror = torch.rand(len(x)) < 0.5
    return torch.where(mirror[:, None, None, None], moved.flip(3), moved)


def train(recipe: Recipe, images: Images, labels: Labels, epochs: int) -> nn.Module:
    """The network after `epochs` passes over the images; prints the loss of each."""
    net = recipe.build()
    x, y = torch.from_numpy(recipe.preprocess(images)), torch.from_numpy(labels)
    optimiser = torch.optim.SGD(
        net.parameters(), recipe.learning_rate, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    steps = len(y) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, epochs * steps, pct_start=0.2
    )
    net.train()
    for epoch in range(epochs):
        loss_sum = 0.0
        for batch in torch.randperm(len(y))[: steps * BATCH].split(BATCH):
            optimiser.zero_grad()
            loss = functional.cross_entropy(net(augment(x[batch], recipe.shift)), y[batch])
            loss.backward()
            optimiser.step()
            schedule.step()
            loss_sum += loss.item()
        cpu = time.process_time()
        print(
            f"epoch {epoch + 1}/{epochs}: loss {loss_sum / steps:.4f}, {cpu:.0f} CPU s", flush=True
        )
    return net


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", choices=RECIPES)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DEBIAN_ROOT)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    recipe = RECIPES[args.model]
    net = train(recipe, *load("train", args.data), args.epochs or recipe.epochs)
    path = args.out / f"{args.model}.onnx"
    recipe.preprocess.write(preprocess_path(path))
    side = 28 + 2 * recipe.pad
    export(net, path, (recipe.channels, side, side), Form())
    print(f"{path}: top-1 {100 * top1(path, *load('test', args.data)):.2f} % of the test images")


if __name__ == "__main__":
    main()
