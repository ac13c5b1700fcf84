"""Between floats and codes, on the host."""

from __future__ import annotations

from xdsl.dialects.builtin import I64, IntegerAttr
from xdsl.irdl import (
    irdl_op_definition,
    prop_def,
)

from cimc.diagnostics import verify_fail
from cimc.dialects.nn.attrs import (
    quant_of,
    shape_of,
)
from cimc.dialects.nn.base import ONE_OPERAND, OneInputOp
from cimc.dialects.nn.shapes import (
    check_codes,
    check_result,
)


@irdl_op_definition
class QuantizeOp(OneInputOp):
    """Float to codes: clamp(rhe(x / y.scale) + y.zero, low, high) (on the host)."""

    name = "nn.quantize"
    assembly_format = ONE_OPERAND

    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])

    def verify_(self) -> None:
        """Check types and clamp."""
        if quant_of(self.x) is not None or quant_of(self.y) is None:
            raise verify_fail(self, f"expected f32 to quantised, got {self.x.type}, {self.y.type}")
        check_result(self, self.y, shape_of(self.x))
        check_codes(self, self.y, self.low.value.data, self.high.value.data)


@irdl_op_definition
class DequantizeOp(OneInputOp):
    """Codes to float: (x - x.zero) * x.scale (on the host)."""

    name = "nn.dequantize"
    assembly_format = ONE_OPERAND

    def verify_(self) -> None:
        """Check the types."""
        if quant_of(self.x) is None or quant_of(self.y) is not None:
            raise verify_fail(self, f"expected quantised to f32, got {self.x.type}, {self.y.type}")
        check_result(self, self.y, shape_of(self.x))
