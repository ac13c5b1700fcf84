"""Refuses networks with parts on the host, which the levels below `nn` do not compile."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp

from cimc.diagnostics import UnsupportedModel, loc_text
from cimc.dialects.nn import HostOp


def check_lowerable(module: ModuleOp) -> None:
    """Check that the machine can run all of `module`.

    Raises:
        UnsupportedModel: naming each part that would run on the host, and why.
    """
    found = [
        f"{loc_text(op.location)}: {op.nodes.data} would run on the host; {op.reason.data}"
        for op in module.walk()
        if isinstance(op, HostOp)
    ]
    if found:
        lines = "".join(f"\n  {line}" for line in found) if len(found) > 1 else f" {found[0]}"
        raise UnsupportedModel(f"{len(found)} parts have no unit on the machine:{lines}")
