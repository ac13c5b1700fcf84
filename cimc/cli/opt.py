"""The `cimc-opt` tool: runs any pass of cimc on the text of any level.

`--weights` names the folder behind the blobs of the text; by default `weights/` beside the input
file or beside its folder, which is where the output directory of `cimc` has it. With `-o FILE` the
weights of the result go to `weights/` beside FILE. A `.onnx` input is imported first.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from xdsl.dialects.builtin import ModuleOp
from xdsl.targets import get_all_targets
from xdsl.transforms import get_all_passes
from xdsl.utils.exceptions import ArgSpecParseError
from xdsl.xdsl_opt_main import xDSLOptMain

from cimc import __version__, targets
from cimc.cli.main import guarded
from cimc.diagnostics import UsageError
from cimc.passes.context import CimContext
from cimc.passes.pipeline import PASSES
from cimc.weights import WeightStore

UPSTREAM_PASSES = ("canonicalize", "cse", "dce")


class CimcOptMain(xDSLOptMain):
    """xDSL's driver with the dialects, passes and weight files of cimc."""

    version_format = f"cimc-opt {__version__} on xdsl {{xdsl_version}}"

    def __init__(self, args: Sequence[str] | None = None):
        try:
            super().__init__("runs passes of cimc on the text of any level", args)
        except (ValueError, ArgSpecParseError) as error:  # unknown pass, bad option
            raise UsageError(str(error)) from error
        self.ctx = CimContext(targets.get(self.args.machine), self._weights())
        self.ctx.allow_unregistered = self.args.allow_unregistered_dialect

    def _weights(self) -> WeightStore:
        """The blobs of the input: those of `--weights`, or of a folder in one of its usual places.

        Raises:
            InvalidInput: `--weights` names no folder of weights.
        """
        if self.args.weights is not None:
            return WeightStore.load(Path(self.args.weights))
        if self.args.input_file is not None:
            beside = Path(self.args.input_file).parent
            for folder in (beside / "weights", beside.parent / "weights"):
                if folder.is_dir():
                    return WeightStore.load(folder)
        return WeightStore()

    def save_weights(self) -> None:
        """Put the weights beside the output file, so that the next `cimc-opt` finds them."""
        assert isinstance(self.ctx, CimContext)
        if self.args.output_file is not None and len(self.ctx.weights):
            self.ctx.weights.save(Path(self.args.output_file).parent / "weights")

    def prepare_input(self) -> tuple[list[tuple[IO[bytes], int]], str]:
        """The input in chunks, and its kind.

        Raises:
            UsageError: the file name's extension is neither .mlir nor .onnx.
        """
        try:
            return super().prepare_input()
        except ValueError as error:
            raise UsageError(f"{self.args.input_file}: {error}; known: .mlir, .onnx") from error

    def register_all_arguments(self, arg_parser: argparse.ArgumentParser) -> None:
        """Add ours; `--target` is the machine here, and xDSL's output format keeps `-t`."""
        super().register_all_arguments(arg_parser)
        ours = arg_parser.add_argument_group("cimc", conflict_handler="resolve")
        ours.add_argument(
            "--target", dest="machine", default="daism", metavar="NAME", help="target machine"
        )
        ours.add_argument("--weights", metavar="DIR", help="folder of the weights")
        ours.add_argument("--debug", action="store_true", help="tracebacks for errors")

    def register_all_dialects(self) -> None:
        """The context that replaces this one at the end of construction has them."""

    def register_all_frontends(self) -> None:
        """MLIR text, and ONNX files."""
        super().register_all_frontends()
        self.available_frontends["onnx"] = self._import_onnx

    def _import_onnx(self, file: IO[bytes]) -> ModuleOp:
        from cimc.frontend import load  # onnx takes half of the start-up time

        assert isinstance(self.ctx, CimContext)
        if self.args.input_file is not None:
            return load(Path(self.args.input_file), self.ctx.weights).module
        with tempfile.NamedTemporaryFile(suffix=".onnx") as copy:
            copy.write(file.read())
            copy.flush()
            return load(Path(copy.name), self.ctx.weights).module

    def register_all_passes(self) -> None:
        """Ours, and the upstream clean-ups."""
        upstream = get_all_passes()
        for name in UPSTREAM_PASSES:
            self.register_pass(name, upstream[name])
        for name, factory in PASSES.items():
            self.register_pass(name, factory)

    def register_all_targets(self) -> None:
        """Text only."""
        self.available_targets["mlir"] = get_all_targets()["mlir"]


def run(argv: Sequence[str]) -> int:
    """Run `cimc-opt` with `argv` (without the program name) and return its exit code."""

    def work() -> int:
        tool = CimcOptMain(argv)
        tool.run()
        tool.save_weights()
        return 0

    return guarded(work, debug="--debug" in argv)


def main() -> None:
    """Entry point of the installed command."""
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="xdsl")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
