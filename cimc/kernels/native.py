"""The compiled kernels: whether they are there, which instruction set runs, how many threads.

CIMC_KERNELS names what runs: numpy, portable, or an instruction set that build and processor
have; without it the best is taken. CIMC_THREADS is how many threads a product may use; without it
as many as there are processors to run on.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from threading import local
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cimc.diagnostics import InvalidInput, ToolMissing
from cimc.kernels.operand import Bytes
from cimc.kernels.rows import RowPlan

try:
    from cimc.kernels import _native  # pyright: ignore[reportAttributeAccessIssue]
except ImportError:
    _native = None

INTERFACE = 5
"""Of the functions that the compiled module has; module.cpp holds the same number."""

if TYPE_CHECKING:
    native: Any
native = _native

NUMPY = "numpy"
BY_PERMUTATION = "avx512vbmi"
"""The instruction set whose kernels build no rows: they need not be shared by many."""
CHOICE, THREADS = "CIMC_KERNELS", "CIMC_THREADS"


@cache
def available() -> tuple[str, ...]:
    """What can run here, best first; ends with numpy.

    Raises:
        ToolMissing: the compiled module is of another version of the sources.
    """
    if native is not None and getattr(native, "INTERFACE", 1) != INTERFACE:
        raise ToolMissing(
            f"{native.__file__} was built from other sources; run python -m cimc.kernels.build"
        )
    compiled: list[str] = [] if native is None else native.instruction_sets()
    return (*compiled, NUMPY)


def chosen() -> str:
    """What runs: the choice of the environment, else the best.

    Raises:
        InvalidInput: the environment names something unknown.
        ToolMissing: it names something that cannot run here.
    """
    wanted = os.environ.get(CHOICE)
    if not wanted:
        return available()[0]
    if wanted in available():
        return wanted
    known = ("avx512vbmi", "avx512", "avx2", "neon", "portable", NUMPY)
    if wanted not in known:
        raise InvalidInput(f"{CHOICE}={wanted} is not one of {', '.join(known)}")
    why = "the compiled kernels are not built" if native is None else "this processor has no such"
    raise ToolMissing(f"{CHOICE}={wanted}: {why}; here run {', '.join(available())}")


_own = local()


@contextmanager
def one_thread() -> Generator[None]:
    """What this thread does, it does alone."""
    _own.alone = True
    try:
        yield
    finally:
        _own.alone = False


def threads() -> int:
    """Threads that a product may use.

    Raises:
        InvalidInput: the environment does not give a positive number.
    """
    if getattr(_own, "alone", False):
        return 1
    wanted = os.environ.get(THREADS)
    if not wanted:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if not wanted.isdecimal() or int(wanted) < 1:
        raise InvalidInput(f"{THREADS}={wanted} is not a positive number")
    return int(wanted)


def compiled_plan(plan: RowPlan) -> Any:
    """`plan` as the compiled code takes it."""
    return native.Plan(
        mode=int(plan.mode),
        group=plan.group,
        table=np.ascontiguousarray(plan.chain.table),
        steps=plan.chain.steps,
        sign=plan.sign,
        first=plan.first,
        second=plan.second,
        negative=plan.negative,
        base=plan.base,
        step=plan.step,
        flip=plan.flip,
        products=plan.products,
        halves=plan.halves,
    )


def multiply(
    plan: Any, a: Bytes, w: Bytes, out: NDArray[np.int32] | None = None
) -> NDArray[np.int32]:
    """Sums [M, N] of the products that `plan` gives for bytes `a` [M, K] and `w` [K, N].

    They are put into `out`, if given.
    """
    y = np.empty((a.shape[0], w.shape[1]), np.int32) if out is None else out
    rows = a if a.strides[1] == 1 else np.ascontiguousarray(a)
    columns = w if w.strides[1] == 1 else np.ascontiguousarray(w)
    native.multiply(chosen(), plan, rows, columns, y, threads())
    return y
