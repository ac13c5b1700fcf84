"""Write a full-size ResNet-18 in the form of a chosen exporter, with seeded weights.

  python models/make_resnet18.py resnet18.onnx                            as torch < 2.9
  ... --opset 20 --pool reducemean --flatten reshape --external-data      as torch >= 2.9
  ... --bn keep --opset 7 --batch 1                                       as the ONNX Model Zoo
  ... --quantise qdq|qoperator                                            as onnxruntime's quantiser

Needs onnx and numpy; --check and --quantise also onnxruntime. The weights are random: use the
file for speed and mapping, never for accuracy.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from resnet_graph import IMAGE_CHANNELS, Form, Weights, build
from resnet_weights import random_weights

# How closely a form must agree with the most literal one, as a part of the largest output.
FLOAT_TOLERANCE, INT8_TOLERANCE = 1e-4, 0.1
CALIBRATION_IMAGES = 16
COLOUR_GRID = 4
EXTERNAL_THRESHOLD_BYTES = 1024


def save(model: onnx.ModelProto, path: Path, external_data: bool) -> None:
    """Write `path`, and with `external_data` the larger tensors to `path`.data."""
    data = path.with_name(f"{path.name}.data")
    if not external_data:
        onnx.save(model, path)
        return
    # onnx appends to a data file that exists already, and empties the tensors that it saves.
    data.unlink(missing_ok=True)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    onnx.save(
        copy,
        path,
        save_as_external_data=True,
        location=data.name,
        size_threshold=EXTERNAL_THRESHOLD_BYTES,
    )


def run(model: onnx.ModelProto | Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Output of onnxruntime, one image at a time where the batch is fixed to 1.

    ValueError if this onnxruntime is older than the model's opset or IR.
    """
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns about each initialiser of an IR 3 file
    source = model if isinstance(model, Path) else model.SerializeToString()
    try:
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Fail as error:
        raise ValueError(f"onnxruntime {onnxruntime.__version__} cannot load it: {error}") from None
    (entry,) = session.get_inputs()
    parts = np.split(x, len(x)) if entry.shape[0] == 1 else [x]
    outputs = [session.run(None, {entry.name: part})[0] for part in parts]
    return np.concatenate([np.asarray(output, np.float32) for output in outputs])


def random_images(form: Form, count: int, seed: int) -> NDArray[np.float32]:
    """Seeded inputs [count,3,size,size], of mean 0 and variance 1: a colour plus 4 x 4 colours.

    White noise would not do: global pooling averages it away, and all images look alike.
    """
    random = np.random.default_rng(seed)
    tint = random.normal(size=(count, IMAGE_CHANNELS, 1, 1))
    colours = random.normal(size=(count, IMAGE_CHANNELS, COLOUR_GRID, COLOUR_GRID))
    cell = np.arange(form.size) * COLOUR_GRID // form.size
    return ((tint + colours[:, :, cell[:, None], cell]) / np.sqrt(2)).astype(np.float32)


def check(path: Path, form: Form, weights: Weights, tolerance: float) -> str:
    """Compare the file with its most literal form on two images; ValueError if they differ.

    The literal form keeps BatchNormalization and uses GlobalAveragePool and Flatten.
    `tolerance` is a part of the largest output.
    """
    x = random_images(form, 2, seed=1)
    literal = replace(form, bn="keep", opset=17, ir3_inputs=False, pool="gap", flatten="flatten")
    expected, got = run(build(literal, weights), x), run(path, x)
    scale = float(np.abs(expected).max())
    error = float(np.abs(got - expected).max()) / scale
    spread = float(np.abs(got[0] - got[1]).max()) / scale
    if not error <= tolerance:
        raise ValueError(
            f"{path}: differs from the literal form by {error:.1e} of its largest output"
        )
    if not spread > tolerance:
        raise ValueError(f"{path}: two images give the same output")
    return f"of the largest output: {error:.1e} from the literal form, {spread:.1e} between images"


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--bn", choices=["fold", "keep"], default="fold")
    parser.add_argument("--opset", type=int, default=17, help="7 or newer")
    parser.add_argument("--ir3-inputs", action="store_true", help="initialisers are inputs, IR 3")
    parser.add_argument("--external-data", action="store_true", help="weights in OUT.data")
    parser.add_argument("--pool", choices=["gap", "reducemean"], default="gap")
    parser.add_argument("--flatten", choices=["flatten", "reshape"], default="flatten")
    parser.add_argument("--batch", choices=["1", "dynamic"], default="dynamic")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--size", type=int, default=224, help="image height and width")
    parser.add_argument("--preactivation", action="store_true", help="ResNet-18 v2")
    parser.add_argument("--quantise", choices=["qdq", "qoperator"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", action="store_true", help="compare with another form")
    return parser


def write(args: argparse.Namespace) -> None:
    """Build, quantise, save and check; ValueError for a bad combination or a failed check."""
    form = Form(
        bn=args.bn,
        opset=args.opset,
        ir3_inputs=args.ir3_inputs,
        pool=args.pool,
        flatten=args.flatten,
        dynamic_batch=args.batch == "dynamic",
        width=args.width,
        classes=args.classes,
        size=args.size,
        preactivation=args.preactivation,
    )
    weights = random_weights(form, args.seed)
    model = build(form, weights)
    if args.quantise is not None:
        from quantise_ort import quantise

        images = random_images(form, CALIBRATION_IMAGES, seed=2)
        model = quantise(model, images, args.quantise)
    save(model, args.out, args.external_data)
    print(f"{args.out}: IR {model.ir_version}, opset {form.opset}, {len(model.graph.node)} nodes")
    if args.check:
        tolerance = FLOAT_TOLERANCE if args.quantise is None else INT8_TOLERANCE
        print(check(args.out, form, weights, tolerance))


def main() -> None:
    """Command line."""
    parser = make_parser()
    try:
        write(parser.parse_args())
    except (ValueError, OSError) as error:
        parser.exit(1, f"error: {error}\n")


if __name__ == "__main__":
    main()
