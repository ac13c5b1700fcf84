"""Networks with operations on the host: in the middle, at both ends, and beside the machine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from small_onnx import model, node, onnxruntime_result, save

from cimc.api import CompiledModel, compile
from cimc.backend.terminal_table import report_text
from cimc.diagnostics import InvalidInput, VerifyFailed

RNG = np.random.default_rng(3)
WEIGHTS = {
    "w": RNG.normal(0, 0.2, (6, 3, 3, 3)).astype(np.float32),
    "a": RNG.normal(0, 1, (12, 6)).astype(np.float32),
    "b": RNG.normal(0, 1, (12, 12)).astype(np.float32),
}
X = RNG.normal(0, 1, (5, 3, 8, 8)).astype(np.float32)


def attention(folder: Path) -> Path:
    """Codes of the first part are read by the host and, past it, by the second part."""
    nodes = [
        node("Conv", ["x", "w"], "c"),
        node("GlobalAveragePool", ["c"], "g"),
        node("Flatten", ["g"], "f"),
        node("Gemm", ["f", "a"], "m", transB=1),
        node("Softmax", ["m"], "s"),
        node("Gemm", ["s", "b"], "n", transB=1),
        node("Add", ["n", "m"], "y"),
    ]
    return save(model(nodes, WEIGHTS), folder, "attention.onnx")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CompiledModel:
    path = attention(tmp_path_factory.mktemp("host"))
    return compile(path, calibration={"x": X}, multiplier="exact", verify_each=True)


def test_parts_run_in_turn_and_agree_with_onnxruntime(compiled: CompiledModel) -> None:
    kinds = [type(part).__name__ for part in compiled.network.parts]
    assert kinds == ["Compilation", "HostPart", "Compilation"]
    (found,) = compiled.run(None, {"x": X})
    truth = onnxruntime_result(compiled.network.model.path, {"x": X})
    assert found.shape == truth.shape
    assert np.abs(found - truth).max() < 0.05 * np.abs(truth).max()
    assert (found[0] != found[1]).any(), "two inputs must give two outputs"


def test_all_levels_of_all_programs_are_verified(compiled: CompiledModel) -> None:
    report = compiled.verify(inputs={"x": X}, images=2)
    assert report["errors"]["implementation"]["differing_bytes"] == 0
    assert report["errors"]["quantisation"]["sqnr_db"] > 25
    (host,) = report["host"]
    assert host["operators"] == ["Softmax"]
    assert (host["input_bytes"], host["output_bytes"]) == (48, 48)
    layers = sum(len(program.image.regions) for program in compiled.network.programs)
    assert len(report["layers"]) == layers
    first = compiled.network.programs[0]
    assert host["after_layers"] == len(first.image.regions)
    assert report["cycles"]["estimated"] > first.cycles.total


def test_a_difference_behind_the_host_is_found(
    compiled: CompiledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cimc.sim import verify as module

    programs = compiled.network.programs
    original = module.cim_codes

    def off_by_one(part: object, values: object) -> object:
        tensors = original(part, values)  # type: ignore[arg-type]
        if part is programs[1]:
            last = list(tensors)[-1]
            tensors[last] = tensors[last] + 1
        return tensors

    monkeypatch.setattr(module, "cim_codes", off_by_one)
    with pytest.raises(VerifyFailed, match="y_Add"):
        compiled.verify(inputs={"x": X}, images=1)


def test_each_part_has_a_folder(compiled: CompiledModel, tmp_path: Path) -> None:
    compiled.verify(inputs={"x": X}, images=1)
    compiled.save(tmp_path / "out")
    index = json.loads((tmp_path / "out" / "parts.json").read_text())
    assert [part["folder"] for part in index["parts"]] == ["0-machine", "1-host", "2-machine"]
    assert set(index["parts"][2]["inputs"]) == {*index["parts"][1]["outputs"], "m_Gemm"}
    for folder in ("0-machine", "2-machine"):
        names = {path.name for path in (tmp_path / "out" / folder).iterdir()}
        assert {"dram.bin", "program.bin", "cim.mlir", "cosim", "rtl"} <= names
    assert (tmp_path / "out" / "1-host" / "nn.mlir").is_file()
    assert (tmp_path / "out" / "nn-quantised.mlir").is_file()


def test_stages_show_every_program(compiled: CompiledModel) -> None:
    assert compiled.ir("cim").count("// -----") == 1
    assert compiled.ir("microcode").count("END") >= 2
    with pytest.raises(InvalidInput, match="3 parts"):
        _ = compiled.compilation


def test_the_table_says_what_runs_on_the_host(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], "c"),
        node("GlobalAveragePool", ["c"], "g"),
        node("Flatten", ["g"], "f"),
        node("Softmax", ["f"], "y"),
    ]
    compiled = compile(save(model(nodes, {"w": WEIGHTS["w"]}), tmp_path))
    text = report_text(compiled.report)
    assert "operator Softmax has no unit on the machine; 24 bytes to the host, 24 back" in text


def test_codes_between_host_nodes_saturate(tmp_path: Path) -> None:
    nodes = [
        node("LRN", ["x"], "l", size=3),
        node("QuantizeLinear", ["l", "s", "z"], "q"),
        node("DequantizeLinear", ["q", "s", "z"], "d"),
        node("LRN", ["d"], "y", size=3),
    ]
    path = save(model(nodes, {"s": np.float32(0.02), "z": np.int8(100)}), tmp_path)
    compiled = compile(path, calibration={"x": X})
    (found,) = compiled.run(None, {"x": X})
    truth = onnxruntime_result(path, {"x": X})
    assert (np.abs(truth - onnxruntime_result_without_codes(tmp_path)) > 0.5).any()
    np.testing.assert_allclose(found, truth, atol=1e-5)


def onnxruntime_result_without_codes(folder: Path) -> NDArray[np.float32]:
    """Two normalisations, as if nothing lay between them."""
    nodes = [node("LRN", ["x"], "l", size=3), node("LRN", ["l"], "y", size=3)]
    return onnxruntime_result(save(model(nodes), folder, "floats.onnx"), {"x": X})


def test_missing_and_unknown_inputs(compiled: CompiledModel) -> None:
    with pytest.raises(InvalidInput, match=r"the model's inputs are \['x'\], given were"):
        compiled.run(None, {"z": X})
