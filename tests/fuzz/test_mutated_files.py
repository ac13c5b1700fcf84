"""Damaged ONNX files give an error in one line or a result: no traceback, hang or stray file."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
FIXTURES = HERE.parent / "fixtures"
SECONDS = 10
"""Processor time; a mutant that takes longer has hung. No measure of speed: most take 0.1 s."""
PATIENCE = 20 * SECONDS
"""Until a silent worker counts as hung: the machine may be busy."""


def sources() -> list[Path]:
    """Small valid models, in every form."""
    found = sorted(FIXTURES.glob("*.onnx"))
    assert len(found) >= 16
    return found


def run_mutants(first: int, count: int) -> list[dict[str, Any]]:
    """Results of mutants `first`.. in order; a worker that dies or hangs ends the list early."""
    command = [sys.executable, HERE / "compile_mutants.py", first, count, *sources()]
    worker = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=HERE.parents[1],
    )
    lines: queue.Queue[str] = queue.Queue()
    stdout, stderr = worker.stdout, worker.stderr
    assert stdout is not None
    assert stderr is not None
    feeder = threading.Thread(target=lambda: [lines.put(line) for line in (*stdout, "")])
    silencer = threading.Thread(target=stderr.read)
    feeder.start()
    silencer.start()
    results: list[dict[str, Any]] = []
    try:
        while line := lines.get(timeout=PATIENCE):
            results.append(json.loads(line))
    except queue.Empty:
        pass
    finally:
        worker.kill()
        worker.wait()
        feeder.join()
        silencer.join()
        stdout.close()
        stderr.close()
    return results


def complaints(result: dict[str, Any]) -> list[str]:
    """What is wrong with how one mutant ended."""
    found: list[str] = []
    errors = result["errors"]
    if result["code"] not in (0, 1):
        found.append(f"exit code {result['code']}")
    if "Traceback" in errors or "internal error" in errors:
        found.append(errors.strip())
    if result["code"] == 1 and not any(s.startswith("error: ") for s in errors.splitlines()):
        found.append("an error without a message")
    if result["left"] not in ([], ["out"]) or (result["code"] and result["left"]):
        found.append(f"left behind: {result['left']}")
    if result["seconds"] > SECONDS:
        found.append(f"took {result['seconds']:.1f} s")
    return found


def check(first: int, count: int) -> None:
    """Fails with all complaints about mutants `first`.. of `count`."""
    problems: list[str] = []
    at = first
    while at < first + count:
        results = run_mutants(at, first + count - at)
        for result in results:
            where = f"seed {result['seed']} ({result['source']})"
            problems += [f"{where}: {what}" for what in complaints(result)]
        at += len(results)
        if at < first + count:
            problems.append(f"seed {at}: killed or hung the process")
            at += 1
    assert not problems, "\n".join(problems)


KEPT = (142, 151, 278, 307, 554, 2244, 2479, 2653, 9594)
"""Seeds that once made cimc fail."""


@pytest.mark.parametrize("seed", KEPT)
def test_kept_mutants(seed: int) -> None:
    check(seed, 1)


def test_some_mutants() -> None:
    check(0, 150)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_ten_thousand_mutants(part: int) -> None:
    check(1000 * (part + 1), 1000)


def test_complaints_are_made() -> None:
    fine = {"code": 1, "errors": "error: m.onnx: no\n", "left": [], "seconds": 0.1}
    assert complaints(fine) == []
    assert complaints(fine | {"code": 0, "errors": "", "left": ["out"]}) == []
    assert complaints(fine | {"code": -11}) == ["exit code -11"]
    assert complaints(fine | {"errors": "error: internal error: KeyError: 3"}) != []
    assert complaints(fine | {"errors": ""}) == ["an error without a message"]
    assert complaints(fine | {"left": ["out"]}) == ["left behind: ['out']"]
    assert complaints(fine | {"left": ["core"]}) != []
    assert complaints(fine | {"seconds": 11.0}) == ["took 11.0 s"]
