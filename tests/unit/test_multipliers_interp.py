"""The interpreter of `comb` and `hw`, op by op, against Python integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.dialects.comb import Comb
from xdsl.dialects.hw import HW, HWModuleOp
from xdsl.parser import Parser
from xdsl.utils.exceptions import InterpretationError

from cimc.dialects.bit import Bit
from cimc.interp.bit import evaluate, evaluate_all

GRID = np.arange(32)
OPERANDS = [(int(a), int(b)) for a in GRID for b in GRID]


def parse(text: str) -> HWModuleOp:
    context = Context()
    for dialect in (Builtin, Comb, HW, Bit):
        context.load_dialect(dialect)
    module = Parser(context, text).parse_module()
    assert isinstance(module, ModuleOp)
    module.verify()
    (only,) = module.body.block.ops
    assert isinstance(only, HWModuleOp)
    return only


def binary(body: str, result: int = 5) -> HWModuleOp:
    """Module of two 5-bit inputs; `body` defines %r of `result` bits."""
    ports = f"in %a a: i5, in %b b: i5, out r: i{result}"
    return parse(f"hw.module @f({ports}) {{\n{body}\nhw.output %r : i{result}\n}}")


CASES: dict[str, tuple[str, int, Callable[[int, int], int]]] = {
    "add": ("%r = comb.add %a, %b, %b : i5", 5, lambda a, b: (a + 2 * b) % 32),
    "sub": ("%r = comb.sub %a, %b : i5", 5, lambda a, b: (a - b) % 32),
    "mul": ("%r = comb.mul %a, %b : i5", 5, lambda a, b: a * b % 32),
    "and": ("%r = comb.and %a, %b : i5", 5, lambda a, b: a & b),
    "or": ("%r = comb.or %a, %b : i5", 5, lambda a, b: a | b),
    "xor": ("%r = comb.xor %a, %b : i5", 5, lambda a, b: a ^ b),
    "shl": ("%r = comb.shl %a, %b : i5", 5, lambda a, b: (a << b) % 32),
    "shru": ("%r = comb.shru %a, %b : i5", 5, lambda a, b: a >> b),
    "eq": ("%r = comb.icmp eq %a, %b : i5", 1, lambda a, b: a == b),
    "ne": ("%r = comb.icmp ne %a, %b : i5", 1, lambda a, b: a != b),
    "ult": ("%r = comb.icmp ult %a, %b : i5", 1, lambda a, b: a < b),
    "ule": ("%r = comb.icmp ule %a, %b : i5", 1, lambda a, b: a <= b),
    "ugt": ("%r = comb.icmp ugt %a, %b : i5", 1, lambda a, b: a > b),
    "uge": ("%r = comb.icmp uge %a, %b : i5", 1, lambda a, b: a >= b),
    "extract": ("%r = comb.extract %a from 2 : (i5) -> i2", 2, lambda a, b: a >> 2 & 3),
    "concat": ("%r = comb.concat %a, %b : i5, i5", 10, lambda a, b: a << 5 | b),
    "mux": (
        "%c = comb.icmp ult %a, %b : i5\n%r = comb.mux %c, %b, %a : i5",
        5,
        max,
    ),
    "constant": ("%c = hw.constant -1 : i5\n%r = comb.xor %a, %c : i5", 5, lambda a, b: 31 - a),
}


@pytest.mark.parametrize("name", CASES)
def test_op_on_all_operands(name: str) -> None:
    body, bits, formula = CASES[name]
    (result,) = evaluate(binary(body, bits), GRID[:, None], GRID[None, :])
    expected = [int(formula(a, b)) for a, b in OPERANDS]
    assert np.broadcast_to(result, (32, 32)).ravel().tolist() == expected


def test_every_value_can_be_seen() -> None:
    module = binary("%s = comb.add %a, %b : i5\n%r = comb.xor %s, %s : i5")
    values = evaluate_all(module, np.array([3, 33]), np.array([4, 4]))
    seen = {value.name_hint: value_of.tolist() for value, value_of in values.items()}
    assert seen == {"a": [3, 1], "b": [4, 4], "s": [7, 5], "r": [0, 0]}


def test_signed_comparison_is_refused() -> None:
    with pytest.raises(InterpretationError, match="predicate slt is not supported"):
        evaluate(binary("%r = comb.icmp slt %a, %b : i5", 1), GRID, GRID)


def test_wide_values_are_refused() -> None:
    module = parse(
        "hw.module @f(in %a a: i40, out r: i80) {\n"
        "%r = comb.concat %a, %a : i40, i40\nhw.output %r : i80\n}"
    )
    with pytest.raises(InterpretationError, match=r"comb\.concat: 80 bits exceed 64"):
        evaluate(module, GRID)


def test_the_number_of_inputs_is_checked() -> None:
    with pytest.raises(InterpretationError, match="f has 2 inputs, got 1 arrays"):
        evaluate(binary("%r = comb.add %a, %b : i5"), GRID)
