"""`nn.host`: a part of the ONNX graph that runs on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import ArrayAttr, StringAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import Pure

from cimc.diagnostics import verify_fail
from cimc.dialects.nn.attrs import BlobAttr, Floats, Tensor, quant_of, ui8


@irdl_op_definition
class HostOp(IRDLOperation):
    """Runs the ONNX model whose bytes are `model`: inputs and outputs in order, never codes.

    `nodes` says what runs there ("LRN, Softmax"), `reason` why it is not on the machine. `ranges`
    and `histograms` are those of every result, as in `NnOp`.
    """

    name = "nn.host"
    assembly_format = (
        "$xs `model` qualified($model) attr-dict `:` functional-type(operands, results)"
    )

    xs = var_operand_def(Tensor)
    ys = var_result_def(Tensor)
    model = prop_def(BlobAttr)
    nodes = prop_def(StringAttr)
    reason = prop_def(StringAttr)
    ranges = opt_prop_def(ArrayAttr[Floats])
    histograms = opt_prop_def(ArrayAttr[BlobAttr])

    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(
        self,
        operands: Sequence[SSAValue[Any]],
        results: Sequence[Attribute],
        *,
        model: BlobAttr,
        nodes: str,
        reason: str,
    ):
        properties = {"model": model, "nodes": StringAttr(nodes), "reason": StringAttr(reason)}
        super().__init__(operands=[operands], result_types=[results], properties=properties)

    def verify_(self) -> None:
        """Check that the model is bytes and that no codes go in or out."""
        if self.model.type.get_element_type() != ui8:
            raise verify_fail(self, f"model must be of {ui8}, got {self.model.type}")
        if any(quant_of(value) is not None for value in (*self.xs, *self.ys)):
            raise verify_fail(self, "operands and results must not be quantised")
        for name in ("ranges", "histograms"):
            given = self.properties.get(name)
            if isinstance(given, ArrayAttr) and len(given.data) != len(self.ys):
                raise verify_fail(
                    self, f"{name} must have {len(self.ys)} entries, got {len(given.data)}"
                )
