"""`cim-estimate-cycles`: exact cycles of every layer, from the schedule."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.passes import ModulePass

from cimc.cost.cycles import estimate
from cimc.diagnostics import pass_fail
from cimc.dialects.cim import InputOp, LayerOp, OutputOp
from cimc.passes.context import cim_context
from cimc.targets.program import assemble_blocks


@dataclass(frozen=True)
class EstimateCyclesPass(ModulePass):
    """Sets `cycles` on every op that the schedule completes, and `CimContext.cycles`.

    The cycles of an op are those from the completion of the one before it to its own.
    """

    name = "cim-estimate-cycles"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        context = cim_context(ctx)
        if context.schedule is None:
            raise pass_fail(op, "cim-schedule must run before cim-estimate-cycles")
        commands = [step.command for step in context.schedule.steps]
        report = estimate(assemble_blocks(commands, context.target), context.target)
        context.cycles = report
        done = {tag: cycle for _, tag, cycle in report.retires}
        previous = 0
        for region in context.schedule.regions:
            made = region.op
            assert isinstance(made, InputOp | OutputOp | LayerOp)
            made.cycles = IntegerAttr(done[region.tag] - previous, i64)
            previous = done[region.tag]
