"""`cimc MODEL`: compile, verify, write the output directory, print the table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TextIO

from xdsl.dialects.builtin import ModuleOp

from cimc import __version__
from cimc.api import STAGES, CompiledModel, compile
from cimc.backend.compiler import AfterPass, print_module
from cimc.backend.output_dir import check_replaceable
from cimc.backend.terminal_table import report_text
from cimc.cli.main import COMMANDS, command_overview
from cimc.cli.model_options import add_model_options, choice_of, positive
from cimc.cli.progress import Progress
from cimc.diagnostics import InvalidModel, UsageError, did_you_mean
from cimc.passes.pipeline import PIPELINE
from cimc.sim.simulator import require_tools


def build_parser() -> argparse.ArgumentParser:
    """The options of `cimc compile`; docs/cli.md explains them."""
    parser = argparse.ArgumentParser(
        prog="cimc",
        description="Compile an ONNX model for a compute-in-memory accelerator and prove it.",
        epilog=command_overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="ONNX file")
    parser.add_argument("--version", action="version", version=f"cimc {__version__}")
    parser.add_argument("--target", default="daism", metavar="NAME", help="machine (daism)")
    parser.add_argument(
        "-o", dest="output", metavar="DIR", help="output directory (build/MODEL's name)"
    )
    add_model_options(parser)
    _add_verify_options(parser)
    _add_debug_options(parser)
    return parser


def _add_verify_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("verification")
    group.add_argument(
        "--verify",
        choices=("none", "emulate", "rtl"),
        default="emulate",
        help="how far to check that all levels agree (%(default)s)",
    )
    group.add_argument("--simulator", choices=("verilator", "icarus"), default="verilator")
    group.add_argument(
        "--images", type=positive, default=1, metavar="N", help="inputs to verify (%(default)s)"
    )
    group.add_argument(
        "--verify-each",
        action="store_true",
        help="run the interpreter behind every pass and compare with before",
    )


def _add_debug_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("looking inside")
    group.add_argument(
        "--emit",
        choices=STAGES,
        metavar="STAGE",
        help=f"print one stage instead of writing the directory: {', '.join(STAGES)}",
    )
    group.add_argument("--print-ir-after-all", action="store_true", help="to standard error")
    group.add_argument(
        "--print-ir-after", action="append", default=[], metavar="PASS", help="may be repeated"
    )
    group.add_argument("-v", "--verbose", action="store_true", help="a line for every step")
    group.add_argument("--debug", action="store_true", help="tracebacks for errors")


def run(argv: Sequence[str]) -> int:
    """Compile as `argv` says."""
    args = build_parser().parse_args(argv)
    model = Path(args.model)
    if not model.is_file():
        close = get_close_matches(args.model, COMMANDS, n=1)
        hint = f"; did you mean the command '{close[0]}'?" if close else ""
        raise InvalidModel(f"{model}: no such model file{hint}")
    for name in args.print_ir_after:
        if name not in PIPELINE:
            raise UsageError(
                f"--print-ir-after: unknown pass '{name}'{did_you_mean(name, PIPELINE)}"
            )
    output = Path(args.output) if args.output else Path("build") / model.stem
    if not args.emit:
        check_replaceable(output)
        if args.verify == "rtl":
            require_tools(args.simulator)
    progress = Progress(verbose=args.verbose)
    compiled = _compile(args, model, progress)
    if args.emit:
        progress.clear()
        print(compiled.ir(args.emit), end="")
        return 0
    _verify_and_save(args, compiled, output, progress)
    return 0


def _compile(args: argparse.Namespace, model: Path, progress: Progress) -> CompiledModel:
    printed = PIPELINE if args.print_ir_after_all else tuple(args.print_ir_after)
    return compile(
        model,
        args.target,
        calibration=args.calibration,
        preprocess=args.preprocess,
        progress=progress,
        **choice_of(args),
        after_pass=[ir_printer(printed, sys.stderr)] if printed else [],
        verify_each=args.verify_each,
    )


def ir_printer(passes: Sequence[str], out: TextIO) -> AfterPass:
    """Prints the module behind each of `passes`."""

    def show(name: str, module: ModuleOp) -> None:
        if name in passes:
            print(f"// IR after {name}\n{print_module(module)}", file=out)

    return show


def _verify_and_save(
    args: argparse.Namespace, compiled: CompiledModel, output: Path, progress: Progress
) -> None:
    if args.verify != "none":
        compiled.verify(
            args.verify, images=args.images, simulator=args.simulator, progress=progress
        )
    progress(f"write {output}")
    compiled.save(output)
    progress.clear()
    print(report_text(compiled.report))
    print(f"written         {output}")
