"""Networks of real size, whole on the RTL: every tensor of one image, every cycle."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from rtl_comparison import verify_network

from cimc.api import compile
from tests.light_networks import two_images
from tests.simulators import needs_verilator

MODELS = Path(__file__).parents[2] / "models"
sys.path.insert(0, str(MODELS))
try:
    from reweight_light import reweighted
finally:
    sys.path.pop(0)

pytestmark = [pytest.mark.cosim, pytest.mark.slow]


@needs_verilator
@pytest.mark.parametrize("name", ["light_squeezenet", "light_shufflenet", "light_resnet50"])
def test_networks_of_the_onnx_package(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.onnx"
    onnx.save(reweighted(name), path)
    model = onnx.load(path, load_external_data=False)
    compiled = compile(path, calibration={model.graph.input[0].name: two_images()})
    on_host = [op.name for part in compiled.network.host_parts for op in part.operations]
    assert on_host == ["nn.host"], "only Softmax"
    verify_network(compiled.network, 1)


@needs_verilator
def test_efficientnet_lite0(lite0: Path) -> None:
    path = lite0 / "efficientnet_lite0.onnx"
    compiled = compile(path, calibration=lite0 / "photos.npz", multiplier="exact")
    assert not compiled.network.host_parts
    found = verify_network(compiled.network, 1)
    assert np.isfinite(found.errors["quantisation"]["sqnr_db"])
