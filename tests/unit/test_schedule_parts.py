"""Allocation, reduction steps and tokens, each alone."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects import test as test_dialect
from xdsl.dialects.builtin import IntegerType, Signedness, StringAttr, i32

from cimc import targets
from cimc.dialects.cim import ActType, BlobAttr, ConvOp
from cimc.dialects.nn import int_array, int_attr
from cimc.passes.allocate import Interval, first_fit
from cimc.passes.reduction import (
    output_groups,
    packed_weights,
    pixel_counts,
    reduction_steps,
)
from cimc.passes.schedule.commands import Step, make_step
from cimc.passes.schedule.tokens import insert_tokens
from cimc.passes.schedule.views import wrap_stride
from cimc.passes.strips import rows_of_strip
from cimc.targets.isa import Opcode, Unit

UI8 = IntegerType(8, Signedness.UNSIGNED)


def conv_op(
    shape, kernel, outputs, *, pads=(0, 0, 0, 0), dilations=(1, 1), group=1, weight_zero=0
) -> ConvOp:
    """A cim.conv on an h x w x c map with stride 1."""
    h, w, c = shape
    (kh, kw), (dh, dw) = kernel, dilations
    x = test_dialect.TestOp(result_types=[ActType.of(shape, UI8, 0, pads)]).results[0]
    oh = h + pads[0] + pads[2] - (kh - 1) * dh
    ow = w + pads[1] + pads[3] - (kw - 1) * dw
    vector = BlobAttr.of("v", (outputs,), i32)
    numbers = {
        "low": 0,
        "high": 255,
        "weight_zero": weight_zero,
        "weight_bits": 8,
        "activation_bits": 8,
    }
    numbers |= {"stored_bits": 7, "broadcast_bits": 8, "group": group}
    op = ConvOp(
        x,
        ActType.of((oh, ow, outputs), UI8, 0, (0, 0, 0, 0)),
        {
            "weights": BlobAttr.of("w", (outputs, kh, kw, c // group), IntegerType(8)),
            "bias": vector,
            "requant_m": vector,
            "requant_s": vector,
            "kernel": int_array(kernel),
            "strides": int_array((1, 1)),
            "pads": int_array(pads),
            "dilations": int_array(dilations),
            "multiplier": StringAttr("daism-pc3"),
            "source_op": StringAttr("Conv"),
            **{name: int_attr(value) for name, value in numbers.items()},
        },
    )
    op.verify()
    return op


@pytest.mark.parametrize(
    ("shape", "kernel", "kwargs", "steps"),
    [
        ((9, 9, 3), (7, 7), {"pads": (3, 3, 3, 3)}, 7 * 3),  # 21 bytes a kernel row: 3 reads
        ((8, 8, 64), (3, 3), {"pads": (1, 1, 1, 1)}, 72),
        ((5, 5, 16), (5, 5), {}, 50),  # the window is the map: one run
        ((5, 5, 3), (5, 5), {}, 10),  # 75 bytes in one run, not 5 rows of 2 reads
        ((8, 8, 16), (3, 3), {"dilations": (2, 2)}, 18),
        ((8, 8, 32), (3, 3), {"group": 4}, 9),
        ((8, 8, 32), (3, 3), {"group": 32}, 9),  # 8 channels are packed
        ((8, 8, 24), (3, 3), {"group": 8}, 3 * 9),  # 8 groups of 3 channels
        ((8, 8, 4), (3, 3), {"group": 4}, 3 * 2),  # all channels: 12 bytes a kernel row
    ],
)
def test_reduction_covers_each_tap_once(shape, kernel, kwargs, steps):
    """Every weight meets exactly one byte, the byte at its own place in the map."""
    op = conv_op(shape, kernel, math.lcm(32, kwargs.get("group", 1)), **kwargs)
    x = op.x.type
    assert isinstance(x, ActType)
    channels = shape[2] // op.group.value.data
    for group in output_groups(op, targets.get("daism").geometry):
        found = reduction_steps(op, 8, group)
        assert len(found) == steps
        span = group.groups * channels
        seen = {}
        for offset, taps in zip(found.offsets, found.taps, strict=True):
            seen |= {int(t): int(offset) + c for c, t in enumerate(taps) if t >= 0}
        dh, dw = op.dilations.get_values()
        expected = {
            (ky * kernel[1] + kx) * span + c: ky * dh * x.pitch
            + kx * dw * shape[2]
            + group.group * channels
            + c
            for ky in range(kernel[0])
            for kx in range(kernel[1])
            for c in range(span)
        }
        assert seen == expected


def test_output_groups_stay_in_their_conv_group():
    op = conv_op((4, 4, 6), (1, 1), 150, group=2)
    groups = output_groups(op, targets.get("daism").geometry)
    assert [(g.group, g.groups, g.first, g.count) for g in groups] == [
        (0, 1, 0, 64),
        (0, 1, 64, 11),
        (1, 1, 75, 64),
        (1, 1, 139, 11),
    ]


def test_small_groups_share_their_steps():
    """Eleven groups of one channel: two runs of at most 8, the same steps for both."""
    op = conv_op((4, 4, 11), (2, 2), 22, group=11, dilations=(2, 2))
    groups = output_groups(op, targets.get("daism").geometry)
    found = [(g.group, g.groups, g.first, g.count) for g in groups]
    assert found == [(0, 6, 0, 12), (6, 6, 12, 10)]


def test_packed_weights_are_zero_off_the_diagonal():
    op = conv_op((4, 4, 4), (1, 2), 4, group=2, weight_zero=3)
    (outputs,) = output_groups(op, targets.get("daism").geometry)
    found = packed_weights(op, outputs, np.arange(10, 26).reshape(4, 4))
    assert found.tolist() == [
        [10, 11, 3, 3, 12, 13, 3, 3],
        [14, 15, 3, 3, 16, 17, 3, 3],
        [3, 3, 18, 19, 3, 3, 20, 21],
        [3, 3, 22, 23, 3, 3, 24, 25],
    ]


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 20), st.integers(0, 6)), min_size=1))
def test_first_fit_never_overlaps(requests):
    intervals = [Interval(size, start, start + length) for size, start, length in requests]
    found = first_fit(intervals, 4096, 32)
    if found is None:
        return
    for i, a in enumerate(intervals):
        assert found[i] % 32 == 0
        assert found[i] + a.size <= 4096
        for j in range(i):
            b = intervals[j]
            apart = found[i] + a.size <= found[j] or found[j] + b.size <= found[i]
            assert apart or a.end < b.start or b.end < a.start


def test_first_fit_says_when_it_cannot():
    assert first_fit([Interval(3000, 0, 1), Interval(2000, 1, 2)], 4096, 32) is None
    assert first_fit([Interval(3000, 0, 1), Interval(2000, 2, 3)], 4096, 32) == [0, 0]


@given(st.integers(1, 300), st.integers(1, 40))
def test_strips_cover_the_rows(height, strips):
    found = rows_of_strip(height, strips)
    assert [row for rows in found for row in rows] == list(range(height))


@given(st.integers(-(1 << 22), 1 << 22))
def test_wrapped_stride_is_congruent(stride):
    wrapped = wrap_stride(stride)
    assert -(1 << 19) <= wrapped < 1 << 19
    assert (wrapped - stride) % (1 << 20) == 0


OPCODES = [Opcode.LOAD_WEIGHTS, Opcode.ARRAY, Opcode.VECTOR]
resources = st.sets(st.sampled_from(["activations", "half0", "half1"]))
step_lists = st.lists(st.tuples(st.sampled_from(OPCODES), resources), min_size=1, max_size=40)


def run_units(steps: list[Step], pick) -> list[int]:
    """Execute with tokens, taking any ready unit; the order in which steps ran."""
    tokens = {(a, b): 0 for a in Unit for b in Unit}
    queues = {u: [i for i, s in enumerate(steps) if s.command.unit == u] for u in Unit}
    order = []
    while any(queues.values()):
        ready = [
            u
            for u, queue in queues.items()
            if queue
            and all(tokens[v, u] > 0 for v in Unit if steps[queue[0]].command["wait"] >> v & 1)
        ]
        assert ready, "deadlock"
        unit = pick(ready)
        index = queues[unit].pop(0)
        order.append(index)
        for other in Unit:
            tokens[other, unit] -= steps[index].command["wait"] >> other & 1
            tokens[unit, other] += steps[index].command["signal"] >> other & 1
    assert not any(tokens.values()), "every token given is taken"
    return order


@given(step_lists, st.data())
def test_tokens_keep_program_order_of_shared_resources(wanted, data):
    steps = [make_step(op, {}, set(uses), data=False, comment="") for op, uses in wanted]
    insert_tokens(steps)
    order = run_units(steps, lambda ready: data.draw(st.sampled_from(ready)))
    position = {index: at for at, index in enumerate(order)}
    for i, step in enumerate(steps):
        for j in range(i):
            if step.resources & steps[j].resources:
                assert position[j] < position[i]


def test_without_tokens_the_order_breaks():
    """The checker above can fail: units that do not wait run ahead."""
    steps = [
        make_step(op, {}, {"half0"}, data=False, comment="")
        for op in (Opcode.LOAD_WEIGHTS, Opcode.ARRAY)
    ]
    assert run_units(steps, lambda ready: ready[-1]) == [1, 0]


def test_tile_sizes_differ_by_one():
    from cimc.passes.tile import _equal_parts

    for total in range(1, 80):
        parts = _equal_parts(total, 21)
        assert sum(parts) == total
        assert max(parts) <= 21
        assert all(a - b in (0, 1) for a, b in pairwise(parts))
        assert np.ptp(parts) <= 1


@pytest.mark.parametrize("pixels", [1, 2, 3])
def test_pixels_together_read_the_union_of_their_windows(pixels: int) -> None:
    """Lane p * K + k has the weights of output k at the bytes of pixel p, and zeros elsewhere."""
    op = conv_op((4, 8, 3), (3, 3), 2, weight_zero=9)  # six pixels a line
    (group,) = output_groups(op, targets.get("daism").geometry)
    weights = np.arange(2 * 27).reshape(2, 27) + 10
    steps = reduction_steps(op, 8, group, pixels)
    lanes = packed_weights(op, group, weights, pixels)
    assert lanes.shape[0] == 2 * pixels
    found = np.full((2 * pixels, 4 * 24), 9)
    for offset, taps in zip(steps.offsets, steps.taps, strict=True):
        for c, tap in enumerate(taps):
            if tap >= 0:
                found[:, offset + c] = lanes[:, tap]
    expected = np.full((2 * pixels, 4, 8, 3), 9)
    for p in range(pixels):
        expected[2 * p : 2 * p + 2, :3, p : p + 3] = weights.reshape(2, 3, 3, 3)
    np.testing.assert_array_equal(found, expected.reshape(2 * pixels, -1))
    assert pixel_counts(op, 6) == [1, 2, 3]


def test_grouped_and_dilated_convolutions_compute_one_pixel_at_a_time() -> None:
    assert pixel_counts(conv_op((4, 8, 4), (3, 3), 2, group=2), 64) == [1]
    assert pixel_counts(conv_op((8, 8, 4), (3, 3), 2, dilations=(1, 2)), 64) == [1]
