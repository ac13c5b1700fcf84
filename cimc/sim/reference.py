"""The network in floating point, by software that is not ours: onnxruntime, or onnx itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimc.diagnostics import CimcError, InvalidModel
from cimc.frontend import load
from cimc.interp import nn

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class FloatReference:
    """Runs one ONNX file; `name` says what runs it."""

    name: str
    output_names: tuple[str, ...]
    _run: Callable[[dict[str, NDArray[Any]]], list[NDArray[Any]]]

    def __call__(self, inputs: Arrays, batch: int | None) -> dict[str, NDArray[np.float64]]:
        """Outputs [N, ...] by name of `inputs` [N, ...]; `batch` is what the file fixes, if any.

        Images go through one at a time, repeated up to a fixed batch.
        """
        count = len(next(iter(inputs.values())))
        results: list[list[NDArray[Any]]] = []
        for i in range(count):
            one = {
                name: np.repeat(x[i : i + 1].astype(np.float32), batch or 1, axis=0)
                for name, x in inputs.items()
            }
            results.append([y[:1] for y in self._answers(one)])
        columns = zip(*results, strict=True)
        stacked = [np.concatenate(column).astype(np.float64) for column in columns]
        return dict(zip(self.output_names, stacked, strict=True))

    def at_once(self, inputs: Arrays, batch: int | None) -> dict[str, NDArray[np.float64]]:
        """The same, all images together where the file does not fix a batch."""
        if batch is not None:
            return self(inputs, batch)
        found = self._answers({name: x.astype(np.float32) for name, x in inputs.items()})
        return {n: y.astype(np.float64) for n, y in zip(self.output_names, found, strict=True)}

    def _answers(self, inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            return self._run(inputs)
        except CimcError:
            raise
        except Exception as e:
            reason = str(e).splitlines()[0] if str(e) else type(e).__name__
            raise InvalidModel(
                f"{self.name} cannot run the model ({reason}), so nothing can be compared with it; "
                "correct the model, or compile it with --verify=none"
            ) from e


def float_reference(path: Path) -> FloatReference:
    """onnxruntime for the model in `path`, else onnx's evaluator, else our own interpreter.

    onnxruntime may be too old for a model; nothing but ours knows QONNX.
    """
    for attempt in (_exact_session, _session, _onnx_reference):
        try:
            return attempt(path)
        except Exception:  # noqa: BLE001 - their errors have no common base
            continue
    return _own_reference(path)


def _exact_session(path: Path) -> FloatReference:
    """onnxruntime without the saturation of uint8 by int8 products on processors without VNNI.

    It has no operators for that where activations are int8; those do not saturate.
    """
    return _session(path, {"session.x64quantprecision": "1"})


def _session(path: Path, entries: Mapping[str, str] | None = None) -> FloatReference:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    for key, value in (entries or {}).items():
        options.add_session_config_entry(key, value)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = tuple(output.name for output in session.get_outputs())
    known = {value.name for value in session.get_inputs()}

    def run(inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        wanted = {name: x for name, x in inputs.items() if name in known}
        return [np.asarray(y) for y in session.run(None, wanted)]

    return FloatReference("onnxruntime", names, run)


def _onnx_reference(path: Path) -> FloatReference:
    import onnx
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(onnx.load(str(path)))

    def run(inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        return [np.asarray(y) for y in evaluator.run(None, inputs)]

    note = "onnx.reference (onnxruntime cannot read this model)"
    names = tuple(str(name) for name in evaluator.output_names)
    return FloatReference(note, names, run)


def _own_reference(path: Path) -> FloatReference:
    model = load(path)

    def run(inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        outputs = nn.run(model.module, model.weights, inputs).outputs
        return [outputs[info.name] for info in model.outputs]

    note = "cimc's float interpreter (onnxruntime cannot read this model)"
    return FloatReference(note, tuple(info.name for info in model.outputs), run)
