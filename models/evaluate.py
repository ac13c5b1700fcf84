"""Top-1 accuracy of ONNX models on Fashion-MNIST by onnxruntime.

python models/evaluate.py models/lenet.onnx ...            10,000 test images (Debian package)
python models/evaluate.py --sample models/lenet.onnx ...   the 256 that travel with the models
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
from data import DEBIAN_ROOT, Images, Labels, Preprocess, load, load_sample, preprocess_path

BATCH = 500


def top1(model: Path, images: Images, labels: Labels) -> float:
    """Fraction of `images` [N,28,28] whose largest output is at their label."""
    prepare = Preprocess.read(preprocess_path(model))
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    hits = 0
    for start in range(0, len(labels), BATCH):
        part = slice(start, start + BATCH)
        scores = np.asarray(session.run(None, {name: prepare(images[part])})[0])
        hits += int(np.sum(scores.argmax(axis=1) == labels[part]))
    return hits / len(labels)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--sample", action="store_true", help="the 256 images kept in models/")
    parser.add_argument("--data", type=Path, default=DEBIAN_ROOT)
    args = parser.parse_args()
    images, labels = load_sample()[1:] if args.sample else load("test", args.data)
    for model in args.models:
        print(f"{model}: top-1 {100 * top1(model, images, labels):.2f} % of {len(labels)} images")


if __name__ == "__main__":
    main()
