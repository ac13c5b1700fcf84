"""The `cimc` command: finds the subcommand, turns exceptions into messages and exit codes.

Exit codes: 0 success, 1 an error of the input or of the machine, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from types import FrameType
from typing import Protocol, cast

from cimc.diagnostics import CimcError, UsageError

COMMANDS = {
    "compile": "compile a model (the default: `cimc MODEL` means `cimc compile MODEL`)",
    "inspect": "show what becomes of each node of a model, before any work",
    "run": "run images through the bit-true emulation",
    "evaluate": "accuracy on a data set: top-1, top-5, agreement, SQNR",
    "targets": "list the targets",
    "multipliers": "list the multipliers with their rows, reads and errors",
}
"""Subcommands with their help lines; ``cimc/cli/NAME_command.py`` holds each."""

INTERRUPTED = 128 + signal.SIGINT


class Command(Protocol):
    """A module that is a subcommand."""

    def run(self, argv: Sequence[str]) -> int:
        """Parse `argv`, work, return the exit code."""
        ...


def command_overview() -> str:
    """The help text about subcommands."""
    width = max(map(len, COMMANDS))
    lines = (f"  cimc {name:{width}}  {text}" for name, text in COMMANDS.items())
    return "\n".join(["commands:", *lines, "\nEach has its own --help."])


def split_command(argv: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The subcommand and its arguments; a first argument that is no command is a model."""
    if argv and argv[0] in COMMANDS:
        return argv[0], argv[1:]
    return "compile", argv


def user_errors() -> tuple[type[BaseException], ...]:
    """Exceptions whose text alone tells a user what to do."""
    from xdsl.utils.exceptions import ArgSpecParseError, DiagnosticException, ParseError

    return (CimcError, DiagnosticException, ParseError, ArgSpecParseError, OSError)


def report_error(error: BaseException) -> int:
    """Print `error` in one line and return the exit code it stands for."""
    if isinstance(error, user_errors()):
        text = str(error)
    else:
        kind = type(error).__name__
        text = f"internal error: {kind}: {error}; run again with --debug and report the output"
    print(f"error: {text}", file=sys.stderr)
    return error.exit_code if isinstance(error, CimcError) else CimcError.exit_code


def guarded(work: Callable[[], int], *, debug: bool) -> int:
    """Exit code of `work`, with its exceptions reported; re-raises nothing.

    A broken pipe (``cimc multipliers | head``) is a quiet end.
    """
    try:
        code = work()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CimcError.exit_code
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - xDSL has errors outside Exception
        if debug:
            traceback.print_exc()
        return report_error(error)
    return code


def _terminate(signum: int, frame: FrameType | None) -> None:
    """Let SIGTERM unwind as Ctrl-C does, so that nothing half-written stays."""
    raise KeyboardInterrupt


def run(argv: Sequence[str]) -> int:
    """Run the command line `argv` (without the program name) and return its exit code."""
    name, rest = split_command(argv)

    def work() -> int:
        module = import_module(f"cimc.cli.{name}_command")
        return cast(Command, module).run(rest)

    return guarded(work, debug="--debug" in argv)


def main() -> None:
    """Entry point of the installed command."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run(sys.argv[1:]))


__all__ = ["UsageError", "command_overview", "main", "run"]

if __name__ == "__main__":
    main()
