"""Runs the pipeline on one model and keeps what every level looked like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.printer import Printer

from cimc.backend.image import Image, build
from cimc.cost.cycles import CycleReport
from cimc.frontend import ImportedModel
from cimc.passes.context import CimContext
from cimc.passes.pipeline import PASSES, PIPELINE, STAGE_AFTER

AfterPass = Callable[[str, ModuleOp], None]
"""Called with the name of the pass that has just run (``import`` first) and the module."""

IMPORT = "import"
"""Name under which the state before the first pass is observed."""


@dataclass(frozen=True)
class Compilation:
    """A compiled model; modules are in their state behind the named stage."""

    model: ImportedModel
    ctx: CimContext
    quantised: ModuleOp
    """``nn`` level, integers: what the emulator must reproduce."""
    scheduled: ModuleOp
    """``cim`` level with the bit-level modules; `Image.regions` refers to its ops."""
    stages: dict[str, str]
    """Text of every IR stage, with locations."""
    image: Image

    @property
    def cycles(self) -> CycleReport:
        """The exact cycle estimate."""
        assert self.ctx.cycles is not None
        return self.ctx.cycles


def pipeline_until(stage: str, multiplier: str | None) -> list[ModulePass]:
    """The passes that lead to IR `stage`; `multiplier` is the uniform one, or the target's."""
    last = STAGE_AFTER[stage]
    names = PIPELINE[: PIPELINE.index(last) + 1] if last else ()
    options = {"assign-multiplier": {"multiplier": multiplier}}
    return [PASSES[name]()(**options.get(name, {})) for name in names]


def print_module(module: ModuleOp) -> str:
    """Text of `module` with the ONNX node of every op, as `cimc-opt` reads it back."""
    out = StringIO()
    Printer(out, print_debuginfo=True).print_op(module)
    return out.getvalue() + "\n"


def run_passes(
    ctx: CimContext,
    module: ModuleOp,
    passes: Sequence[ModulePass],
    after: Sequence[AfterPass],
    say: Callable[[str], None],
) -> None:
    """Run `passes` on `module` in place; verify it and call each of `after` behind every one.

    `say` is told the name of each pass before it runs.
    """
    for observer in after:
        observer(IMPORT, module)
    for each in passes:
        say(each.name)
        each.apply(ctx, module)
        module.verify()
        for observer in after:
            observer(each.name, module)


def compile_module(
    model: ImportedModel,
    ctx: CimContext,
    multiplier: str | None,
    after: Sequence[AfterPass] = (),
    say: Callable[[str], None] = lambda text: None,
) -> Compilation:
    """Run the whole pipeline; `model.module` is used up.

    Raises:
        CimcError, PassFailedException, VerifyException: as the passes do.
    """
    stage_of = {last or IMPORT: stage for stage, last in STAGE_AFTER.items()}
    stages: dict[str, str] = {}
    kept: dict[str, ModuleOp] = {}

    def keep(name: str, module: ModuleOp) -> None:
        if stage := stage_of.get(name):
            stages[stage] = print_module(module)
            if stage == "nn-quantised":
                kept[stage] = module.clone()

    run_passes(ctx, model.module, pipeline_until("bit", multiplier), [keep, *after], say)
    image = build(ctx, model.module)
    return Compilation(model, ctx, kept["nn-quantised"], model.module, stages, image)
