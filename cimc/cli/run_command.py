"""`cimc run MODEL --data FILE`: outputs of the machine, bit-true, without verification."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cimc.cli.model_options import compiled, data_parser
from cimc.cli.progress import Progress
from cimc.diagnostics import UsageError
from cimc.frontend.dataset import open_dataset
from cimc.sim.evaluate import BATCH, TOP

_SHOWN = 10


def run(argv: Sequence[str]) -> int:
    """Run the images, print the likeliest classes of the first ones, write the outputs."""
    parser = data_parser("run", "Run images through the bit-true emulation of the machine.")
    parser.add_argument(
        "--data",
        required=True,
        type=Path,
        metavar="DIR|FILE",
        help="what `cimc evaluate` takes; labels are not looked at",
    )
    parser.add_argument(
        "-o", dest="output", type=Path, metavar="FILE", help="outputs by name: .npz"
    )
    args = parser.parse_args(argv)
    if args.output and args.output.suffix != ".npz":
        raise UsageError(f"-o {args.output}: outputs are written as .npz")
    progress = Progress(verbose=args.verbose)
    model = compiled(args, progress)
    preprocess = None if args.preprocess is None else Path(args.preprocess)
    data = open_dataset(model.network.model, args.data, preprocess).first(args.images)
    parts: list[list[np.ndarray]] = []
    for first in range(0, len(data), BATCH):
        progress(f"run images {first:,} to {min(first + BATCH, len(data)):,} of {len(data):,}")
        x = data.read(slice(first, min(first + BATCH, len(data))))
        parts.append([*model.run(None, {model.input_names[0]: x})])
    progress.clear()
    outputs = [np.concatenate(column) for column in zip(*parts, strict=True)]
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        named: dict[str, Any] = dict(zip(model.output_names, outputs, strict=True))
        np.savez(args.output, **named)
    scores = outputs[0].reshape(len(data), -1)
    for name, row in zip(data.names[:_SHOWN], scores, strict=False):
        best = np.argsort(-row, kind="stable")[:TOP]
        print(f"{name}: " + ", ".join(f"{i} ({row[i]:.4g})" for i in best))
    if len(data) > _SHOWN:
        print(f"... {len(data) - _SHOWN:,} more")
    return 0
