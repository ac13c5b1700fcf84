"""Which bank group computes a layer, and how its rows are stored and read there.

Where multipliers are built into the lanes they belong to the target: the first pass that knows the
layers' multipliers gives the target a bank group for each of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np

from cimc.diagnostics import InvalidInput
from cimc.dialects.cim import ConvOp
from cimc.dialects.nn import WeightedOp, shape_of
from cimc.multipliers import Multiplier
from cimc.multipliers import get as get_multiplier
from cimc.multipliers.base import ArrayConfig
from cimc.passes.context import CimContext
from cimc.passes.depthwise import on_vector_unit
from cimc.targets import BankGroup, Target
from cimc.targets.base import MAGNITUDE_BITS

PLAIN_ROW = ArrayConfig(
    broadcast_bits=MAGNITUDE_BITS,
    pc_bits=1,
    first_row=0,
    cut=0,
    rows=1,
    reads=1,
    masks=((1 << MAGNITUDE_BITS) - 1,),
    left_justify=False,
)
"""One row a weight, which the lanes multiply by a whole activation."""


def build_groups(context: CimContext, layers: Iterable[WeightedOp]) -> None:
    """Fit the target's bank groups to the multipliers of `layers`, those with most work first.

    Raises:
        InvalidInput: there are more multipliers than clusters.
    """
    work: dict[str, int] = {}
    for layer in layers:
        assert layer.multiplier is not None
        if not on_vector_unit(layer, context.target.geometry):
            products = prod(shape_of(layer.y)) * prod(layer.weights.shape[1:])
            work[layer.multiplier.data] = work.get(layer.multiplier.data, 0) + products
    names = sorted(work, key=lambda name: -work[name])
    context.target = context.target.built_for(names)


def check_width(multiplier: Multiplier, target: Target) -> None:
    """Check that `multiplier` takes the magnitudes that meet in the lanes of `target`.

    Raises:
        InvalidInput: it is narrower.
    """
    if target.multipliers and multiplier.max_bits < MAGNITUDE_BITS:
        raise InvalidInput(
            f"multiplier '{multiplier.name}' takes magnitudes of {multiplier.max_bits} bits, but "
            f"target '{target.name}' builds multipliers of {MAGNITUDE_BITS}; give a wider one"
        )


def group_of(op: ConvOp, target: Target) -> BankGroup:
    """The bank group that computes `op`."""
    return target.group_of(op.multiplier.data)


def exact_ones(target: Target) -> tuple[BankGroup, ArrayConfig]:
    """A bank group where 1 times any magnitude is that magnitude; how ones are stored and read.

    Raises:
        InvalidInput: no multiplier that is built in is exact for 1.
    """
    magnitudes = np.arange(1 << MAGNITUDE_BITS)
    for group in target.groups:
        if group.multiplier is None:
            exact = get_multiplier("exact")
            return group, exact.array_config(MAGNITUDE_BITS, MAGNITUDE_BITS)
        table = get_multiplier(group.multiplier).table(MAGNITUDE_BITS, MAGNITUDE_BITS)
        if np.array_equal(table[1], magnitudes):
            return group, PLAIN_ROW
    raise InvalidInput(
        f"target '{target.name}': an average over more rows than the buffer holds needs a "
        f"multiplier that is exact for 1, and {', '.join(target.multipliers)} are not; give one "
        "layer an exact multiplier in the plan"
    )


def array_config(op: ConvOp, target: Target) -> ArrayConfig:
    """How the weights of `op` are stored in the banks, and read.

    Raises:
        InvalidInput: the multiplier is not made of stored rows, and none is built in.
    """
    if target.multipliers:
        return PLAIN_ROW
    multiplier = get_multiplier(op.multiplier.data)
    return multiplier.array_config(op.stored_bits.value.data, op.broadcast_bits.value.data)
