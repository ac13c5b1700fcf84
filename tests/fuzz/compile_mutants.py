"""Compiles mutants one after the other in this process and prints a JSON line for each.

    python compile_mutants.py FIRST COUNT FILE...

A mutant that kills or hangs the process is the one whose line is missing.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

from mutations import mutate

from cimc.cli.main import run

MEMORY_BYTES = 8 << 30
WAYS = (["--verify=none"], ["--verify=emulate"], ["--emit=nn"])


def compile_mutant(seed: int, sources: list[Path]) -> dict[str, object]:
    """Exit code, messages, processor seconds, and what appeared beside the output directory."""
    source = sources[seed % len(sources)]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        model = Path("m.onnx")
        model.write_bytes(mutate(source.read_bytes(), seed))
        out, err = io.StringIO(), io.StringIO()
        began = time.process_time()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([str(model), "--target=daism-small", "-o", "out", *WAYS[seed % 3]])
        names = {path.name for path in Path().iterdir()} - {"m.onnx"}
        result = {
            "seed": seed,
            "source": source.name,
            "code": code,
            "seconds": time.process_time() - began,
            "errors": err.getvalue(),
            "left": sorted(names),
        }
        os.chdir("/")
    return result


def main() -> None:
    """Command line."""
    first, count, *files = sys.argv[1:]
    sources = [Path(file).resolve() for file in files]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    warnings.simplefilter("ignore")  # of libraries about damaged contents
    for seed in range(int(first), int(first) + int(count)):
        print(json.dumps(compile_mutant(seed, sources)), flush=True)


if __name__ == "__main__":
    main()
