"""Options about a model's numbers that several subcommands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from cimc.api import CompiledModel, compile
from cimc.diagnostics import InvalidModel
from cimc.passes.repair import LEVELS


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Calibration, preprocessing, multiplier, repair, plan; docs/cli.md explains them."""
    group = parser.add_argument_group("numbers")
    group.add_argument(
        "--calibration",
        metavar="FILE|DIR",
        help=".npy, .npz or folder of images that activation ranges come from "
        "(without it: seeded noise, and the report says so)",
    )
    group.add_argument(
        "--preprocess",
        metavar="FILE",
        help="JSON that says how images become inputs (MODEL.preprocess.json)",
    )
    group.add_argument("--multiplier", metavar="NAME", help="for all layers (the target's own)")
    group.add_argument(
        "--repair",
        choices=LEVELS,
        default="none",
        help="undo errors of the multipliers in the integers, from calibration data (%(default)s)",
    )
    group.add_argument(
        "--plan", metavar="FILE", help="precision and multiplier by layer: an edited plan.json"
    )


def data_parser(command: str, description: str) -> argparse.ArgumentParser:
    """A parser for a subcommand that runs MODEL on data."""
    parser = argparse.ArgumentParser(prog=f"cimc {command}", description=description)
    parser.add_argument("model", metavar="MODEL", type=Path, help="ONNX file")
    parser.add_argument("--target", default="daism", metavar="NAME", help="machine (daism)")
    parser.add_argument("--images", type=positive, metavar="N", help="only the first N (all)")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for every step")
    parser.add_argument("--debug", action="store_true", help="tracebacks for errors")
    add_model_options(parser)
    return parser


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return int(text)


def compiled(args: argparse.Namespace, progress: Callable[[str], None]) -> CompiledModel:
    """The model that `args` of a `data_parser` name, compiled as they say."""
    if not args.model.is_file():
        raise InvalidModel(f"{args.model}: no such model file")
    return compile(
        args.model,
        args.target,
        calibration=args.calibration,
        preprocess=args.preprocess,
        multiplier=args.multiplier,
        repair=args.repair,
        plan=args.plan,
        progress=progress,
    )
