"""Building blocks that several passes on `nn` use."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Attribute

from cimc.dialects.nn import int_array, int_attr

NO_PADS = (0, 0, 0, 0)


def depthwise_properties(channels: int, pads: Sequence[int] = NO_PADS) -> dict[str, Attribute]:
    """Window of a 1x1 convolution that treats each channel alone."""
    return {
        "kernel": int_array((1, 1)),
        "strides": int_array((1, 1)),
        "pads": int_array(pads),
        "dilations": int_array((1, 1)),
        "group": int_attr(channels),
    }
