"""How well a compiled classifier does on a data set, beside the network in floating point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.backend.compiler import Network
from cimc.frontend.dataset import Dataset
from cimc.sim.emulate import emulate_network
from cimc.sim.reference import float_reference

Scores = NDArray[np.float64]
Classes = NDArray[np.int64]
TOP = 5
BATCH = 250


@dataclass(frozen=True)
class Evaluation:
    """Results image by image; classes are positions in the (first, flattened) output."""

    names: list[str]
    labels: Classes | None
    ours: Classes
    """[images, TOP or fewer]: the classes that the machine finds likeliest, best first."""
    theirs: Classes
    """The same by `reference`."""
    sqnr_db: Scores
    """[images]: of all outputs, against `reference`; infinite where they are equal."""
    reference: str
    signal: float
    noise: float
    seconds: float
    """In the emulator."""

    def summary(self) -> dict[str, Any]:
        """What the data set as a whole shows; shares are 0 to 1, null without labels."""
        total = 10 * np.log10(self.signal / self.noise) if self.noise and self.signal else None
        return {
            "images": len(self.names),
            "labelled": self.labels is not None,
            "reference": self.reference,
            "top1": self._hits(self.ours, 1),
            "top5": self._hits(self.ours, TOP),
            "float_top1": self._hits(self.theirs, 1),
            "float_top5": self._hits(self.theirs, TOP),
            "agreement": float((self.ours[:, 0] == self.theirs[:, 0]).mean()),
            "sqnr_db": total,
            "seconds": self.seconds,
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """One record an image."""
        for i, name in enumerate(self.names):
            ratio = float(self.sqnr_db[i])
            yield {
                "image": name,
                "label": None if self.labels is None else int(self.labels[i]),
                "found": int(self.ours[i, 0]),
                "float": int(self.theirs[i, 0]),
                "top5": [int(c) for c in self.ours[i]],
                "sqnr_db": ratio if np.isfinite(ratio) else None,
            }

    def _hits(self, found: Classes, count: int) -> float | None:
        if self.labels is None:
            return None
        return float((found[:, :count] == self.labels[:, None]).any(axis=1).mean())


def evaluate(
    network: Network,
    data: Dataset,
    progress: Callable[[int, int, float], None],
    batch: int = BATCH,
) -> Evaluation:
    """Run `data` through the emulator and the float reference, `batch` images at a time.

    `progress` is called with the images done, all images, and the seconds since the beginning.

    Raises:
        InvalidInput: the data do not fit the model.
        InvalidModel: the reference cannot run it.
    """
    reference = float_reference(network.model.path)
    name = network.input_names[0]
    output = next(iter(network.outputs))
    ours: list[Classes] = []
    theirs: list[Classes] = []
    powers: list[Scores] = []
    seconds, began = 0.0, time.perf_counter()
    progress(0, len(data), 0.0)
    for first in range(0, len(data), batch):
        x = data.read(slice(first, min(first + batch, len(data))))
        start = time.perf_counter()
        found = _scores(emulate_network(network, {name: x})[output])
        seconds += time.perf_counter() - start
        truth = _scores(reference.at_once({name: x}, network.model.batch)[output])
        ours.append(_best(found))
        theirs.append(_best(truth))
        noise = np.square(found - truth).sum(axis=1)
        powers.append(np.stack([np.square(truth).sum(axis=1), noise]))
        progress(first + len(x), len(data), time.perf_counter() - began)
    signal, noise = np.concatenate(powers, axis=1)
    with np.errstate(divide="ignore"):
        ratios = 10 * np.log10(signal / noise, where=signal > 0, out=np.full(len(noise), -np.inf))
    return Evaluation(
        list(data.names),
        data.labels,
        np.concatenate(ours),
        np.concatenate(theirs),
        ratios,
        reference.name,
        float(signal.sum()),
        float(noise.sum()),
        seconds,
    )


def _scores(outputs: NDArray[Any]) -> Scores:
    return outputs.reshape(len(outputs), -1).astype(np.float64)


def _best(scores: Scores) -> Classes:
    """The `TOP` largest of each row, the largest first; of equal ones the first."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
