"""The Python interface: `compile` a model, then `run`, `verify`, `save` or look at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc import targets
from cimc.backend.artifacts import part_folders, systemverilog, write_artifacts
from cimc.backend.compiler import AfterPass, Compilation, Network, Options, compile_network
from cimc.backend.listing import listing
from cimc.backend.output_dir import staged
from cimc.backend.report import build_report
from cimc.diagnostics import InvalidInput, did_you_mean
from cimc.frontend import load
from cimc.frontend.data import load_calibration
from cimc.passes.context import CimContext
from cimc.passes.pipeline import STAGE_AFTER
from cimc.passes.plan import Plan
from cimc.sim.cosim.tools import SimulatorName
from cimc.sim.emulate import emulate_network
from cimc.sim.standalone import CosimCase, write_cosim
from cimc.sim.verify import Level, verify
from cimc.sim.verify_each import MeaningChecker
from cimc.targets import Target

STAGES = (*STAGE_AFTER, "microcode", "sv")
"""What `CompiledModel.ir` and ``--emit`` know."""


def compile(
    model: str | Path,
    target: str | Target = "daism",
    *,
    calibration: str | Path | Mapping[str, NDArray[Any]] | None = None,
    preprocess: str | Path | None = None,
    multiplier: str | None = None,
    exact_front: int = 0,
    repair: str | None = None,
    plan: str | Path | Plan | None = None,
    min_snr: float | None = None,
    target_sqnr: float | None = None,
    choices: Sequence[str] = (),
    bits: Sequence[int] = (),
    minimise: str = "cycles",
    progress: Callable[[str], None] | None = None,
    after_pass: Sequence[AfterPass] = (),
    verify_each: bool = False,
) -> CompiledModel:
    """Compile the ONNX file `model` for `target`.

    Args:
        model: an ONNX file.
        target: a name that `cimc targets` lists, or a Target.
        calibration: arrays by input name, or a .npy or .npz file or a folder of images; without
            it activation ranges come from noise and the report says so.
        preprocess: JSON file that says how images become inputs (default: MODEL.preprocess.json).
        multiplier: one for all layers (default: the target's).
        exact_front: so many layers at the front compute exact products; the plan has precedence.
        repair: how much of the multipliers' error is undone in the integers, from calibration data:
            "none", "gain", "offsets", "channels" or "weights", or single steps with commas between
            them (docs/passes.md). Default: "channels" when multipliers are chosen, else "none".
        plan: precision and multiplier by layer, or the plan.json that holds them.
        min_snr: choose the cheapest multiplier of each layer that the plan leaves open with which
            its sums have this predicted signal to noise, in dB.
        target_sqnr: the same such that the outputs have this one against the float network.
        choices: multipliers to choose from (default: all listed ones that the target can have).
        bits: of weights and activations to choose from as well, 2..8 (default: as they are).
        minimise: what a choice makes small: "cycles", or "exact-macs", multiply-accumulates with
            exact products, then cycles.
        progress: called with a line of text before each step.
        after_pass: each is called with a pass's name and the module behind every pass.
        verify_each: run the interpreter on one input behind every pass, compare with before.

    Raises:
        CimcError: the model, an argument or the data cannot be used; the message says what to do.
    """
    say = progress or silent
    machine = targets.get(target) if isinstance(target, str) else target
    chosen = plan if isinstance(plan, Plan) or plan is None else Plan.read(Path(plan))
    say(f"import {model}")
    imported = load(Path(model))
    data = Path(calibration) if isinstance(calibration, str) else calibration
    how = None if preprocess is None else Path(preprocess)
    given = load_calibration(imported, data, how)
    ctx = CimContext(machine, imported.weights, given, chosen)
    observers = [*after_pass]
    if verify_each:
        one = {name: array[:1] for name, array in given.arrays.items()}
        observers.append(MeaningChecker(ctx.weights, one))
    options = Options(
        multiplier, exact_front, repair, min_snr, target_sqnr, tuple(choices), tuple(bits), minimise
    )
    return CompiledModel(compile_network(imported, ctx, options, observers, say))


def silent(text: str) -> None:
    """Progress that nobody reads."""


class CompiledModel:
    """A network compiled for a target."""

    def __init__(self, network: Network):
        """Wrap what `compile` made."""
        self.network = network
        self.report: dict[str, Any] = build_report(network)
        """The report, schema in docs/report.md; `verify` fills in the errors."""
        self._cosim: list[CosimCase] = []

    @property
    def compilation(self) -> Compilation:
        """The program of a model that runs on the machine as a whole.

        Raises:
            InvalidInput: the model has parts on the host; `network.parts` lists all of them.
        """
        programs = self.network.programs
        if len(self.network.parts) > 1 or not programs:
            raise InvalidInput(f"the model has {len(self.network.parts)} parts, not one program")
        return programs[0]

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return self.network.input_names

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in the order of the model."""
        return list(self.network.outputs)

    def run(
        self, output_names: Sequence[str] | None, inputs: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[np.float32]]:
        """Outputs, bit-true on the machine, as `onnxruntime.InferenceSession.run` returns them.

        `inputs` are preprocessed float arrays [N, ...] by name, for any N.

        Raises:
            InvalidInput: a name does not exist, or an array does not fit.
        """
        for name in output_names or ():
            if name not in self.output_names:
                hint = did_you_mean(name, self.output_names)
                raise InvalidInput(f"the model has no output '{name}'{hint}")
        outputs = emulate_network(self.network, inputs)
        return [outputs[name] for name in output_names or self.output_names]

    def verify(
        self,
        level: Level = "emulate",
        *,
        images: int = 1,
        inputs: Mapping[str, NDArray[Any]] | None = None,
        simulator: SimulatorName = "verilator",
        progress: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """Check that all levels agree on `images` inputs, byte for byte; returns the report.

        `inputs` are preprocessed arrays by name; by default the calibration data.

        Raises:
            VerifyFailed: two levels differ, or the cycle estimate is wrong; it says where.
            ToolMissing: the simulator is not installed.
        """
        say = progress or silent
        found = verify(self.network, self._inputs(inputs, images), level, simulator, say)
        self.report["errors"] = found.errors
        self.report["verification"] = found.verification
        self.report["cycles"]["rtl"] = found.rtl_cycles
        self._cosim = found.cosim
        return self.report

    def _inputs(
        self, inputs: Mapping[str, NDArray[Any]] | None, images: int
    ) -> dict[str, NDArray[Any]]:
        calibration = self.network.ctx.calibration
        assert calibration is not None
        given = calibration.arrays if inputs is None else inputs
        return {name: np.asarray(array)[:images] for name, array in given.items()}

    def ir(self, stage: str) -> str:
        """Text of a stage: one of `STAGES`.

        Raises:
            InvalidInput: there is no such stage.
        """
        if stage in STAGE_AFTER:
            return self.network.text(stage)
        if stage == "microcode":
            programs = self.network.programs
            return "\n".join(listing(program.image.commands) for program in programs)
        if stage == "sv":
            return systemverilog(self.network)
        raise InvalidInput(f"unknown stage '{stage}'{did_you_mean(stage, STAGES)}")

    def save(self, folder: str | Path) -> None:
        """Write the output directory (docs/report.md), whole or not at all.

        Without a `verify` before it there is no ``cosim/``: nothing to compare with.

        Raises:
            InvalidInput: it cannot be written, or holds files that cimc did not write.
        """
        with staged(Path(folder)) as stage:
            write_artifacts(stage, self.network, self.report)
            folders = zip(self.network.parts, part_folders(stage, self.network), strict=True)
            programs = [(p, folder) for p, folder in folders if isinstance(p, Compilation)]
            for (part, folder), case in zip(programs, self._cosim, strict=False):
                write_cosim(folder, part.image, part.cycles, case)
