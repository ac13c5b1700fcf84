"""Errors that users see, and the ONNX locations that every level carries.

    CimcError               exit code 1
      InvalidModel          the file is not a usable ONNX model (truncated, no data, NaN weights)
      UnsupportedModel      valid ONNX, but something in it has no mapping (all listed at once)
      InvalidInput          calibration data, plan or option value of the wrong shape, type or name
      DoesNotFit            a limit of the target is exceeded
      VerifyFailed          two levels that must agree do not
      ToolMissing           a program that the request needs is not installed
    UsageError              exit code 2, the command line itself is wrong

A message reads
``FILE node #INDEX 'NAME' (OP): what, numbers, limit and its origin; remedy``.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from xdsl.dialects.builtin import (
    ArrayAttr,
    FileLineColLoc,
    FusedLoc,
    IntAttr,
    LocationAttr,
    NameLoc,
    NoneAttr,
    StringAttr,
    UnknownLoc,
)
from xdsl.ir import Attribute, Operation
from xdsl.utils.exceptions import PassFailedException, VerifyException


class CimcError(Exception):
    """Base of all errors that are the input's or the machine's fault, not a defect of cimc."""

    exit_code = 1


class InvalidModel(CimcError):
    """The file is not a usable ONNX model."""


class UnsupportedModel(CimcError):
    """A valid model that holds something cimc cannot map; the message lists all of it."""


class InvalidInput(CimcError):
    """Calibration data, a plan or an option value of the wrong shape, type or name."""


class DoesNotFit(CimcError):
    """A limit of the target is exceeded."""


class VerifyFailed(CimcError):
    """Two levels that must agree bit for bit do not."""


class ToolMissing(CimcError):
    """A program that the request needs is not installed."""


class UsageError(CimcError):
    """The command line itself is wrong."""

    exit_code = 2


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for a misspelt `name`, or the sorted list of `known` names."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}"


def onnx_loc(node: str, model: str, index: int) -> LocationAttr:
    """Location of ONNX node number `index` (from 0) called `node` in file `model`."""
    at = FileLineColLoc(StringAttr(model), IntAttr(index), IntAttr(0))
    return NameLoc(StringAttr(node), at)


def _parts(loc: LocationAttr) -> list[LocationAttr]:
    match loc:
        case FusedLoc(locations=ArrayAttr() as fused):
            return [p for each in fused if isinstance(each, LocationAttr) for p in _parts(each)]
        case UnknownLoc():
            return []
        case _:
            return [loc]


def fuse_locs(*ops: Operation) -> LocationAttr:
    """Location of an op that replaces all of `ops` (nested fusions are flattened)."""
    return fused([op.location for op in ops])


def fused(locations: Iterable[LocationAttr]) -> LocationAttr:
    """One location for all of `locations`."""
    parts = list(dict.fromkeys(part for loc in locations for part in _parts(loc)))
    if len(parts) == 1:
        return parts[0]
    return FusedLoc(ArrayAttr(parts), NoneAttr()) if parts else UnknownLoc()


def loc_text(loc: Attribute) -> str:
    """``resnet18.onnx node #3 '/conv1/Conv'``; the parts of a fused location joined by ``+``."""
    match loc:
        case UnknownLoc():
            return "<unknown>"
        case NameLoc(desc=desc, location=FileLineColLoc(filename=f, line=n)):
            return f"{f.data} node #{n.data} '{desc.data}'"
        case FusedLoc(locations=ArrayAttr() as parts):
            return " + ".join(loc_text(part) for part in parts)
        case _:
            return str(loc)


def node_names(loc: Attribute) -> list[str]:
    """Names of the ONNX nodes that a location stands for, in graph order of fusion."""
    match loc:
        case NameLoc(desc=desc):
            return [desc.data]
        case FusedLoc(locations=ArrayAttr() as parts):
            return [name for part in parts for name in node_names(part)]
        case _:
            return []


def where(op: Operation) -> str:
    """``model.onnx node #3 '/fc/Gemm': cim.conv``."""
    return f"{loc_text(op.location)}: {op.name}"


def verify_fail(op: Operation, message: str) -> VerifyException:
    """A verifier's exception that names the ONNX node of `op`."""
    return VerifyException(f"{where(op)}: {message}")


def pass_fail(op: Operation, message: str) -> PassFailedException:
    """A pass's exception that names the ONNX node of `op`."""
    return PassFailedException(f"{where(op)}: {message}")
