"""`CimcBackend`: cimc as an ONNX back end, `onnx.backend.base.Backend`.

    representation = CimcBackend.prepare(model)
    outputs = representation.run([x])

Level "float" imports the model and runs the `nn` interpreter on tensors of any type and rank;
"emulate" compiles it, with 8-bit codes, and runs the emulator of the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto
from onnx.backend.base import Backend, BackendRep
from onnx.helper import make_tensor_value_info, np_dtype_to_tensor_dtype
from onnx.numpy_helper import from_array
from onnx.version_converter import convert_version

from cimc.api import compile
from cimc.diagnostics import CimcError, InvalidInput
from cimc.dialects.nn import HostOp
from cimc.frontend import ImportedModel, load
from cimc.frontend.read import OLDEST_OPSET, opset_of
from cimc.interp.nn import run

Arrays = Mapping[str, NDArray[Any]]
LEVELS = ("float", "emulate")
CONVERTED_OPSET = 9
"""Older models are converted to this version, the oldest that the converter reaches for all."""


class CimcRepresentation(BackendRep):
    """A model that can be run. Sizes that it leaves open are those of the inputs."""

    def __init__(self, model: ModelProto, level: str, options: Mapping[str, Any]):
        self.model = model
        self.level = level
        self.options = options

    def run(self, inputs: Any, **kwargs: Any) -> tuple[NDArray[Any], ...]:
        """Outputs in the order of the model; `inputs` are arrays in its order, or by name.

        Raises:
            CimcError: the model cannot be used, or the inputs do not fit.
        """
        stored = {tensor.name for tensor in self.model.graph.initializer}
        names = [value.name for value in self.model.graph.input if value.name not in stored]
        given = inputs if isinstance(inputs, Mapping) else dict(zip(names, inputs, strict=False))
        missing = [name for name in names if name not in given]
        if missing:
            raise InvalidInput(f"inputs {', '.join(missing)} are missing")
        arrays = {name: np.asarray(given[name]) for name in names}
        run_level = self.in_float if self.level == "float" else self.emulated
        outputs = run_level(arrays)
        return tuple(outputs[value.name] for value in self.model.graph.output)

    def in_float(self, arrays: Arrays) -> Arrays:
        """Outputs of the interpreter; of all inputs, or the first alone, or none.

        The others are constants: single operators get their weights and shapes as inputs. What
        leaves least to the host is taken.
        """
        items = list(arrays.items())
        found: list[tuple[int, ImportedModel, Arrays]] = []
        failures: list[CimcError] = []
        for count in {len(items): 0, min(1, len(items)): 0, 0: 0}:
            inputs = dict(items[:count])
            try:
                imported = imported_as(self.model, arrays, inputs)
            except CimcError as e:
                failures.append(e)
            else:
                found.append((hosted(imported), imported, inputs))
        if not found:
            raise failures[0]
        _, imported, inputs = min(found, key=lambda each: each[0])
        return run(imported.module, imported.weights, inputs).outputs

    def emulated(self, arrays: Arrays) -> Arrays:
        """Outputs of the emulated machine; it is calibrated on the inputs unless options say."""
        options: dict[str, Any] = {"calibration": dict(arrays)} | dict(self.options)
        with TemporaryDirectory() as folder:
            compiled = compile(written(self.model, folder), **options)
        names = [value.name for value in self.model.graph.output]
        return dict(zip(names, compiled.run(names, arrays), strict=True))


class CimcBackend(Backend):
    """The back end; `level` is what `prepare` takes when it is not told."""

    level = "float"

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Everything runs on the host's processor."""
        return device == "CPU"

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> CimcRepresentation:
        """A representation of `model`.

        `level` is "float" or "emulate"; the other keywords are those of `cimc.compile`.

        Raises:
            InvalidInput: there is no such level or device.
        """
        level = kwargs.pop("level", cls.level)
        if level not in LEVELS:
            raise InvalidInput(f"unknown level '{level}'; known: {', '.join(LEVELS)}")
        if not cls.supports_device(device):
            raise InvalidInput(f"unknown device '{device}'; known: CPU")
        if opset_of(model) < OLDEST_OPSET:
            model = convert_version(model, CONVERTED_OPSET)
        return CimcRepresentation(model, level, kwargs)

    @classmethod
    def run_model(
        cls, model: ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any
    ) -> tuple[NDArray[Any], ...]:
        """`prepare` and `run` in one."""
        return cls.prepare(model, device, **kwargs).run(inputs)


class EmulatedBackend(CimcBackend):
    """The back end with the whole path as its default level."""

    level = "emulate"


def written(model: ModelProto, folder: str) -> Path:
    """`model` as a file of `folder`."""
    path = Path(folder) / f"{model.graph.name or 'model'}.onnx".replace("/", "_")
    onnx.save(model, path)
    return path


def imported_as(model: ModelProto, arrays: Arrays, inputs: Arrays) -> ImportedModel:
    """`model` for the shapes of `arrays`; those that are not `inputs` are constants."""
    fixed = ModelProto()
    fixed.CopyFrom(model)
    graph = fixed.graph
    kept = [value for value in graph.input if value.name not in arrays]
    del graph.input[:]
    graph.input.extend(kept)
    for name, array in arrays.items():
        if name in inputs:
            kind = np_dtype_to_tensor_dtype(array.dtype)
            graph.input.append(make_tensor_value_info(name, kind, array.shape))
        else:
            graph.initializer.append(from_array(array, name))
    with TemporaryDirectory() as folder:
        return load(written(fixed, folder), whole=True)


def hosted(imported: ImportedModel) -> int:
    """Number of parts on the host."""
    return sum(isinstance(op, HostOp) for op in imported.module.walk())


prepare = CimcBackend.prepare
run_model = CimcBackend.run_model
supports_device = CimcBackend.supports_device
