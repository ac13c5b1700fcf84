"""Compares the RTL with the emulator on a whole network: every tensor, every cycle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from cim_networks import compile_cim
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from cimc.backend.compiler import Compilation, Network
from cimc.backend.image import Image
from cimc.sim.compare import Comparison
from cimc.sim.cosim.tools import SimulatorName
from cimc.sim.emulate import pack_inputs, run_batch
from cimc.sim.verify import Verification, check_rtl, verify
from cimc.weights import WeightStore


def quiet(text: str) -> None:
    """Progress that nobody reads."""


def cim_compilation(
    network: tuple[ModuleOp, WeightStore], target: str, **passes: Any
) -> Compilation:
    """A network of cim_networks, compiled; there is no ONNX file behind it."""
    module, store = network
    ctx, image = compile_cim(module, store, target, **passes)
    return Compilation(cast(Any, None), ctx, module, module, {}, image)


def random_input(image: Image, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """One input [1, C, H, W] of random codes; its scale is 1."""
    port = image.inputs[0]
    h, w, c = port.type.hwc
    codes = np.random.default_rng(seed).integers(port.low, port.high + 1, (1, c, h, w))
    return {port.name: codes - float(port.type.zero_point.data)}


def elements(image: Image) -> int:
    """Elements of all tensors of a network."""
    return sum(math.prod(region.type.hwc) for region in image.regions)


def verify_network(
    network: Network, images: int, simulator: SimulatorName = "verilator"
) -> Verification:
    """Verify `images` calibration inputs on all levels; leaves a shared model's report alone.

    Raises:
        VerifyFailed: as `verify` does.
        AssertionError: something was not compared.
    """
    calibration = network.ctx.calibration
    assert calibration is not None
    inputs = {name: array[:images] for name, array in calibration.arrays.items()}
    found = verify(network, inputs, "rtl", simulator, quiet)
    assert found.errors["implementation"]["differing_bytes"] == 0
    # nn and cim interpreter, cim and emulator, emulator and RTL; few tensors exist in cim only
    compared = found.errors["implementation"]["compared_bytes"]
    assert compared > 2 * images * sum(elements(each.image) for each in network.programs)
    assert found.rtl_cycles == sum(each.cycles.total for each in network.programs)
    return found


def compare_with_rtl(
    compilation: Compilation,
    inputs: Mapping[str, NDArray[Any]],
    *,
    given: Image | None = None,
    simulator: SimulatorName = "verilator",
) -> Comparison:
    """Compare the emulator on the image of `compilation` with the RTL on `given` (else the same).

    Raises:
        VerifyFailed: a byte differs, a command retires in another cycle than estimated, or the
            RTL does not end.
    """
    image = compilation.image
    packed = pack_inputs(image, inputs)
    emulated = run_batch(image, packed, regions=True)
    comparison = Comparison()
    rtl = replace(compilation, image=given or image)
    check_rtl(rtl, packed, emulated, simulator, comparison, quiet)
    return comparison
