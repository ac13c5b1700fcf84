"""Matrix products and batch normalisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Attribute

from cimc.dialects.nn import GemmOp, shape_of
from cimc.frontend.node import Node, Tensor
from cimc.frontend.ops.arithmetic import normalise
from cimc.frontend.registry import onnx_op

Vector = NDArray[np.float32]


def matrix_product(node: Node, x: Tensor, w: Vector, bias: Vector | None) -> Tensor:
    """x [N, K] times w [O, K] transposed."""
    inputs = shape_of(x)[1]
    if w.ndim != 2 or w.shape[1] != inputs or not w.size:
        raise node.invalid(
            f"weights stand for {list(w.shape)} (outputs, inputs), but the input is "
            f"{list(shape_of(x))}"
        )
    properties: dict[str, Attribute] = {"weights": node.blob(w)}
    if bias is not None:
        properties["bias"] = node.blob(bias)
    return node.op(GemmOp, [x], (shape_of(x)[0], w.shape[0]), properties)


@onnx_op("Gemm")
def gemm(node: Node) -> Tensor:
    """Gemm-6 .. 13: alpha x W' + beta C; the activations must be the first, untransposed factor."""
    x, w = node.tensor(0, 2), node.weight(1)
    if node.attr_int("transA", 0):
        raise node.unsupported("attribute transA=1; transpose the constant factor instead")
    if not node.attr_int("transB", 0):
        w = w.T
    alpha, beta = node.attr_float("alpha", 1.0), node.attr_float("beta", 1.0)
    if not (np.isfinite(alpha) and np.isfinite(beta)):
        raise node.invalid(f"alpha {alpha} and beta {beta} must be finite")
    bias = None
    if node.given(2):
        bias = np.float32(beta) * node.weight(2)
        if bias.size not in (1, w.shape[0]) or bias.shape[-1:] not in ((), (1,), w.shape[:1]):
            raise node.invalid(f"C has shape {list(bias.shape)}, expected [{w.shape[0]}]")
        bias = np.broadcast_to(bias.reshape(-1), w.shape[:1])
    return matrix_product(node, x, np.float32(alpha) * w, bias)


@onnx_op("MatMul")
def mat_mul(node: Node) -> Tensor:
    """MatMul-1 .. 13 with a constant second factor [K, O]."""
    x, w = node.tensor(0, 2), node.weight(1)
    return matrix_product(node, x, w.T, None)


@onnx_op("BatchNormalization")
def batch_normalization(node: Node) -> Tensor:
    """BatchNormalization-7 .. 15 in inference form."""
    x = node.tensor(0)
    if node.attr_int("training_mode", 0):
        raise node.refused("attribute training_mode=1; export the model in evaluation mode")
    if not node.attr_int("spatial", 1):
        raise node.unsupported("attribute spatial=0; export per-channel statistics")
    node.only_first_output("of running statistics")
    node.ignore("momentum")
    scale, bias, mean, variance = (node.weight(i) for i in range(1, 5))
    return normalise(node, x, scale, bias, mean, variance, node.attr_float("epsilon", 1e-5))
