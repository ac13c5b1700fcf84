"""Digital multipliers: names with parameters, zeros, gates, and where they are refused."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import StringAttr
from xdsl.utils.exceptions import PassFailedException

from cimc import multipliers
from cimc.api import CompiledModel, compile
from cimc.backend import synthesis
from cimc.cli.main import run
from cimc.diagnostics import InvalidInput
from cimc.dialects.nn import WeightedOp
from cimc.interp import nn
from cimc.passes.plan import Plan

DIGITAL = [n for n in multipliers.accepted_names() if "daism" not in multipliers.get(n).arrays]
NOT_ZERO = {"openacm-momeni", "openacm-sabetz"} | {f"trunc-c{c}-k" for c in range(4, 9)}


def error_of(name: str) -> str:
    with pytest.raises(InvalidInput) as error:
        multipliers.get(name).module(8, 8)
    return str(error.value)


@pytest.mark.parametrize(
    "name", ["drum-k9", "mitchell-w12-tr", "tosam-h4-t6", "ssm-k2", "openacm-ha-s5", "bam-h3-v2"]
)
def test_parameters_beyond_the_listed_ones(name: str) -> None:
    multiplier = multipliers.get(name)
    assert multiplier.name == name
    assert multiplier is multipliers.get(name)
    assert name not in multipliers.accepted_names()


@pytest.mark.parametrize(
    "name", ["drum-k1", "drum-k17", "drum-k04", "mitchell-w0", "ssm-k0", "trunc-c32", "openacm-t9"]
)
def test_parameters_out_of_range(name: str) -> None:
    assert error_of(name).startswith(f"unknown multiplier '{name}'; did you mean '")


def test_parameters_that_do_not_go_together() -> None:
    assert error_of("tosam-h3-t3") == "multiplier 'tosam-h3-t3': H = 3 must be less than T = 3"
    assert error_of("openacm-t1234") == (
        "multiplier 'openacm-t1234': 8 x 8 bits have 9 compressors below column 8, the name gives "
        "4; give one digit for each"
    )


def test_families_name_their_parameters() -> None:
    assert {"drum-kK", "tosam-hH-tT", "ssm-kK"} <= set(multipliers.families())


@pytest.mark.parametrize("name", DIGITAL)
def test_zero_times_anything_is_zero_or_refused(name: str) -> None:
    table = multipliers.get(name).table(8, 8)
    keeps = not table[0].any() and not table[:, 0].any()
    assert keeps == (name not in NOT_ZERO)
    if keeps:
        multipliers.get(name).check_zero()
    else:
        with pytest.raises(InvalidInput, match="cannot run a network: "):
            multipliers.get(name).check_zero()


def test_the_message_names_a_product() -> None:
    with pytest.raises(InvalidInput) as error:
        multipliers.get("trunc-c6-k").check_zero()
    assert str(error.value) == (
        "multiplier 'trunc-c6-k' cannot run a network: 0 x 0 = 80, so every zero would add to its "
        "sum; choose another one"
    )


def test_a_table_too_large() -> None:
    multiplier = multipliers.get("drum-k4")
    with pytest.raises(InvalidInput, match="a table of 12 x 11 bits is too large"):
        multiplier.table(12, 11)
    with pytest.raises(InvalidInput, match=r"stored_bits=17 is not in \[1, 16\]"):
        multiplier.table(17, 2)


def test_errors_of_wide_operands_come_from_random_pairs() -> None:
    stats = multipliers.get("drum-k4").error_stats(16, 16)
    assert stats == multipliers.get("drum-k4").error_stats(16, 16)
    assert 5.8 < stats.mred_percent < 6.1
    assert multipliers.get("exact-array").error_stats(12, 11).error_rate_percent == 0


def test_gates() -> None:
    gates = {name: multipliers.get(name).gates(8, 8) for name in (*DIGITAL, "exact")}
    assert gates["exact"] is None  # its products come from stored rows
    assert multipliers.get("exact-array").gates(1, 1) == 1
    # 4 partial products, then an adder of 4 bits.
    assert multipliers.get("exact-dadda").gates(2, 2) == 4 + 5 * 4
    assert gates["trunc-c8"] < gates["trunc-c4"] < gates["exact-dadda"] < gates["openacm-log"]
    assert gates["drum-k3"] < gates["drum-k7"]


def test_target_daism_refuses_them(models: Path) -> None:
    with pytest.raises(PassFailedException) as error:
        compile(models / "lenet.onnx", multiplier="drum-k6")
    message = str(error.value)
    assert "\n" not in message
    assert message.endswith(
        "cim.conv: multiplier 'drum-k6' needs target dcim: target 'daism' ORs stored rows; choose "
        "'exact' or a daism multiplier"
    )


def test_a_network_refuses_one_that_does_not_keep_zeros(models: Path) -> None:
    with pytest.raises(InvalidInput, match="multiplier 'openacm-sabetz' cannot run a network"):
        compile(models / "lenet.onnx", multiplier="openacm-sabetz")


def test_a_plan_may_name_any() -> None:
    plan = Plan.from_json({"layers": [{"node": "a", "multiplier": "tosam-h2-t6"}]})
    assert plan.layer("a").multiplier == "tosam-h2-t6"
    with pytest.raises(InvalidInput, match="p: layer 'a': unknown multiplier 'drum'"):
        Plan.from_json({"layers": [{"node": "a", "multiplier": "drum"}]}, "p")


def test_the_interpreter_runs_them(lenet: CompiledModel) -> None:
    calibration = lenet.compilation.ctx.calibration
    assert calibration is not None
    images = {name: array[:4] for name, array in calibration.arrays.items()}
    outputs = {}
    for name in ("exact", "exact-dadda", "drum-k6", "drum-k3"):
        module = lenet.compilation.quantised.clone()
        for op in module.walk():
            if isinstance(op, WeightedOp):
                op.multiplier = StringAttr(name)
        run = nn.run(module, lenet.compilation.ctx.weights, images)
        (outputs[name],) = run.outputs.values()
    np.testing.assert_array_equal(outputs["exact"], outputs["exact-dadda"])
    errors = [np.square(outputs[n] - outputs["exact"]).mean() for n in ("drum-k6", "drum-k3")]
    assert 0 < errors[0] < errors[1]


def test_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "errors.png"
    assert run(["multipliers", "drum-k3", "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert run(["multipliers", "drum-k3", "--plot", str(tmp_path / "errors.xyz")]) == 1
    assert "cannot write the picture: Format 'xyz' is not supported" in capsys.readouterr().err
    assert run(["multipliers", "drum-k3", "drum-k4", "--plot", str(picture)]) == 2


def test_plot_without_matplotlib(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run(["multipliers", "drum-k3", "--plot", "x.png"]) == 1
    message = "error: drawing needs matplotlib; pip install 'cimc[plot]'\n"
    assert capsys.readouterr().err.endswith(message)


@pytest.mark.tools
def test_cells(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("yosys"):
        assert run(["multipliers", "--cells", "trunc-c8", "exact-dadda"]) == 0
        rows = re.findall(r"^\S+ +- +- +(\d+) +(\d+) ", capsys.readouterr().out, re.MULTILINE)
        (_, small), (_, large) = rows
        assert 30 < int(small) < int(large)
    monkeypatch.setattr(synthesis, "which", lambda tool: None)
    assert run(["multipliers", "--cells", "trunc-c8"]) == 1
    assert capsys.readouterr().err.endswith("counting cells needs yosys; apt install yosys\n")
