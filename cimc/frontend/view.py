"""Reshapes and transposes that have not happened yet.

Exporters write a channel shuffle as Reshape, Transpose, Reshape, and flatten in many ways. A `View`
collects such steps symbolically; what they amount to is decided when an operator reads the result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.dialects.builtin import LocationAttr
from xdsl.ir import SSAValue


@dataclass(frozen=True)
class Atom:
    """`size` positions of axis `axis` of the base tensor, `stride` apart along that axis."""

    axis: int
    size: int
    stride: int


Layout = tuple[tuple[Atom, ...], ...]
"""For each dimension the atoms that it runs over, outermost first; none for size 1."""


@dataclass(frozen=True)
class View:
    """Tensor `base` in another layout; `steps` are the locations of the nodes that made it so."""

    base: SSAValue[Any]
    layout: Layout
    name: str
    """ONNX name of the result."""
    steps: tuple[LocationAttr, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        return sizes(self.layout)

    def of(self, base: SSAValue[Any], name: str) -> View:
        """The same view of `base`, called `name`."""
        return View(base, self.layout, name, self.steps)


def layout_of(shape: Sequence[int]) -> Layout:
    """The layout of a tensor as it is."""
    return tuple((Atom(i, n, 1),) if n != 1 else () for i, n in enumerate(shape))


def sizes(layout: Layout) -> tuple[int, ...]:
    """Shape of a tensor of `layout`."""
    return tuple(math.prod(atom.size for atom in atoms) for atoms in layout)


def merged(atoms: Sequence[Atom]) -> tuple[Atom, ...]:
    """`atoms` with neighbours joined that are one run of the base axis."""
    result: list[Atom] = []
    for atom in atoms:
        last = result[-1] if result else None
        if last and last.axis == atom.axis and last.stride == atom.size * atom.stride:
            result[-1] = Atom(atom.axis, last.size * atom.size, atom.stride)
        else:
            result.append(atom)
    return tuple(result)


def reshaped(layout: Layout, shape: Sequence[int]) -> Layout | None:
    """`layout` in a new shape of as many elements, not 0; None when an atom has no cut there."""
    rest = [atom for atoms in layout for atom in atoms][::-1]
    result: list[tuple[Atom, ...]] = []
    for wanted in shape:
        taken: list[Atom] = []
        while wanted > 1:
            atom = rest.pop()
            share = math.gcd(wanted, atom.size)
            if share != atom.size:
                if share != wanted:
                    return None
                inner = atom.size // share
                rest.append(Atom(atom.axis, inner, atom.stride))
                atom = Atom(atom.axis, share, atom.stride * inner)
            taken.append(atom)
            wanted //= atom.size
        result.append(merged(taken))
    return tuple(result)


@dataclass(frozen=True)
class Plan:
    """How to make a layout of a tensor: shuffle channels, then flatten, then unflatten."""

    groups: int = 1
    flatten: bool = False
    unflatten: bool = False


def plan(layout: Layout, shape: Sequence[int]) -> Plan | None:
    """The steps from a tensor of `shape` to `layout`; None when there are none such."""
    source, target = layout_of(shape), sizes(layout)
    if layout == source:
        return Plan()
    if len(shape) not in (2, 4) or len(target) not in (2, 4) or layout[0] != source[0]:
        return None
    atoms = merged([atom for dimension in layout[1:] for atom in dimension])
    channels = [atom for atom in atoms if atom.axis == 1]
    if atoms != (*channels, *merged([atom for dimension in source[2:] for atom in dimension])):
        return None
    groups = shuffle_groups(channels, shape[1])
    if groups is None or (groups > 1 and len(shape) != 4):
        return None
    if target == tuple(shape):
        return Plan(groups)
    vector = (shape[0], math.prod(shape[1:]))
    if target not in (vector, (*vector, 1, 1)):
        return None
    return Plan(groups, flatten=len(shape) == 4, unflatten=len(target) == 4)


def shuffle_groups(atoms: Sequence[Atom], channels: int) -> int | None:
    """Groups of the shuffle that puts channels in the order of `atoms`; 1 for none."""
    match atoms:
        case [] | [Atom(stride=1)]:
            return 1
        case [Atom(size=inner, stride=1), Atom(size=groups, stride=step)]:
            return groups if step == inner and inner * groups == channels else None
        case _:
            return None
