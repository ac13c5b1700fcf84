"""What a target is: geometry and timing that every pass, encoder, model and RTL package reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from cimc.diagnostics import CimcError, InvalidInput

MAGNITUDE_BITS = 8
"""Bits of the magnitudes that meet in a product: |weight - zero| and |activation - zero|."""


@dataclass(frozen=True)
class Timing:
    """Fixed delays in clock cycles; docs/machine.md derives each from the RTL pipeline."""

    memory_latency: int = 64
    """Request to data of the memory port."""
    array_latency: int = 8
    """Address of an array step to its sum in the accumulators."""
    requant_latency: int = 4
    """Accumulator read of the post-processor to its byte in the activation buffer."""
    vector_latency: int = 6
    """Last read of a vector command to its last byte in the activation buffer."""


@dataclass(frozen=True)
class Geometry:
    """Sizes of one accelerator; SystemVerilog parameters are generated from it.

    A bank is `bank_rows` physical rows of `lanes` lanes; a lane is `lane_columns` magnitude
    columns and one sign column. `reduction_banks` banks hold different input positions of one
    dot product (Bc), `clusters` groups of them hold further output channels (Bk).
    """

    reduction_banks: int = 8
    clusters: int = 2
    bank_rows: int = 512
    lanes: int = 32
    lane_columns: int = 16
    wordline_window: int = 20
    """Rows that one read can combine: the largest row-group (PC4 of 8 bits has 19)."""
    activation_bytes: int = 1 << 20
    psum_entries: int = 1024
    """Pixels whose 32-bit partial sums of all lanes are kept between reduction tiles."""
    step_entries: int = 512
    vector_taps: int = 256
    """Weight beats that the vector unit keeps for depthwise convolutions."""
    requant_lanes: int = 8
    queue_depth: int = 4
    block_commands: int = 64
    """Commands in one half of the instruction memory: the unit of a microcode fetch."""
    clock_mhz: int = 1000

    def __post_init__(self) -> None:
        """Reject sizes that the command fields or the RTL cannot express.

        Raises:
            CimcError: naming the field and its limit.
        """
        powers = ("bank_rows", "lanes", "activation_bytes", "psum_entries", "step_entries")
        others = ("vector_taps", "requant_lanes", "reduction_banks", "clusters", "block_commands")
        for name in (*powers, *others):
            value = int(getattr(self, name))
            if value < 1 or value & (value - 1):
                raise CimcError(f"geometry: {name}={value} is not a power of two")
        limits = {"bank_rows": 512, "activation_bytes": 1 << 20, "psum_entries": 1024}
        for name, limit in {**limits, "step_entries": 512, "vector_taps": 256}.items():
            if getattr(self, name) > limit:
                raise CimcError(f"geometry: {name}={getattr(self, name)} exceeds {limit}")
        if self.reduction_banks > self.beat_bytes or self.requant_lanes > self.beat_bytes:
            raise CimcError("geometry: reduction_banks and requant_lanes must not exceed lanes")

    @property
    def banks(self) -> int:
        """Banks in the array."""
        return self.reduction_banks * self.clusters

    @property
    def outputs(self) -> int:
        """Output channels computed at once: lanes of all clusters."""
        return self.lanes * self.clusters

    @property
    def beat_bytes(self) -> int:
        """Bytes of one memory beat, of one activation-buffer word and of the vector unit.

        One beat carries the weights of one row-group of one bank, so it equals `lanes`.
        """
        return self.lanes

    @property
    def products_per_cycle(self) -> int:
        """Peak products a cycle, at one read a product."""
        return self.banks * self.lanes


@dataclass(frozen=True)
class BankGroup:
    """Clusters whose lanes have the same multiplier."""

    number: int
    """Field `group` of the commands."""
    first: int
    """Its first cluster."""
    geometry: Geometry
    """Of the machine, with the clusters of this group only."""
    multiplier: str | None
    """What is built into its lanes; None where the stored rows make the products."""


@dataclass(frozen=True)
class Target:
    """A named accelerator."""

    name: str
    description: str
    geometry: Geometry
    default_multiplier: str
    array: str = "daism"
    """What multiplies: ``daism``, rows that are ORed, or ``dcim``, digital logic."""
    timing: Timing = Timing()
    multipliers: tuple[str, ...] = ()
    """Multipliers that are built into the lanes, one a bank group: they belong to the RTL.

    Without any, stored rows make the products and every layer may have its own multiplier.
    """

    def __post_init__(self) -> None:
        """Reject multipliers that the banks cannot be grouped by.

        Raises:
            CimcError: one is there twice, or there are more than clusters.
        """
        count = len(self.multipliers)
        if count > self.geometry.clusters or count > len(set(self.multipliers)):
            raise CimcError(
                f"target '{self.name}': {self.geometry.clusters} clusters cannot have "
                f"multipliers {', '.join(self.multipliers)}"
            )

    @cached_property
    def groups(self) -> tuple[BankGroup, ...]:
        """The bank groups: powers of two of clusters, of which the first have the most."""
        sizes = [self.geometry.clusters]
        while len(sizes) < len(self.multipliers):
            largest = sizes.index(max(sizes))
            sizes[largest : largest + 1] = [sizes[largest] // 2] * 2
        sizes.sort(reverse=True)
        return tuple(
            BankGroup(number, sum(sizes[:number]), replace(self.geometry, clusters=size), name)
            for number, (size, name) in enumerate(
                zip(sizes, self.multipliers or (None,), strict=True)
            )
        )

    def group_of(self, multiplier: str) -> BankGroup:
        """The bank group that computes products of `multiplier`.

        Raises:
            InvalidInput: it is built into none.
        """
        for group in self.groups:
            if group.multiplier in (None, multiplier):
                return group
        raise InvalidInput(
            f"target '{self.name}': no bank group has multiplier '{multiplier}', they have "
            f"{', '.join(self.multipliers)}"
        )

    def built_for(self, multipliers: Sequence[str]) -> Target:
        """This target with a bank group for each of `multipliers`, which are in order of work.

        It stays as it is when it has them all, or when stored rows make the products.

        Raises:
            InvalidInput: there are more multipliers than clusters.
        """
        if not self.multipliers or set(multipliers) <= set(self.multipliers):
            return self
        clusters = self.geometry.clusters
        if len(multipliers) > clusters:
            raise InvalidInput(
                f"target '{self.name}' has {clusters} clusters of banks, each with one multiplier, "
                f"but the layers use {len(multipliers)}: {', '.join(multipliers)}; use at most "
                f"{clusters} in the plan, or a target with more clusters"
            )
        return replace(self, multipliers=tuple(multipliers))
