"""LEF abstract of a memory macro: outline, pins, supply stripes and obstructions."""

from __future__ import annotations

from dataclasses import dataclass

from cimc.backend.openroad.estimate import PIN_PITCH_UM, ROW_UM, estimate
from cimc.backend.openroad.macros import Macro
from cimc.backend.openroad.templates import header, render

Rect = tuple[float, float, float, float]
"""x low, y low, x high, y high, in micrometres from the lower left corner."""

PIN_UM = 0.07
"""Side of a signal pin: the minimum width of metal3."""
STRIPE_UM = 0.28
STRIPE_PITCH_UM = 5.6
STRIPE_OFFSET_UM = 1.12
"""First supply stripe; the narrowest macro still gets one of each supply."""


@dataclass(frozen=True)
class LefPin:
    """A signal pin: LEF direction and use, and its metal3 rectangle."""

    name: str
    direction: str
    use: str
    rect: Rect


@dataclass(frozen=True)
class Supply:
    """A supply pin: its metal4 stripes from bottom to top of the macro."""

    name: str
    use: str
    rects: list[Rect]


def signal_pins(macro: Macro) -> list[LefPin]:
    """Inputs on the left edge, outputs on the right; each in the middle of a metal3 track.

    The centre is 0.07 um above a multiple of 0.28 um, so pins lie on tracks when the macro is
    placed on rows.
    """
    size = estimate(macro)
    pins: list[LefPin] = []
    for direction, x in (("input", 0.0), ("output", size.width_um - PIN_UM)):
        y = ROW_UM + PIN_UM / 2
        for port in macro.ports:
            if port.direction != direction:
                continue
            use = "CLOCK" if port.role == "clock" else "SIGNAL"
            for name in port.pins:
                pins.append(LefPin(name, direction, use, (x, y, x + PIN_UM, y + PIN_UM)))
                y += PIN_PITCH_UM
    return pins


def supply_pins(macro: Macro) -> list[Supply]:
    """VDD and VSS as alternate vertical stripes, for the platform's metal5 macro grid."""
    size = estimate(macro)
    rects: tuple[list[Rect], list[Rect]] = ([], [])
    x, turn = STRIPE_OFFSET_UM, 0
    pitch = min(STRIPE_PITCH_UM, size.width_um / 2 - STRIPE_OFFSET_UM)
    while x + STRIPE_UM < size.width_um:
        rects[turn].append((x, ROW_UM, x + STRIPE_UM, size.height_um - ROW_UM))
        x, turn = x + pitch, 1 - turn
    return [Supply("VDD", "POWER", rects[0]), Supply("VSS", "GROUND", rects[1])]


def obstructions(macro: Macro) -> list[tuple[str, list[Rect]]]:
    """Everything on metal1 to metal4 but the pins; metal5 and up stay free for routing."""
    size = estimate(macro)
    width, height = size.width_um, size.height_um
    whole: Rect = (0.0, 0.0, width, height)
    inner: Rect = (PIN_UM, 0.0, width - PIN_UM, height)
    stripes = sorted(rect for supply in supply_pins(macro) for rect in supply.rects)
    between: list[Rect] = [(0.0, 0.0, width, ROW_UM), (0.0, height - ROW_UM, width, height)]
    left = 0.0
    for x_low, y_low, x_high, y_high in [*stripes, (width, ROW_UM, width, height - ROW_UM)]:
        between.append((left, y_low, x_low, y_high))
        left = x_high
    return [
        ("metal1", [whole]),
        ("metal2", [whole]),
        ("metal3", [inner]),
        ("metal4", between),
    ]


def lef(macro: Macro, target: str) -> str:
    """The LEF file of `macro`."""
    return render(
        "macro.lef.j2",
        header=header(target),
        macro=macro,
        size=estimate(macro),
        signals=signal_pins(macro),
        supplies=supply_pins(macro),
        obstructions=obstructions(macro),
    )
