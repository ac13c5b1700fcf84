"""`lower-to-bits`: append the bit-level definition of every multiplier that the module uses.

Before: any ops that carry ``multiplier``, ``stored_bits`` and ``broadcast_bits`` (cim.conv does).
After: the same, and one ``hw.module`` for each distinct triple, sorted by name. Runs twice as once.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr
from xdsl.dialects.hw import HWModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from cimc import multipliers
from cimc.diagnostics import CimcError, fuse_locs, pass_fail

Key = tuple[str, int, int]
"""Multiplier, stored bits, broadcast bits."""


@dataclass(frozen=True)
class LowerToBitsPass(ModulePass):
    """Append one `hw.module` for each multiplier and pair of operand widths in use."""

    name = "lower-to-bits"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Append the modules.

        Raises:
            PassFailedException: an op names an unknown multiplier, or lacks a width.
        """
        present = {m.sym_name.data for m in op.body.block.ops if isinstance(m, HWModuleOp)}
        users: dict[Key, list[Operation]] = {}
        for user in op.walk():
            name = user.get_attr_or_prop("multiplier")
            if isinstance(name, StringAttr):
                key = (name.data, _width(user, "stored_bits"), _width(user, "broadcast_bits"))
                users.setdefault(key, []).append(user)
        found = (_definition(key, layers) for key, layers in users.items())
        modules = {module.sym_name.data: module for module in found}
        for name in sorted(modules.keys() - present):
            op.body.block.add_op(modules[name])


def _definition(key: Key, users: list[Operation]) -> HWModuleOp:
    """The module that `users` multiply with."""
    name, stored_bits, broadcast_bits = key
    try:
        module = multipliers.get(name).module(stored_bits, broadcast_bits)
    except CimcError as error:
        raise pass_fail(users[0], str(error)) from error
    module.location = fuse_locs(*users)
    return module


def _width(op: Operation, name: str) -> int:
    bits = op.get_attr_or_prop(name)
    if not isinstance(bits, IntegerAttr):
        raise pass_fail(op, f"has a multiplier but no integer {name}; run nn-to-cim first")
    return bits.value.data
