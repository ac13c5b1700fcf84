"""What passes need beside the module: target, weights, calibration data, and what they hand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdsl.context import Context
from xdsl.dialects import get_all_dialects

from cimc.dialects.bit import Bit
from cimc.dialects.cim import Cim
from cimc.dialects.nn import Nn
from cimc.passes.plan import Plan
from cimc.targets import Target
from cimc.weights import WeightStore

if TYPE_CHECKING:
    from cimc.cost.cycles import CycleReport
    from cimc.frontend.data import Calibration
    from cimc.passes.choose_plan import Chosen
    from cimc.passes.predict_errors import LayerError
    from cimc.passes.repair import Repaired
    from cimc.passes.schedule_commands import Schedule

UPSTREAM_DIALECTS = ("builtin", "func", "hw", "comb")


class CimContext(Context):
    """An xDSL context with all dialects that cimc uses, and the state of one compilation."""

    def __init__(
        self,
        target: Target,
        weights: WeightStore | None = None,
        calibration: Calibration | None = None,
        plan: Plan | None = None,
    ):
        """A context for `target`; `weights` is the store that blobs of the module refer to.

        Without `calibration` ranges are found on noise, without `plan` all layers are alike.
        """
        super().__init__()
        self.target = target
        self.weights = WeightStore() if weights is None else weights
        self.calibration = calibration
        self.plan = Plan() if plan is None else plan
        self.chosen: Chosen | None = None
        """Set by choose-plan, when it chooses."""
        self.layer_errors: dict[str, LayerError] = {}
        """By ONNX node; filled by predict-errors."""
        self.repaired: Repaired | None = None
        """Set by repair, when it has anything to do."""
        self.schedule: Schedule | None = None
        """Set by cim-schedule."""
        self.cycles: CycleReport | None = None
        """Set by cim-estimate-cycles."""
        upstream = get_all_dialects()
        for name in UPSTREAM_DIALECTS:
            self.register_dialect(name, upstream[name])
        for dialect in (Nn, Cim, Bit):
            self.load_dialect(dialect)

    def scratch(self, target: Target | None = None) -> CimContext:
        """A context to try something in, on `target`; its store takes what this one shall not."""
        return CimContext(target or self.target, self.weights.copy(), self.calibration)

    def sibling(self) -> CimContext:
        """A context for another program of the same model, on the same target and store."""
        return CimContext(self.target, self.weights, self.calibration, self.plan)


def cim_context(ctx: Context) -> CimContext:
    """`ctx` as the context that the passes of cimc run in."""
    assert isinstance(ctx, CimContext), "passes of cimc run in a CimContext"
    return ctx
