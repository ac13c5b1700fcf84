"""`bit`: what one access to a wired-OR memory array does, bit by bit.

Only what hardware dialects lack: a stored row, the wordline decoder and the read that turns on
several rows at once. Shifts, adders and multiplexers around them are upstream `comb` and `hw`.

    %r = bit.row %m times 3 shl 5 cut 8 : i8 -> i16
    %w = bit.decode %n pc 3 mask 255 first 1 : i8 -> i11
    %p = bit.read %w[%r, ...] : i11 -> i16

A multiplier that a user brings is a table of products, and maybe a circuit that computes it:

    %p = bit.lookup %m, %n in dense<...> : i8, i8 -> i16
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import (
    I64,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    IntegerType,
    StringAttr,
    i32,
    i64,
)
from xdsl.ir import Dialect, ParametrizedAttribute, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    VarConstraint,
    base,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import Pure

from cimc.diagnostics import verify_fail

_ZERO = IntegerAttr(0, i64)


def width(value: SSAValue) -> int:
    """Bits of an integer value."""
    assert isinstance(value.type, IntegerType)
    return value.type.width.data


def decoded_rows(bits: int, pc_bits: int, first_row: int) -> int:
    """Rows of a row-group: plain rows first_row .. bits-pc_bits-1 and 2^pc_bits - 1 PC rows."""
    return bits - pc_bits - first_row + (1 << pc_bits) - 1


@irdl_op_definition
class RowOp(IRDLOperation):
    """Content of one stored row: ``((multiple * M) << shift)`` with its low `cut` bits cleared."""

    name = "bit.row"

    stored = operand_def(IntegerType)
    result = result_def(IntegerType)
    multiple = prop_def(IntegerAttr[I64])
    shift = prop_def(IntegerAttr[I64])
    cut = prop_def(IntegerAttr[I64], default_value=_ZERO)

    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = (
        "$stored `times` $multiple `shl` $shift (`cut` $cut^)? attr-dict"
        " `:` type($stored) `->` type($result)"
    )

    def __init__(
        self, stored: SSAValue, result: IntegerType, *, multiple: int, shift: int, cut: int
    ) -> None:
        super().__init__(
            operands=[stored],
            result_types=[result],
            properties={
                "multiple": IntegerAttr(multiple, i64),
                "shift": IntegerAttr(shift, i64),
                "cut": IntegerAttr(cut, i64),
            },
        )

    def verify_(self) -> None:
        """The row fits its lane, so nothing is lost above; some column survives the cut."""
        multiple, shift, cut = (p.value.data for p in (self.multiple, self.shift, self.cut))
        lane = width(self.result)
        if multiple < 1 or shift < 0:
            raise verify_fail(
                self, f"needs multiple >= 1 and shift >= 0, got multiple {multiple}, shift {shift}"
            )
        needed = (multiple * ((1 << width(self.stored)) - 1)).bit_length() + shift
        if needed > lane:
            raise verify_fail(
                self,
                f"{multiple} times a {width(self.stored)}-bit operand shifted by {shift} "
                f"needs {needed} columns, the lane has {lane}",
            )
        if not 0 <= cut < lane:
            raise verify_fail(self, f"cut must be in [0, {lane}), got {cut}")


@irdl_op_definition
class DecodeOp(IRDLOperation):
    """Wordlines of one row-group: bit r of the result turns on row r.

    With N' = N & mask, n its width, k = pc_bits, T = N' >> (n-k): first the plain rows
    i = first_row .. n-k-1, each on when bit i of N' is set; then the PC rows t = 1 .. 2^k - 1, on
    when T = t. At most one PC row is on.
    """

    name = "bit.decode"

    broadcast = operand_def(IntegerType)
    result = result_def(IntegerType)
    pc_bits = prop_def(IntegerAttr[I64])
    mask = prop_def(IntegerAttr[I64])
    first_row = prop_def(IntegerAttr[I64], default_value=_ZERO)

    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = (
        "$broadcast `pc` $pc_bits `mask` $mask (`first` $first_row^)? attr-dict"
        " `:` type($broadcast) `->` type($result)"
    )

    def __init__(
        self, broadcast: SSAValue, result: IntegerType, *, pc_bits: int, mask: int, first_row: int
    ) -> None:
        super().__init__(
            operands=[broadcast],
            result_types=[result],
            properties={
                "pc_bits": IntegerAttr(pc_bits, i64),
                "mask": IntegerAttr(mask, i64),
                "first_row": IntegerAttr(first_row, i64),
            },
        )

    def verify_(self) -> None:
        """The fields lie inside the operand and the result has one wordline per row."""
        bits = width(self.broadcast)
        pc_bits, mask, first = (p.value.data for p in (self.pc_bits, self.mask, self.first_row))
        if not 1 <= pc_bits <= bits:
            raise verify_fail(self, f"pc must be in [1, {bits}], got {pc_bits}")
        if not 0 <= mask < 1 << bits:
            raise verify_fail(self, f"mask must be in [0, {(1 << bits) - 1}], got {mask}")
        if not 0 <= first <= bits - pc_bits:
            raise verify_fail(self, f"first must be in [0, {bits - pc_bits}], got {first}")
        rows = decoded_rows(bits, pc_bits, first)
        if width(self.result) != rows:
            raise verify_fail(
                self, f"decodes to {rows} wordlines, the result has {width(self.result)} bits"
            )


@irdl_op_definition
class ReadOp(IRDLOperation):
    """The bit lines: OR of the rows whose wordline is on, 0 when none is."""

    name = "bit.read"

    LANE: ClassVar = VarConstraint("LANE", base(IntegerType))

    wordlines = operand_def(IntegerType)
    rows = var_operand_def(LANE)
    result = result_def(LANE)

    traits = traits_def(Pure())
    assembly_format = "$wordlines `[` $rows `]` attr-dict `:` type($wordlines) `->` type($result)"

    def __init__(self, wordlines: SSAValue, rows: Sequence[SSAValue], result: IntegerType) -> None:
        super().__init__(operands=[wordlines, rows], result_types=[result])

    def verify_(self) -> None:
        """One wordline per row."""
        if len(self.rows) != width(self.wordlines):
            raise verify_fail(
                self, f"{width(self.wordlines)} wordlines drive {len(self.rows)} rows"
            )


@irdl_attr_definition
class CircuitAttr(ParametrizedAttribute):
    """Verilog of a combinational circuit: `text` defines `module` with the three ports."""

    name = "bit.circuit"

    module: StringAttr
    stored_port: StringAttr
    broadcast_port: StringAttr
    product_port: StringAttr
    text: StringAttr


@irdl_op_definition
class LookupOp(IRDLOperation):
    """Product of M and N by `table` [2^m, 2^n]; as hardware it is `circuit`, if there is one."""

    name = "bit.lookup"

    stored = operand_def(IntegerType)
    broadcast = operand_def(IntegerType)
    result = result_def(IntegerType)
    table = prop_def(DenseIntOrFPElementsAttr)
    circuit = opt_prop_def(CircuitAttr)

    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = (
        "$stored `,` $broadcast `in` $table (`as` $circuit^)? attr-dict"
        " `:` type($stored) `,` type($broadcast) `->` type($result)"
    )

    def __init__(
        self,
        stored: SSAValue,
        broadcast: SSAValue,
        result: IntegerType,
        table: DenseIntOrFPElementsAttr,
        circuit: CircuitAttr | None,
    ) -> None:
        super().__init__(
            operands=[stored, broadcast],
            result_types=[result],
            properties={"table": table, "circuit": circuit},
        )

    def products(self) -> NDArray[np.uint64]:
        """The table [2^m, 2^n]."""
        shape = self.table.get_shape()
        return np.frombuffer(self.table.data.data, "<u4").reshape(shape).astype(np.uint64)

    def verify_(self) -> None:
        """The table is of i32, has an entry for each pair, and all of them fit the result."""
        shape = (1 << width(self.stored), 1 << width(self.broadcast))
        if self.table.get_shape() != shape or self.table.get_element_type() != i32:
            raise verify_fail(self, f"needs a table of {shape[0]}x{shape[1]}xi32")
        largest = int(self.products().max())
        if largest >> width(self.result):
            raise verify_fail(self, f"a product of {largest} exceeds {width(self.result)} bits")


Bit = Dialect("bit", [RowOp, DecodeOp, ReadOp, LookupOp], [CircuitAttr])
