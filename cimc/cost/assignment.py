"""The cheapest choice for each layer within a budget: an integer program, solved to optimality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import highspy

from cimc.diagnostics import CimcError

EXACT = ("mip_rel_gap", "mip_abs_gap")
"""HiGHS stops only at the optimum."""


@dataclass(frozen=True)
class Candidate:
    """One choice for one layer."""

    name: str
    costs: tuple[float, ...]
    """In order of importance: a later one counts only where those before are equal."""
    noise: float
    """Share of the budget that it uses up."""
    kind: str = ""
    """What it needs in silicon, where that has to be shared."""
    label: int = 0
    """What layers that are tied to each other have in common."""


def assign(
    layers: Sequence[Sequence[Candidate]],
    budget: float | None = None,
    kinds: int | None = None,
    tied: Sequence[Sequence[int]] = (),
) -> list[int] | None:
    """For each layer the index of its candidate; None when none keeps the limits.

    The noise of all adds up to `budget` at most, and there are at most `kinds` different kinds but
    "". Each group of `tied` layers, by index, has candidates of one label. Costs are least, one
    after the other; last the noise.
    """
    if not layers or not all(layers):
        return None if layers else []
    program = _Program(layers)
    if budget is not None:
        program.limit([c.noise / budget for each in layers for c in each], 1.0)
    if kinds is not None:
        program.limit_kinds(layers, kinds)
    for group in tied:
        program.tie(layers, group)
    ranks = len(layers[0][0].costs)
    goals = [[c.costs[rank] for each in layers for c in each] for rank in range(ranks)]
    goals.append([c.noise for each in layers for c in each])
    for goal in goals:
        if not program.minimise(goal):
            return None
    return program.chosen()


class _Program:
    """Binary variables, one for each candidate of each layer, exactly one of a layer being 1."""

    def __init__(self, layers: Sequence[Sequence[Candidate]]):
        self.solver = highspy.Highs()
        self.solver.silent()
        for name in EXACT:
            self.solver.setOptionValue(name, 0.0)
        self.sizes = [len(each) for each in layers]
        self.count = sum(self.sizes)
        self.found: list[float] = []
        self.starts = [sum(self.sizes[:layer]) for layer in range(len(self.sizes))]
        for _ in range(self.count):
            self.solver.addBinary()
        for first, size in zip(self.starts, self.sizes, strict=True):
            own = list(range(first, first + size))
            self.solver.addRow(1.0, 1.0, size, own, [1.0] * size)

    def limit(self, figures: Sequence[float], most: float) -> None:
        """The chosen `figures` add up to `most` at most."""
        used = [i for i, figure in enumerate(figures) if figure]
        values = [float(figures[i]) for i in used]
        self.solver.addRow(-highspy.kHighsInf, most, len(used), used, values)

    def limit_kinds(self, layers: Sequence[Sequence[Candidate]], most: int) -> None:
        """At most `most` kinds have a candidate that is chosen."""
        kinds = [c.kind for each in layers for c in each]
        known = {kind: self.count + i for i, kind in enumerate(sorted(set(kinds) - {""}))}
        for _ in known:
            self.solver.addBinary()
        for first, size in zip(self.starts, self.sizes, strict=True):
            for kind, column in known.items():
                own = [i for i in range(first, first + size) if kinds[i] == kind]
                row = ([*own, column], [1.0] * len(own) + [-1.0])
                self.solver.addRow(-highspy.kHighsInf, 0.0, len(own) + 1, *row)
        used = list(known.values())
        self.solver.addRow(-highspy.kHighsInf, float(most), len(used), used, [1.0] * len(used))

    def tie(self, layers: Sequence[Sequence[Candidate]], group: Sequence[int]) -> None:
        """The layers of `group` choose candidates of the same label: each as the one before."""
        labels = {c.label for layer in group for c in layers[layer]}
        for pair in pairwise(group):
            for label in sorted(labels):
                columns: list[int] = []
                signs: list[float] = []
                for layer, sign in zip(pair, (1.0, -1.0), strict=True):
                    own = [i for i, c in enumerate(layers[layer]) if c.label == label]
                    columns += [self.starts[layer] + i for i in own]
                    signs += [sign] * len(own)
                self.solver.addRow(0.0, 0.0, len(columns), columns, signs)

    def minimise(self, figures: Sequence[float]) -> bool:
        """Make the sum of chosen `figures` least, and keep it so; False when nothing is feasible.

        Figures are scaled to 1 for the solver's tolerances.
        """
        scale = max(map(abs, figures), default=0.0) or 1.0
        for i in range(self.solver.getNumCol()):
            self.solver.changeColCost(i, figures[i] / scale if i < self.count else 0.0)
        status = self.solve()
        if status == highspy.HighsModelStatus.kInfeasible:
            return False
        if status != highspy.HighsModelStatus.kOptimal:
            raise CimcError(f"the assignment of layers failed: HiGHS says {status.name}")
        self.found = list(self.solver.getSolution().col_value)
        best = sum(figures[i] for i in self.taken())
        self.limit([figure / scale for figure in figures], best / scale + 1e-9)
        return True

    def solve(self) -> highspy.HighsModelStatus:
        """Run HiGHS; again without presolving where that led to a point outside of the rows.

        HiGHS 1.15 notices it and calls it a solve error.
        """
        for presolve in ("choose", "off"):
            self.solver.setOptionValue("presolve", presolve)
            self.solver.run()
            if self.solver.getModelStatus() != highspy.HighsModelStatus.kSolveError:
                break
        return self.solver.getModelStatus()

    def taken(self) -> list[int]:
        """Candidates whose variable is 1."""
        return [i for i in range(self.count) if self.found[i] > 0.5]

    def chosen(self) -> list[int]:
        """Of each layer the candidate within it."""
        return [i - start for i, start in zip(self.taken(), self.starts, strict=True)]
