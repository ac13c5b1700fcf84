"""Runs the pipeline on one model and keeps what every level looked like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.printer import Printer

from cimc.backend.image import Image, build
from cimc.cost.cycles import CycleReport
from cimc.frontend import ImportedModel
from cimc.interp import nn as nn_level
from cimc.interp.nn import end_names, main_function
from cimc.passes.context import CimContext
from cimc.passes.pipeline import PASSES, PIPELINE, STAGE_AFTER
from cimc.passes.segments import cut
from cimc.weights import WeightStore

Floats = NDArray[Any]

AfterPass = Callable[[str, ModuleOp], None]
"""Called with the name of the pass that has just run (``import`` first) and the module."""

IMPORT = "import"
"""Name under which the state before the first pass is observed."""
CUT = "cut"
"""Name under which each part of a network of several parts is observed, in their order."""
REPAIR = "repair"
"""The pass that changes integers of a quantised network by design."""
REPAIR_OF_CHOICE = "channels"
"""The level with which chosen multipliers are repaired, unless another is wanted."""
QUANTISED = "nn-quantised"
"""The stage behind which a network is cut into parts."""
STAGE_OF = {last or IMPORT: stage for stage, last in STAGE_AFTER.items()}
"""The stage that is complete behind a pass."""


@dataclass(frozen=True)
class Compilation:
    """What runs on the machine without a break: a whole model, or one part of it.

    Modules are in their state behind the named stage.
    """

    model: ImportedModel
    ctx: CimContext
    quantised: ModuleOp
    """``nn`` level, integers: what the emulator must reproduce."""
    scheduled: ModuleOp
    """``cim`` level with the bit-level modules; `Image.regions` refers to its ops."""
    stages: dict[str, str]
    """Text of every IR stage behind quantisation, with locations."""
    image: Image

    @property
    def cycles(self) -> CycleReport:
        """The exact cycle estimate."""
        assert self.ctx.cycles is not None
        return self.ctx.cycles


@dataclass(frozen=True)
class HostPart:
    """What runs on the host between two programs: @main of `quantised`, on floats."""

    quantised: ModuleOp
    weights: WeightStore

    @property
    def operations(self) -> list[Operation]:
        """Its operations in order."""
        return [op for op in main_function(self.quantised).body.block.ops if op.results]

    @property
    def input_names(self) -> list[str]:
        """Tensors it reads."""
        return end_names(main_function(self.quantised), "arg_names")

    def run(self, values: Mapping[str, Floats]) -> dict[str, Floats]:
        """Its results [N, ...] by name from tensors [N, ...] by name."""
        return nn_level.run(self.quantised, self.weights, values).outputs


@dataclass(frozen=True)
class Network:
    """A compiled model: parts that run in order and hand each other float tensors by name."""

    model: ImportedModel
    ctx: CimContext
    """Of the whole model, up to quantisation; the only part's, when there is one."""
    quantised: ModuleOp
    """The whole model, ``nn`` level, integers."""
    unrepaired: ModuleOp
    """The same before repair: with exact products it is what approximation is measured against."""
    stages: dict[str, str]
    """Text of the IR stages up to quantisation, with locations."""
    parts: tuple[Compilation | HostPart, ...]
    outputs: dict[str, str]
    """For each output of the model the tensor that holds it."""

    @property
    def programs(self) -> list[Compilation]:
        """The parts that run on the machine."""
        return [part for part in self.parts if isinstance(part, Compilation)]

    @property
    def host_parts(self) -> list[HostPart]:
        """The parts that run on the host."""
        return [part for part in self.parts if isinstance(part, HostPart)]

    @property
    def input_names(self) -> list[str]:
        """Inputs of the model."""
        return end_names(main_function(self.quantised), "arg_names")

    def text(self, stage: str) -> str:
        """Text of an IR stage; behind quantisation one module for each program."""
        if stage in self.stages:
            return self.stages[stage]
        return "// -----\n\n".join(program.stages[stage] for program in self.programs)


@dataclass(frozen=True)
class Options:
    """What passes are told."""

    multiplier: str | None = None
    """For all layers; the target's own without one."""
    exact_front: int = 0
    """Layers at the front with exact products."""
    repair: str | None = None
    """Level of the pass `repair`; by default it follows a choice, and only that."""
    min_snr: float | None = None
    target_sqnr: float | None = None
    choices: tuple[str, ...] = ()
    bits: tuple[int, ...] = ()
    minimise: str = "cycles"
    """The five of the pass `choose-plan`."""

    @property
    def repair_level(self) -> str:
        """A choice predicts errors behind gain and offsets."""
        chooses = self.min_snr is not None or self.target_sqnr is not None
        return self.repair or (REPAIR_OF_CHOICE if chooses else "none")


def pipeline_until(stage: str, options: Options) -> list[ModulePass]:
    """The passes that lead to IR `stage`."""
    last = STAGE_AFTER[stage]
    names = PIPELINE[: PIPELINE.index(last) + 1] if last else ()
    given = {
        "assign-multiplier": {
            "multiplier": options.multiplier,
            "exact_front": options.exact_front,
        },
        "choose-plan": {
            "min_snr": options.min_snr,
            "target_sqnr": options.target_sqnr,
            "choices": options.choices,
            "bits": options.bits,
            "minimise": options.minimise,
            "repair": options.repair_level,
        },
        REPAIR: {"level": options.repair_level},
    }
    return [PASSES[name]()(**given.get(name, {})) for name in names]


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
    *,
    start: bool = True,
) -> None:
    """Run `passes` on `module` in place; verify it and call each of `after` behind every one.

    `say` is told the name of each pass before it runs; `start` shows the observers the imported
    module first.
    """
    for observer in after if start else ():
        observer(IMPORT, module)
    for each in passes:
        say(each.name)
        each.apply(ctx, module)
        module.verify()
        for observer in after:
            observer(each.name, module)


def compile_network(
    model: ImportedModel,
    ctx: CimContext,
    options: Options,
    after: Sequence[AfterPass] = (),
    say: Callable[[str], None] = lambda text: None,
) -> Network:
    """Run the whole pipeline; `model.module` is used up.

    Raises:
        CimcError, PassFailedException, VerifyException: as the passes do.
    """
    stages: dict[str, str] = {}

    def keep(name: str, module: ModuleOp) -> None:
        if stage := STAGE_OF.get(name):
            stages[stage] = print_module(module)

    *passes, repair = pipeline_until(QUANTISED, options)
    run_passes(ctx, model.module, passes, [keep, *after], say)
    unrepaired = model.module.clone()
    run_passes(ctx, model.module, [repair], [keep, *after], say, start=False)
    quantised = model.module.clone()
    segments = cut(model.module)
    parts: list[Compilation | HostPart] = []
    for segment in segments.parts:
        if len(segments.parts) > 1:
            for observer in after:
                observer(CUT, segment.module)
        if segment.on_host:
            parts.append(HostPart(segment.module, ctx.weights))
            continue
        own = ctx if len(segments.parts) == 1 else ctx.sibling()
        parts.append(compile_segment(model, own, segment.module, options, after, say))
    return Network(model, ctx, quantised, unrepaired, stages, tuple(parts), segments.outputs)


def compile_segment(
    model: ImportedModel,
    ctx: CimContext,
    module: ModuleOp,
    options: Options,
    after: Sequence[AfterPass],
    say: Callable[[str], None],
) -> Compilation:
    """Compile a quantised module that runs on the machine; it is used up."""
    stages: dict[str, str] = {}
    quantised = module.clone()

    def keep(name: str, module: ModuleOp) -> None:
        if (stage := STAGE_OF.get(name)) and name != IMPORT:
            stages[stage] = print_module(module)

    passes = pipeline_until("bit", options)[len(pipeline_until(QUANTISED, options)) :]
    run_passes(ctx, module, passes, [keep, *after], say, start=False)
    return Compilation(model, ctx, quantised, module, stages, build(ctx, module))
