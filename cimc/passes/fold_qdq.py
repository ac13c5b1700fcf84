"""`fold-qdq`: what a quantised model computes between its conversions, on codes.

A float operation between nn.dequantize and nn.quantize becomes its quantised form with the
model's scales and zero points; conversions that nobody reads any more vanish, and so do those of
what the host computes for itself. What has codes on one side only, or no quantised form, stays
float and is left to `calibrate` and `quantise`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from cimc.diagnostics import InvalidInput
from cimc.dialects.nn import DequantizeOp, HostOp, NnOp, QuantizeOp, quant_of
from cimc.interp.nn import main_function
from cimc.passes.context import cim_context
from cimc.passes.plan import Plan, named_layers
from cimc.passes.quantised_forms import (
    KEEPS,
    Forms,
    fits,
    grid_of,
    grid_of_readers,
    has_form,
    recode,
)
from cimc.passes.ranges import bits_of, code_limits


@dataclass(frozen=True)
class FoldQdqPass(ModulePass):
    """Models that arrive quantised compute on their own codes.

    Raises:
        InvalidInput: the plan wants other precisions than the model has.
    """

    name = "fold-qdq"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Rewrite the module in place; integers go to the context's store."""
        context = cim_context(ctx)
        forms = Forms(context.weights)
        block = main_function(op).body.block
        for each in list(block.ops):
            keep_on_host(each)
            fold(each, forms)
        for each in reversed(list(block.ops)):
            if isinstance(each, DequantizeOp | QuantizeOp) and not each.y.uses.get_length():
                block.erase_op(each)
        check_plan(op, context.plan)


def keep_on_host(op: Operation) -> None:
    """Drop a conversion to codes and back between the host and the host or the network's end.

    It must round only: where values may saturate, codes are what the model means.
    """
    if not isinstance(op, QuantizeOp) or not is_share(op.x.owner):
        return
    y, (low, high) = grid_of(op)
    if low > y.zero or (high + 1 - y.zero) * y.scale_value < 1:
        return
    back = [use.operation for use in op.y.uses]
    ends = [use.operation for each in back for use in each.results[0].uses]
    on_host = all(isinstance(each, HostOp | ReturnOp) for each in ends)
    if on_host and all(isinstance(each, DequantizeOp) for each in back):
        for each in back:
            each.results[0].replace_all_uses_with(op.x)


def is_share(op: Operation | Block) -> bool:
    """`op` runs on the host and its results are in [0, 1]."""
    if not isinstance(op, HostOp) or len(op.results) > 1:
        return False
    return op.nodes.data.rpartition(", ")[2] in ("Softmax", "Sigmoid", "HardSigmoid", "Hardmax")


def fold(op: Operation, forms: Forms) -> None:
    """Rewrite one operation, if it reads codes only."""
    sources = [operand.owner for operand in op.operands]
    codes = [source.x for source in sources if isinstance(source, DequantizeOp)]
    if not isinstance(op, NnOp) or not codes or len(codes) < len(sources):
        return
    if isinstance(op, QuantizeOp):
        y, ends = grid_of(op)
        if fits(codes[0], y, ends):
            op.y.replace_all_uses_with(codes[0])
        else:
            put(op, op.y, recode(codes[0], y, ends))
    elif isinstance(op, KEEPS):
        kind = quant_of(codes[0])
        assert kind is not None
        new = forms.form(op, codes, kind, code_limits(codes[0]), 8)
        new.append(DequantizeOp([new[-1].y], op.y.type))
        put(op, op.y, new)
    elif has_form(op) and (given := grid_of_readers(op.y)) is not None:
        y, ends = given
        new = forms.form(op, codes, y, ends, bits_of(codes[0]))
        new.append(DequantizeOp([new[-1].y], op.y.type))
        put(op, op.y, new)


def put(op: NnOp, old: SSAValue, new: Sequence[NnOp]) -> None:
    """Replace `op`, of result `old`, by `new`, the last of which gives the result."""
    block = op.parent
    assert block is not None
    for each in new:
        each.location = op.location
        block.insert_op_before(each, op)
    new[-1].y.name_hint = old.name_hint
    old.replace_all_uses_with(new[-1].y)
    block.erase_op(op)


def check_plan(module: ModuleOp, plan: Plan) -> None:
    """Check that `plan` asks for no precision that a quantised layer does not have."""
    for name, layer in named_layers(module):
        if quant_of(layer.y) is None:
            continue
        wanted = plan.layer(name)
        for key in ("weight_bits", "activation_bits"):
            bits, given = getattr(wanted, key), getattr(layer, key).value.data
            if bits not in (None, given):
                raise InvalidInput(
                    f"{plan.source}: layer '{name}': {key} {bits}, but the model is quantised to "
                    f"{given}; leave it out"
                )
