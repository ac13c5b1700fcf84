"""What a tiling costs: cycles of the weight loads and of the array passes of a convolution."""

from __future__ import annotations

from collections import Counter
from math import ceil

from cimc.cost.cycles import duration
from cimc.dialects.cim import ConvOp, TilingAttr, act_type
from cimc.passes.bank_groups import array_config, group_of
from cimc.passes.reduction import output_groups
from cimc.targets import Target
from cimc.targets.isa import Command, Opcode
from cimc.targets.packing import step_beats, weight_pace


def tiling_cost(op: ConvOp, tiling: TilingAttr, target: Target) -> tuple[int, int, int]:
    """Cost of `op` cut as `tiling` says, without strips.

    Returns:
        Cycles of the slower of the two units, which overlap; of the faster one; weight beats.
    """
    group, config = group_of(op, target), array_config(op, target)
    geometry = group.geometry
    use, tiles = tiling.use, tiling.tile_steps
    packing = use.packing
    groups = Counter(g.count for g in output_groups(op, geometry, use))
    blocks = _block_shapes(op, tiling)
    loads = arrays = 0
    for number, steps in enumerate(tiles):
        last = number == len(tiles) - 1
        load = {
            "steps": steps,
            "rows": config.rows,
            "pace": weight_pace(geometry, packing, config.rows),
            "has_params": int(last),
            "packing": int(packing),
            "group": group.number,
        }
        one = duration(Command(Opcode.LOAD_WEIGHTS, load), target) + 1
        loads += one * groups.total() * blocks.total()
        for count, times in groups.items():
            lanes = count * use.pixels
            post = ceil(lanes / geometry.requant_lanes) if last else 1
            for (height, width), places in blocks.items():
                values = {
                    "nx": width // use.pixels,
                    "ny": height,
                    "steps": steps,
                    "reads": config.reads,
                    "period": max(steps * config.reads, post),
                    "psum_out": int(not last),
                    "lanes": lanes,
                }
                arrays += (duration(Command(Opcode.ARRAY, values), target) + 1) * times * places
    beats = sum(tiles) * step_beats(geometry, packing) * groups.total() * blocks.total()
    return max(loads, arrays), min(loads, arrays), beats


def _block_shapes(op: ConvOp, tiling: TilingAttr) -> Counter[tuple[int, int]]:
    """How often blocks of each height and width occur in the map."""
    height, width, _ = act_type(op.y).hwc
    down, across = (
        _parts(n, size) for n, size in zip((height, width), tiling.block_hw, strict=True)
    )
    return Counter({(h, w): a * b for h, a in down.items() for w, b in across.items()})


def _parts(total: int, size: int) -> Counter[int]:
    """How often each part occurs in `total` cut into parts of `size` and what is left."""
    parts = Counter({size: total // size})
    parts[total % size] += 1
    return Counter({part: count for part, count in parts.items() if part and count})
