"""`nn.unary`: a function of each element."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.dialects.builtin import Float64Type, FloatAttr, StringAttr
from xdsl.irdl import irdl_op_definition, opt_prop_def, prop_def

from cimc.diagnostics import did_you_mean, verify_fail
from cimc.dialects.nn.attrs import BlobAttr, shape_of, ui8
from cimc.dialects.nn.base import ONE_OPERAND, OneInputOp
from cimc.dialects.nn.shapes import check_fields, check_result, check_same_kind

FUNCTIONS: Mapping[str, int] = {
    "Abs": 0,
    "Acos": 0,
    "Acosh": 0,
    "Asin": 0,
    "Asinh": 0,
    "Atan": 0,
    "Atanh": 0,
    "Ceil": 0,
    "Celu": 1,
    "Cos": 0,
    "Cosh": 0,
    "Elu": 1,
    "Erf": 0,
    "Exp": 0,
    "Floor": 0,
    "Gelu": 0,
    "GeluTanh": 0,
    "HardSigmoid": 2,
    "HardSwish": 0,
    "LeakyRelu": 1,
    "Log": 0,
    "Mish": 0,
    "Neg": 0,
    "Pow": 1,
    "Reciprocal": 0,
    "Round": 0,
    "Selu": 2,
    "Shrink": 2,
    "Sigmoid": 0,
    "Sign": 0,
    "Sin": 0,
    "Sinh": 0,
    "Softplus": 0,
    "Softsign": 0,
    "Sqrt": 0,
    "Swish": 1,
    "Tan": 0,
    "Tanh": 0,
    "ThresholdedRelu": 1,
}
"""Parameters of each function: 0, 1 (`alpha`) or 2 (`alpha`, `beta`); meanings in interp."""


@irdl_op_definition
class UnaryOp(OneInputOp):
    """y = function(x), by element, any rank.

    Named as in ONNX; Selu has alpha and gamma as `alpha` and `beta`, Shrink lambd and bias, Pow
    the exponent, Swish is x sigmoid(alpha x), GeluTanh the approximate Gelu. Quantised: the byte
    of y is table[byte of x], signed codes in two's complement.
    """

    name = "nn.unary"
    assembly_format = ONE_OPERAND

    function = prop_def(StringAttr)
    alpha = opt_prop_def(FloatAttr[Float64Type])
    beta = opt_prop_def(FloatAttr[Float64Type])
    table = opt_prop_def(BlobAttr)

    def verify_(self) -> None:
        """Check function, its parameters, and the table of the quantised form."""
        name = self.function.data
        if name not in FUNCTIONS:
            raise verify_fail(self, f"unknown function '{name}'{did_you_mean(name, FUNCTIONS)}")
        given = (self.alpha is not None, self.beta is not None)
        if given != (FUNCTIONS[name] > 0, FUNCTIONS[name] > 1):
            wanted = ("no parameters", "alpha", "alpha and beta")[FUNCTIONS[name]]
            raise verify_fail(self, f"function {name} takes {wanted}")
        quantised = check_same_kind(self, self.x, self.y)
        check_result(self, self.y, shape_of(self.x))
        check_fields(self, quantised, ("table",))
        table = self.table
        if table is not None and (table.shape, table.type.get_element_type()) != ((256,), ui8):
            raise verify_fail(self, f"table must be 256 values of ui8, got {table.type}")
