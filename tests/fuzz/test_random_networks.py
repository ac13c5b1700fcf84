"""Random networks: interpreters, emulator and RTL agree to the byte, and with onnxruntime."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, Phase, given, reject, seed, settings
from noisy_reference import NoisyReference, rms
from onnx_nodes import session
from random_networks import SMALL, RandomNetwork, networks, tight

from cimc.api import CompiledModel, compile
from cimc.diagnostics import DoesNotFit, UnsupportedModel, VerifyFailed
from cimc.frontend.registry import IMPORTERS
from cimc.interp import nn
from cimc.passes import quantise_vector, schedule_commands
from cimc.sim.cosim.tools import missing_tools
from cimc.sim.verify import Level, exact_twin

ROUNDS = 4
FACTOR = 4.0
"""How much larger than that of the reference the error may be.

Both are of the same formats; how they fall is chance: in an output of one element, one is 4 times
the largest of four others once in 200 cases, of two images and more hardly ever.
"""


def check(network: RandomNetwork, level: Level) -> None:
    """Compile `network`, verify all levels, compare with onnxruntime."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.onnx")
        onnx.save(network.model, path)
        compiled = compile_or_reject(network, path)
        report = compiled.verify(level, images=1 if level == "rtl" else 2)
    assert report["errors"]["implementation"]["differing_bytes"] == 0
    coarse = any(layer.weight_bits for layer in network.plan.layers)
    if network.smooth and not coarse:
        check_floats(network, compiled)


def compile_or_reject(network: RandomNetwork, path: Path) -> CompiledModel:
    """The network, for the smallest buffer that has room, unless an output is an input."""
    try:
        return compile(
            path,
            network.target,
            calibration=network.images,
            multiplier=network.multiplier,
            plan=network.plan,
        )
    except UnsupportedModel as e:
        if "is not computed from the inputs" in str(e):
            reject()
        raise
    except DoesNotFit:
        size = network.target.geometry.activation_bytes
        if size >= SMALL.geometry.activation_bytes:
            raise
        return compile_or_reject(replace(network, target=tight(2 * size)), path)


def check_floats(network: RandomNetwork, compiled: CompiledModel) -> None:
    """The errors of the exact integer network are those of 8 bits."""
    whole = session(network.model.SerializeToString())
    names = [output.name for output in whole.get_outputs()]
    truth = dict(zip(names, whole.run(names, network.images), strict=True))
    store = compiled.network.ctx.weights
    found = nn.run(exact_twin(compiled.network.quantised), store, network.images).outputs
    reference = NoisyReference(network.model, network.images)
    rng = np.random.default_rng(0)
    rounds = [reference.noisy(rng) for _ in range(ROUNDS)]
    for name, exact in truth.items():
        exact = np.asarray(exact)
        assert found[name].shape == exact.shape
        expected = max(rms(each[name] - exact) for each in rounds)
        step = reference.step(name)
        error = rms(found[name] - exact)
        assert error <= FACTOR * expected + step / 2 + 1e-6, (
            f"output {name}: error {error:.3g}, expected about {expected:.3g} (step {step:.3g})"
        )


def run(part: int, count: int, level: Level, *, shrink: bool = True) -> None:
    """Check `count` networks; others for another `part`."""

    @seed(part)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(networks(rtl=level == "rtl"))
    def each(network: RandomNetwork) -> None:
        check(network, level)

    each()


needs_verilator = pytest.mark.skipif(
    bool(missing_tools("verilator")), reason="needs g++, make and perl"
)


def test_some_networks() -> None:
    run(0, 40, "emulate")


@pytest.mark.cosim
@needs_verilator
def test_some_networks_on_rtl() -> None:
    run(0, 5, "rtl")


@pytest.mark.slow
@pytest.mark.parametrize("part", range(1, 21))
def test_two_thousand_networks(part: int) -> None:
    run(part, 100, "emulate")


@pytest.mark.slow
@pytest.mark.cosim
@needs_verilator
@pytest.mark.parametrize("part", range(1, 11))
def test_two_hundred_networks_on_rtl(part: int) -> None:
    run(100 + part, 20, "rtl")


def wrong_halo(patch: pytest.MonkeyPatch) -> None:
    """Cells around a map hold the code next to the right one."""
    right = schedule_commands._halo_value

    def wrong(op: Any, value: Any) -> int | None:
        code = right(op, value)
        return None if code is None else code ^ 1

    patch.setattr(schedule_commands, "_halo_value", wrong)


def row_too_few(patch: pytest.MonkeyPatch) -> None:
    """A strip lacks the last row that it reads."""
    right = schedule_commands.input_rows

    def wrong(*of: Any) -> range:
        rows = right(*of)
        return range(rows.start, max(rows.stop - 1, rows.start + 1))

    patch.setattr(schedule_commands, "input_rows", wrong)


def wrong_import(patch: pytest.MonkeyPatch) -> None:
    """All levels agree on something else than ONNX means."""
    patch.setitem(IMPORTERS, "Sub", IMPORTERS["Add"])


def wrong_scale(patch: pytest.MonkeyPatch) -> None:
    """Averages are a quarter too small: the meaning is right before quantisation only."""
    right = quantise_vector.encode_multiplier
    patch.setattr(quantise_vector, "encode_multiplier", lambda real: right(real * 0.75))


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (wrong_halo, "the cim interpreter"),
        (row_too_few, "the cim interpreter"),
        (wrong_import, "error .* expected about"),
        (wrong_scale, "error .* expected about"),
    ],
)
def test_planted_errors_are_found(
    plant: Callable[[pytest.MonkeyPatch], None], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises((VerifyFailed, AssertionError), match=message):
        run(0, 200, "emulate", shrink=False)
