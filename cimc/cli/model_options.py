"""Options about a model's numbers that several subcommands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cimc.api import CompiledModel, compile
from cimc.diagnostics import InvalidInput, InvalidModel, UsageError
from cimc.passes.choose_plan import COSTS
from cimc.passes.repair_steps import LEVELS, STEPS, steps_of


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Calibration, preprocessing, multiplier, repair, plan; docs/cli.md explains them."""
    levels, steps = ", ".join(LEVELS), ", ".join(STEPS)
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
        "--exact-front",
        type=positive,
        default=0,
        metavar="N",
        help="exact products in the first N layers (0)",
    )
    group.add_argument(
        "--repair",
        type=_level,
        metavar="LEVEL",
        help=f"undo errors of the multipliers in the integers, from calibration data: {levels}, or "
        f"some of the steps {steps}, with commas between them (none; channels when multipliers are "
        "chosen)",
    )
    group.add_argument(
        "--plan", metavar="FILE", help="precision and multiplier by layer: an edited plan.json"
    )
    _add_choice_options(parser)


def _level(text: str) -> str:
    """`text`, which must be a level or steps of repair."""
    try:
        steps_of(text)
    except InvalidInput as e:
        raise argparse.ArgumentTypeError(str(e)) from e
    return text


def _add_choice_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "choosing the cheapest multiplier and bits of each layer that the plan leaves open"
    )
    group.add_argument(
        "--min-snr", type=float, metavar="DB", help="such that every layer has this predicted SNR"
    )
    group.add_argument(
        "--target-sqnr",
        type=float,
        metavar="DB",
        help="such that the outputs have this SQNR against the float network",
    )
    group.add_argument(
        "--choices",
        type=names,
        default=(),
        metavar="LIST",
        help="multipliers to choose from, with commas (all that the target can have)",
    )
    group.add_argument(
        "--bits",
        type=numbers,
        default=(),
        metavar="LIST",
        help="of weights and of activations to choose from, too, such as 4,6,8 (as they are)",
    )
    group.add_argument(
        "--minimise",
        choices=COSTS,
        default="cycles",
        help="what to make small: cycles, or MACs with exact products, then cycles (%(default)s)",
    )


def names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def numbers(text: str) -> tuple[int, ...]:
    """Numbers between commas."""
    return tuple(map(positive, names(text)))


def choice_of(args: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `compile` about multipliers, repair and choices."""
    chooses = args.min_snr is not None or args.target_sqnr is not None
    for name in ("choices", "bits"):
        if getattr(args, name) and not chooses:
            raise UsageError(f"--{name}: say what to keep with --min-snr or --target-sqnr")
    if chooses and (args.multiplier or args.exact_front):
        option = "--multiplier is for all" if args.multiplier else "--exact-front is for uniform"
        raise UsageError(f"{option} layers; give --choices, or fix layers in a --plan")
    fields = (
        "minimise",
        "multiplier",
        "exact_front",
        "repair",
        "plan",
        "min_snr",
        "target_sqnr",
        "choices",
        "bits",
    )
    return {name: getattr(args, name) for name in fields}


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
        progress=progress,
        **choice_of(args),
    )
