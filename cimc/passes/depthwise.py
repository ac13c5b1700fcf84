"""Which convolutions the vector unit computes: those of each channel by itself.

It multiplies exactly, one tap of a beat of channels a cycle; on the array each lane would meet a
single one of the bytes of a read (docs/depthwise.md).
"""

from __future__ import annotations

from cimc.dialects.nn import ConvOp, WeightedOp, shape_of
from cimc.targets import Geometry

VECTOR_MULTIPLIER = "exact"
"""The vector unit's only multiplier, by its name in plans."""


def suits_vector_unit(op: WeightedOp, geometry: Geometry) -> bool:
    """Whether `op` is depthwise and its kernel fits half of the tap memory.

    The other half is loaded meanwhile.
    """
    if not isinstance(op, ConvOp):
        return False
    group = op.group.value.data
    height, width = op.kernel.get_values()
    depthwise = group > 1 and group == shape_of(op.x)[1] == op.weights.shape[0]
    return depthwise and height * width <= geometry.vector_taps // 2


def on_vector_unit(op: WeightedOp, geometry: Geometry) -> bool:
    """Whether `op`, its multiplier chosen, runs on the vector unit."""
    exact = op.multiplier is not None and op.multiplier.data == VECTOR_MULTIPLIER
    return exact and suits_vector_unit(op, geometry)
