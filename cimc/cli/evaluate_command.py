"""`cimc evaluate MODEL --data DIR`: accuracy of the machine on a data set."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cimc.cli.model_options import compiled, data_parser
from cimc.cli.progress import Progress
from cimc.diagnostics import UsageError
from cimc.frontend.dataset import open_dataset
from cimc.kernels import native
from cimc.sim.evaluate import Evaluation, evaluate

_BAR = 30


def run(argv: Sequence[str]) -> int:
    """Evaluate, print the summary, write the results of every image."""
    parser = data_parser(
        "evaluate",
        "Run a data set through the bit-true emulation: top-1, top-5, agreement with "
        "onnxruntime, SQNR.",
    )
    parser.add_argument(
        "--data",
        required=True,
        type=Path,
        metavar="DIR|FILE",
        help="folder of class folders, of images (with labels.csv) or in MNIST's format, or .npz",
    )
    parser.add_argument(
        "-o", dest="output", type=Path, metavar="FILE", help="results by image: .csv or .json"
    )
    parser.add_argument("--json", action="store_true", help="the summary as JSON")
    args = parser.parse_args(argv)
    if args.output and args.output.suffix not in (".csv", ".json"):
        raise UsageError(f"-o {args.output}: results are written as .csv or .json")
    progress = Progress(verbose=args.verbose)
    model = compiled(args, progress)
    preprocess = None if args.preprocess is None else Path(args.preprocess)
    data = open_dataset(model.network.model, args.data, preprocess).first(args.images)

    def show(done: int, total: int, seconds: float) -> None:
        progress(bar(done, total, seconds))

    found = evaluate(model.network, data, show)
    progress.clear()
    layers = model.report["layers"]
    summary = {
        "model": str(args.model),
        "data": str(args.data),
        "multipliers": sorted({layer["multiplier"] for layer in layers if layer["multiplier"]}),
        "kernels": native.chosen(),
        **found.summary(),
    }
    if args.output:
        write(args.output, summary, found)
    print(json.dumps(summary, indent=1) if args.json else text(summary))
    return 0


def bar(done: int, total: int, seconds: float) -> str:
    """A line that shows how far it is: ``[####....] 500/2,000  250 images/s  6 s left``."""
    filled = _BAR * done // total
    line = f"[{'#' * filled}{'.' * (_BAR - filled)}] {done:,}/{total:,}"
    if not done or not seconds:
        return line
    speed = done / seconds
    return f"{line}  {speed:,.0f} images/s  {(total - done) / speed:,.0f} s left"


def text(summary: dict[str, Any]) -> str:
    """The summary for a person."""
    lines = [
        f"images     {summary['images']:,} of {summary['data']}",
        f"multiplier {', '.join(summary['multipliers']) or 'none'}",
    ]
    if summary["labelled"]:
        lines += [
            f"top-1      {share(summary['top1'])} (float {share(summary['float_top1'])})",
            f"top-5      {share(summary['top5'])} (float {share(summary['float_top5'])})",
        ]
    ratio = summary["sqnr_db"]
    speed = summary["images"] / max(summary["seconds"], 1e-9)
    lines += [
        f"agreement  {share(summary['agreement'])} have the top-1 class of {summary['reference']}",
        "SQNR       " + ("equal outputs" if ratio is None else f"{ratio:.2f} dB"),
        f"emulation  {summary['seconds']:.1f} s, {speed:,.0f} images/s "
        f"({summary['kernels']} kernels)",
    ]
    return "\n".join(lines)


def share(part: float) -> str:
    """``97.25 %``."""
    return f"{100 * part:.2f} %"


def write(path: Path, summary: dict[str, Any], found: Evaluation) -> None:
    """Results of every image; JSON has the summary too."""
    rows = list(found.rows())
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps({"summary": summary, "images": rows}, indent=1) + "\n", "utf-8")
        return
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "top5": " ".join(map(str, row["top5"]))} for row in rows)
