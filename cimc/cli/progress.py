"""Progress on standard error: a live line on a terminal, plain lines when asked for."""

from __future__ import annotations

import sys
from typing import TextIO


class Progress:
    """Says what is being done; silent unless the stream is a terminal or `verbose` is set."""

    def __init__(self, *, verbose: bool, stream: TextIO | None = None):
        self.stream = stream or sys.stderr
        self.verbose = verbose
        self.live = self.stream.isatty() and not verbose

    def __call__(self, text: str) -> None:
        """Announce the next step."""
        if self.verbose:
            print(text, file=self.stream, flush=True)
        elif self.live:
            print(f"\r\x1b[K{text}", end="", file=self.stream, flush=True)

    def clear(self) -> None:
        """Remove the live line, before anything else is printed."""
        if self.live:
            print("\r\x1b[K", end="", file=self.stream, flush=True)
