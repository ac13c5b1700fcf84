"""What repair may do: steps, and levels that are the first of them."""

from __future__ import annotations

from cimc.diagnostics import InvalidInput, did_you_mean

STEPS = ("gain", "offset", "channel-gain", "upstream", "rounding", "descent")
"""In the order in which they are tried."""
LEVELS = {
    "none": STEPS[:0],
    "gain": STEPS[:1],
    "offsets": STEPS[:2],
    "channels": STEPS[:4],
    "weights": STEPS,
}


def steps_of(repair: str) -> tuple[str, ...]:
    """Steps of level `repair`, or those that it names with commas between them, in their order.

    Raises:
        InvalidInput: an unknown level or step.
    """
    if repair in LEVELS:
        return LEVELS[repair]
    named = [name.strip() for name in repair.split(",")]
    for name in named:
        if name not in STEPS:
            raise InvalidInput(
                f"repair: '{name}' is neither a level ({', '.join(LEVELS)}) nor a step "
                f"({', '.join(STEPS)}){did_you_mean(name, (*LEVELS, *STEPS))}"
            )
    return tuple(step for step in STEPS if step in named)
