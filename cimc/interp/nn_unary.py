"""Functions of `nn.unary`, in the precision of their argument."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cimc.dialects.nn import UnaryOp

Array: TypeAlias = NDArray[np.floating[Any]]

_erf = np.frompyfunc(math.erf, 1, 1)


def erf(x: Array) -> Array:
    """Error function."""
    return np.asarray(_erf(x), x.dtype)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)); the form with tanh cannot overflow."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def softplus(x: Array) -> Array:
    """log(1 + exp(x))."""
    return np.logaddexp(x, np.zeros_like(x))


def exp_below(x: Array, alpha: float) -> Array:
    """alpha (exp(x) - 1), for x below 0."""
    return alpha * np.expm1(np.minimum(x, 0))


def gelu(x: Array) -> Array:
    """x times the normal distribution at x."""
    return 0.5 * x * (1 + erf(x * math.sqrt(0.5)))


def gelu_tanh(x: Array) -> Array:
    """Gelu with the distribution approximated by tanh, as ONNX writes it."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def shrink(x: Array, alpha: float, beta: float) -> Array:
    """Moves x by `beta` towards 0 outside of [-alpha, alpha]; 0 inside."""
    return np.where(x < -alpha, x + beta, np.where(x > alpha, x - beta, np.zeros_like(x)))


PLAIN: Mapping[str, Callable[[Array], Array]] = {
    "Abs": np.abs,
    "Acos": np.arccos,
    "Acosh": np.arccosh,
    "Asin": np.arcsin,
    "Asinh": np.arcsinh,
    "Atan": np.arctan,
    "Atanh": np.arctanh,
    "Ceil": np.ceil,
    "Cos": np.cos,
    "Cosh": np.cosh,
    "Erf": erf,
    "Exp": np.exp,
    "Floor": np.floor,
    "Gelu": gelu,
    "GeluTanh": gelu_tanh,
    "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "Log": np.log,
    "Mish": lambda x: x * np.tanh(softplus(x)),
    "Neg": np.negative,
    "Reciprocal": np.reciprocal,
    "Round": np.rint,
    "Sigmoid": sigmoid,
    "Sign": np.sign,
    "Sin": np.sin,
    "Sinh": np.sinh,
    "Softplus": softplus,
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Sqrt": np.sqrt,
    "Tan": np.tan,
    "Tanh": np.tanh,
}
WITH_ALPHA: Mapping[str, Callable[[Array, float], Array]] = {
    "Celu": lambda x, a: np.maximum(x, 0) + exp_below(x / a, a),
    "Elu": lambda x, a: np.where(x > 0, x, exp_below(x, a)),
    "LeakyRelu": lambda x, a: np.where(x > 0, x, a * x),
    "Pow": np.power,
    "Swish": lambda x, a: x * sigmoid(a * x),
    "ThresholdedRelu": lambda x, a: np.where(x > a, x, np.zeros_like(x)),
}
WITH_BOTH: Mapping[str, Callable[[Array, float, float], Array]] = {
    "HardSigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "Selu": lambda x, a, b: b * np.where(x > 0, x, exp_below(x, a)),
    "Shrink": shrink,
}


def unary(op: UnaryOp, x: Array) -> Array:
    """The function of `op` at `x`, by element; infinite or NaN where it is not defined."""
    name = op.function.data
    with np.errstate(all="ignore"):
        if name in PLAIN:
            y = PLAIN[name](x)
        elif name in WITH_ALPHA:
            assert op.alpha is not None
            y = WITH_ALPHA[name](x, op.alpha.value.data)
        else:
            assert op.alpha is not None
            assert op.beta is not None
            y = WITH_BOTH[name](x, op.alpha.value.data, op.beta.value.data)
    return np.asarray(y, x.dtype)
