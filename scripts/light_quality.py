"""How close 8 bits come to onnxruntime's floats on the networks of the onnx package.

    python scripts/light_quality.py                   all nine
    python scripts/light_quality.py light_resnet50    only this one

Weights are those of models/reweight_light.py, products are exact, Softmax at the end is cut off.
Calibrated on 8 images of coloured patches and noise, measured on 4 others; nothing is asserted.

scores   signal to noise of the scores
least    that of the worst layer, every layer with all errors before it
layers   how many there are
apart    rms distance between the scores of two images, as a part of their rms
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto
from xdsl.dialects.builtin import ArrayAttr, FileLineColLoc, FusedLoc, NameLoc
from xdsl.ir import Attribute, Operation, SSAValue

import cimc
from cimc.backend.terminal_table import text_table
from cimc.dialects.nn import quant_of
from cimc.interp import nn
from cimc.quant import dequantise

MODELS = Path(__file__).parents[1] / "models"
CALIBRATION, IMAGES = 8, 4

sys.path.insert(0, str(MODELS))
from reweight_light import names, reweighted  # noqa: E402 - models/ is no package

Floats = NDArray[np.float32]


@dataclass
class Noise:
    """Energy of a tensor and of its error, over the images so far."""

    signal: float = 0.0
    error: float = 0.0

    @property
    def db(self) -> float:
        """Signal to noise."""
        return 10 * math.log10(self.signal / max(self.error, np.finfo(float).tiny))


def patches(count: int, seed: int) -> Floats:
    """Images [count, 3, 224, 224]: patches of 32 x 32 pixels around a colour, and noise.

    Each has a colour and a contrast of its own, else averages over all pixels would be alike.
    """
    rng = np.random.default_rng(seed)
    coarse = rng.standard_normal((count, 3, 7, 7)).repeat(32, axis=2).repeat(32, axis=3)
    colour = rng.standard_normal((count, 3, 1, 1))
    contrast = rng.uniform(0.2, 1.0, (count, 1, 1, 1))
    noise = 0.3 * rng.standard_normal(coarse.shape)
    return (colour + contrast * (coarse + noise)).astype(np.float32)


def without_softmax(model: ModelProto) -> ModelProto:
    """`model` without a Softmax at its end."""
    graph = model.graph
    last = graph.node[-1]
    if last.op_type == "Softmax":
        graph.output[0].CopyFrom(ValueInfoProto(name=last.input[0], type=graph.output[0].type))
        graph.node.remove(last)
    return model


def nodes_of(loc: Attribute) -> Iterator[int]:
    """Numbers of the ONNX nodes that a location stands for."""
    match loc:
        case NameLoc(location=FileLineColLoc() as place):
            yield place.line.data
        case FusedLoc(locations=ArrayAttr() as parts):
            for part in parts:
                yield from nodes_of(part)
        case _:
            pass


def layers(model: ModelProto, module: Any, store: Any, images: Floats) -> dict[str, Floats]:
    """Results [N, ...] of every layer of a quantised network, by the name that ONNX gives them."""
    found: dict[str, Floats] = {}

    def observe(value: SSAValue[Any], codes: NDArray[Any]) -> None:
        kind, owner = quant_of(value), value.owner
        numbers = list(nodes_of(owner.location)) if isinstance(owner, Operation) else []
        if kind is not None and numbers:
            name = model.graph.node[max(numbers)].output[0]
            found[name] = dequantise(codes, kind.scale_value, kind.zero).astype(np.float32)

    nn.run(module, store, {model.graph.input[0].name: images}, observe=observe)
    return found


def measure(name: str, folder: Path) -> list[str]:
    """A line of the table."""
    model = without_softmax(reweighted(name))
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    data = {model.graph.input[0].name: patches(CALIBRATION, 1)}
    compiled = cimc.compile(path, calibration=data, multiplier="exact")
    network, images = compiled.network, patches(IMAGES, 2)
    found = layers(model, network.quantised, network.ctx.weights, images)
    scores = model.graph.output[0].name
    del model.graph.output[:]
    model.graph.output.extend(ValueInfoProto(name=each) for each in found)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    noise = {each: Noise() for each in found}
    answers: list[Floats] = []
    for i in range(IMAGES):
        real = session.run(None, {model.graph.input[0].name: images[i : i + 1]})
        for each, expected in zip(found, map(np.asarray, real), strict=True):
            error = found[each][i].reshape(expected.shape).astype(np.float64) - expected
            noise[each].signal += float(np.square(expected, dtype=np.float64).sum())
            noise[each].error += float(np.square(error).sum())
            if each == scores:
                answers.append(expected)
    worst = min(noise, key=lambda each: noise[each].db)
    apart = np.sqrt(np.mean((answers[0] - answers[1]) ** 2) / np.mean(answers[0] ** 2))
    figures = [f"{noise[scores].db:.1f}", f"{noise[worst].db:.1f}", str(len(noise)), f"{apart:.2f}"]
    return [name, *figures]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("networks", nargs="*", choices=[*names(), []], default=[])
    rows: list[list[str]] = []
    for name in parser.parse_args().networks or names():
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(name, Path(folder)))
        print(rows[-1], file=sys.stderr)
    print(text_table(["network", "scores dB", "least dB", "layers", "apart"], rows, left=1))


if __name__ == "__main__":
    main()
