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
        users: dict[str, list[Operation]] = {}
        modules: dict[str, HWModuleOp] = {}
        for user in op.walk():
            if (module := _definition(user)) is not None:
                modules.setdefault(module.sym_name.data, module)
                users.setdefault(module.sym_name.data, []).append(user)
        for name in sorted(modules.keys() - present):
            modules[name].location = fuse_locs(*users[name])
            op.body.block.add_op(modules[name])


def _definition(op: Operation) -> HWModuleOp | None:
    """The module that `op` multiplies with; None when it carries no multiplier."""
    name = op.get_attr_or_prop("multiplier")
    if not isinstance(name, StringAttr):
        return None
    try:
        multiplier = multipliers.get(name.data)
        return multiplier.module(_width(op, "stored_bits"), _width(op, "broadcast_bits"))
    except CimcError as error:
        raise pass_fail(op, str(error)) from error


def _width(op: Operation, name: str) -> int:
    bits = op.get_attr_or_prop(name)
    if not isinstance(bits, IntegerAttr):
        raise pass_fail(op, f"has a multiplier but no integer {name}; run nn-to-cim first")
    return bits.value.data
