"""ONNX export by PyTorch in the forms its users have; torch 2.13 and onnxscript.

As a command it writes a full-size, seeded ResNet-18:
  python models/export_torch.py resnet18.onnx [--exporter torchscript] [--keep-bn] [--opset N] ...
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime
import resnet_graph
import torch
from networks import resnet18
from resnet_weights import random_weights
from torch import nn

# Paths of the source files on the exporting machine, and the text of the traced program.
DROPPED_METADATA = ("pkg.torch.onnx.stack_trace", "pkg.torch.onnx.fx_node")


@dataclass(frozen=True)
class Form:
    """How torch writes the file.

    `keep_bn` leaves BatchNormalization in the graph (for the dynamo exporter this is
    optimize=False, which leaves shape arithmetic too); `opset` None is the exporter's default.
    """

    exporter: Literal["dynamo", "torchscript"] = "dynamo"
    keep_bn: bool = False
    opset: int | None = None
    dynamic_batch: bool = True
    external_data: bool = False


def export(net: nn.Module, path: Path, shape: tuple[int, int, int], form: Form) -> None:
    """Write `net` (input C, H, W = `shape`, names "input" and "output") to `path`."""
    net.eval()
    example = (torch.zeros(2 if form.dynamic_batch else 1, *shape),)
    names = {"input_names": ["input"], "output_names": ["output"], "opset_version": form.opset}
    if form.exporter == "dynamo":
        batch = {0: torch.export.Dim("batch")} if form.dynamic_batch else None
        program = torch.onnx.export(
            net,
            example,
            dynamo=True,
            optimize=not form.keep_bn,
            dynamic_shapes=(batch,),
            verbose=False,
            **names,
        )
        assert program is not None  # it is for the other exporter only
        program.save(path, external_data=form.external_data)
    else:
        axes = {"input": {0: "batch_size"}, "output": {0: "batch_size"}}
        mode = torch.onnx.TrainingMode
        torch.onnx.export(
            net,
            example,
            path,
            dynamo=False,
            dynamic_axes=axes if form.dynamic_batch else None,
            training=mode.PRESERVE if form.keep_bn else mode.EVAL,
            do_constant_folding=not form.keep_bn,
            **names,
        )
    strip_metadata(path)


def strip_metadata(path: Path) -> None:
    """Drop what torch tells of the exporting machine and program from the file, in place."""
    model = onnx.load(path, load_external_data=False)
    model.doc_string = ""
    for node in model.graph.node:
        kept = [prop for prop in node.metadata_props if prop.key not in DROPPED_METADATA]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.doc_string = ""
    onnx.save(model, path)


def set_weights(net: nn.Module, weights: resnet_graph.Weights) -> None:
    """Copy `weights` into the parameters and buffers of the same names; all must be there."""
    tensors = {name: torch.from_numpy(values) for name, values in weights.items()}
    counters = {name: n for name, n in net.named_buffers() if name.endswith("batches_tracked")}
    net.load_state_dict(tensors | counters)


def worst_difference(net: nn.Module, path: Path, shape: tuple[int, int, int], batch: int) -> float:
    """Largest |torch - onnxruntime| over the outputs for one seeded normal input."""
    x = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"input": x.numpy()})
    with torch.no_grad():
        return float(np.abs(got - net(x).numpy()).max())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--exporter", default="dynamo", choices=["dynamo", "torchscript"])
    parser.add_argument("--keep-bn", action="store_true")
    parser.add_argument("--opset", type=int)
    parser.add_argument("--static", action="store_true", help="batch 1 instead of dynamic")
    parser.add_argument("--external-data", action="store_true", help="weights in OUT.data")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--size", type=int, default=224, help="image height and width")
    parser.add_argument("--weights", type=Path, help="state_dict, e.g. torchvision's")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    net = resnet18(args.width, args.classes)
    if args.weights is None:
        size = resnet_graph.Form(width=args.width, classes=args.classes)
        set_weights(net, random_weights(size, args.seed))
    else:
        net.load_state_dict(torch.load(args.weights, weights_only=True))
    form = Form(args.exporter, args.keep_bn, args.opset, not args.static, args.external_data)
    shape = (3, args.size, args.size)
    export(net, args.out, shape, form)
    difference = worst_difference(net, args.out, shape, 1 if args.static else 3)
    size_mb = os.path.getsize(args.out) / 1e6
    print(f"{args.out}: {size_mb:.2f} MB, worst |torch - onnxruntime| {difference:.1e}")


if __name__ == "__main__":
    main()
