"""Liberty abstract of a memory macro: pins, timing arcs to the clock, energy and leakage."""

from __future__ import annotations

from cimc.backend.openroad import estimate as figures
from cimc.backend.openroad.macros import READ_ENABLE, WRITE_ENABLE, Macro
from cimc.backend.openroad.templates import header, render


def liberty(macro: Macro, target: str) -> str:
    """The Liberty file of `macro`: one typical corner (1.1 V, 25 degrees), units ns, fF, nW, fJ.

    Output delay at full load is the access time plus half of the output transition.
    """
    size = figures.estimate(macro)
    return render(
        "macro.lib.j2",
        header=header(target),
        macro=macro,
        size=size,
        e=figures,
        read_enable=READ_ENABLE,
        write_enable=WRITE_ENABLE,
        loaded_ns=round(size.access_ns + figures.SLEW_NS[1] / 2, 3),
        bus_widths=sorted({p.width for p in macro.ports if p.width is not None}),
    )
