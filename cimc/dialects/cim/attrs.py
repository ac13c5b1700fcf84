"""Types and attributes of the `cim` dialect."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, IntAttr, IntegerType, Signedness, StringAttr
from xdsl.ir import Attribute, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition, param_def
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from cimc.targets.packing import LaneUse, WeightPacking


def _ints(values: Sequence[int]) -> ArrayAttr[IntAttr]:
    return ArrayAttr([IntAttr(int(v)) for v in values])


def _print_ints(printer: Printer, values: ArrayAttr[IntAttr]) -> None:
    printer.print_string("[" + ", ".join(str(v.data) for v in values.data) + "]")


def _parse_ints(parser: AttrParser) -> ArrayAttr[IntAttr]:
    numbers = parser.parse_comma_separated_list(
        parser.Delimiter.SQUARE, lambda: parser.parse_integer(allow_boolean=False)
    )
    return _ints(numbers)


@irdl_attr_definition
class ActType(ParametrizedAttribute, TypeAttribute):
    """Activation map ``!cim.act<[H, W, C], ui8, zero_point, [top, left, bottom, right]>``.

    `halo` pixels of padding surround the map in memory; an address of the tensor is that of the
    first halo byte. Codes are ui8 or si8.
    """

    name = "cim.act"

    shape: ArrayAttr[IntAttr] = param_def()
    storage: IntegerType = param_def()
    zero_point: IntAttr = param_def()
    halo: ArrayAttr[IntAttr] = param_def()

    def print_parameters(self, printer: Printer) -> None:
        """Print ``<[56, 56, 64], ui8, 0, [1, 1, 1, 1]>``."""
        with printer.in_angle_brackets():
            _print_ints(printer, self.shape)
            printer.print_string(", ")
            printer.print_attribute(self.storage)
            printer.print_string(f", {self.zero_point.data}, ")
            _print_ints(printer, self.halo)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        """Parse what `print_parameters` writes."""
        with parser.in_angle_brackets():
            shape = _parse_ints(parser)
            parser.parse_punctuation(",")
            storage = parser.parse_type()
            parser.parse_punctuation(",")
            zero_point = IntAttr(parser.parse_integer(allow_boolean=False))
            parser.parse_punctuation(",")
            return shape, storage, zero_point, _parse_ints(parser)

    @staticmethod
    def of(
        shape: Sequence[int], storage: IntegerType, zero_point: int, halo: Sequence[int]
    ) -> ActType:
        """The type of an H x W x C map with `halo` (top, left, bottom, right)."""
        return ActType(_ints(shape), storage, IntAttr(zero_point), _ints(halo))

    def verify(self) -> None:
        if len(self.shape.data) != 3 or any(d.data < 1 for d in self.shape.data):
            raise VerifyException("cim.act needs three positive sizes: height, width, channels")
        if len(self.halo.data) != 4 or any(d.data < 0 for d in self.halo.data):
            raise VerifyException("cim.act needs a halo of four sizes: top, left, bottom, right")
        if self.storage.width.data != 8:
            raise VerifyException("cim.act holds 8-bit codes")

    @property
    def hwc(self) -> tuple[int, int, int]:
        """Height, width, channels without the halo."""
        h, w, c = (d.data for d in self.shape.data)
        return h, w, c

    @property
    def signed(self) -> bool:
        """Whether codes are int8 (else uint8)."""
        return self.storage.signedness.data == Signedness.SIGNED

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """Halo sizes: top, left, bottom, right."""
        t, left, b, r = (d.data for d in self.halo.data)
        return t, left, b, r

    @property
    def pitch(self) -> int:
        """Bytes from a row to the next, halo included."""
        _, w, c = self.hwc
        _, left, _, right = self.margins
        return (left + w + right) * c

    @property
    def size_bytes(self) -> int:
        """Bytes of the map with its halo."""
        top, _, bottom, _ = self.margins
        return (top + self.hwc[0] + bottom) * self.pitch

    def offset(self, y: int, x: int) -> int:
        """Bytes from the first halo byte to pixel (y, x); negative ones lie in the halo."""
        top, left, _, _ = self.margins
        return (y + top) * self.pitch + (x + left) * self.hwc[2]


@irdl_attr_definition
class TilingAttr(ParametrizedAttribute):
    """How a convolution is cut: ``#cim.tiling<[steps of each tile], [block height, width]>``.

    A tile is what one weight load holds: that many row-groups a bank. A block is the pixels whose
    partial sums are kept while the tiles of the reduction pass by. Loops, outermost first:
    output-channel groups, blocks, tiles, pixels, row-groups, reads.

    Behind them the `LaneUse`, unless it is the usual one: packing of the weights in small letters,
    pixels that are computed together (block widths are multiples of that), ``wide``.
    """

    name = "cim.tiling"

    steps: ArrayAttr[IntAttr] = param_def()
    block: ArrayAttr[IntAttr] = param_def()
    packed: StringAttr = param_def()
    together: IntAttr = param_def()
    broad: IntAttr = param_def()

    def print_parameters(self, printer: Printer) -> None:
        """Print ``<[18, 18, 18, 18], [14, 56]>`` or ``<[18, 18], [14, 56], "lanes", 2, wide>``."""
        with printer.in_angle_brackets():
            _print_ints(printer, self.steps)
            printer.print_string(", ")
            _print_ints(printer, self.block)
            if self.use != LaneUse():
                printer.print_string(f', "{self.packed.data}", {self.use.pixels}')
            if self.use.wide:
                printer.print_string(", wide")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        """Parse what `print_parameters` writes."""
        with parser.in_angle_brackets():
            steps = _parse_ints(parser)
            parser.parse_punctuation(",")
            block = _parse_ints(parser)
            if parser.parse_optional_punctuation(",") is None:
                return steps, block, StringAttr("bytes"), IntAttr(1), IntAttr(0)
            packed = StringAttr(parser.parse_str_literal())
            parser.parse_punctuation(",")
            pixels = IntAttr(parser.parse_integer(allow_boolean=False))
            wide = parser.parse_optional_punctuation(",") is not None
            if wide:
                parser.parse_keyword("wide")
            return steps, block, packed, pixels, IntAttr(int(wide))

    @staticmethod
    def of(steps: Sequence[int], block: Sequence[int], use: LaneUse | None = None) -> TilingAttr:
        """The tiling with these tile sizes and this block height and width."""
        use = use or LaneUse()
        packed, wide = StringAttr(use.packing.name.lower()), IntAttr(int(use.wide))
        return TilingAttr(_ints(steps), _ints(block), packed, IntAttr(use.pixels), wide)

    def verify(self) -> None:
        if not self.steps.data or any(s.data < 1 for s in self.steps.data):
            raise VerifyException("cim.tiling needs at least one tile of at least one step")
        if len(self.block.data) != 2 or any(s.data < 1 for s in self.block.data):
            raise VerifyException("cim.tiling needs a block height and width")
        names = [p.name.lower() for p in WeightPacking]
        if self.packed.data not in names:
            raise VerifyException(f"cim.tiling knows {names}, not '{self.packed.data}'")
        pixels = self.together.data
        if pixels < 1 or self.block_hw[1] % pixels:
            raise VerifyException(
                f"cim.tiling: a block of width {self.block_hw[1]} is not whole runs of "
                f"{pixels} pixels"
            )

    @property
    def tile_steps(self) -> tuple[int, ...]:
        """Row-groups a bank of each tile."""
        return tuple(s.data for s in self.steps.data)

    @property
    def block_hw(self) -> tuple[int, int]:
        """Pixels of a block: height, width."""
        h, w = (s.data for s in self.block.data)
        return h, w

    @property
    def use(self) -> LaneUse:
        """What banks and lanes are used for."""
        packing = WeightPacking[self.packed.data.upper()]
        return LaneUse(packing, self.together.data, bool(self.broad.data))


@irdl_attr_definition
class PlaceAttr(ParametrizedAttribute):
    """Where a tensor lies: ``#cim.place<"buffer" | "dram", byte address>``."""

    name = "cim.place"

    space: StringAttr = param_def()
    address: IntAttr = param_def()

    def print_parameters(self, printer: Printer) -> None:
        """Print ``<"buffer", 4096>``."""
        with printer.in_angle_brackets():
            printer.print_string(f'"{self.space.data}", {self.address.data}')

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        """Parse what `print_parameters` writes."""
        with parser.in_angle_brackets():
            space = StringAttr(parser.parse_str_literal())
            parser.parse_punctuation(",")
            return space, IntAttr(parser.parse_integer(allow_boolean=False))

    @staticmethod
    def of(space: str, address: int) -> PlaceAttr:
        """The place at `address` of `space`."""
        return PlaceAttr(StringAttr(space), IntAttr(address))

    def verify(self) -> None:
        if self.space.data not in ("buffer", "dram"):
            raise VerifyException(f"cim.place knows buffer and dram, not '{self.space.data}'")


@irdl_attr_definition
class StripAttr(ParametrizedAttribute):
    """How a layer with spilled tensors runs: ``#cim.strip<count, [buffer addresses], parts>``.

    Output rows are cut into `count` equal runs. Addresses are those of strip buffers in operand
    order, the result last; -1 for a tensor that is resident and needs none. With `parts` above 1
    (left out otherwise) a run is one row, and what it reads comes in so many parts.
    """

    name = "cim.strip"

    count: IntAttr = param_def()
    buffers: ArrayAttr[IntAttr] = param_def()
    parts: IntAttr = param_def()

    def print_parameters(self, printer: Printer) -> None:
        """Print ``<4, [0, 65536]>``, ``<1, [0, -1], 16>``."""
        with printer.in_angle_brackets():
            printer.print_string(f"{self.count.data}, ")
            _print_ints(printer, self.buffers)
            if self.parts.data > 1:
                printer.print_string(f", {self.parts.data}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        """Parse what `print_parameters` writes."""
        with parser.in_angle_brackets():
            count = IntAttr(parser.parse_integer(allow_boolean=False))
            parser.parse_punctuation(",")
            buffers, parts = _parse_ints(parser), 1
            if parser.parse_optional_punctuation(",") is not None:
                parts = parser.parse_integer(allow_boolean=False)
            return count, buffers, IntAttr(parts)

    @staticmethod
    def of(count: int, buffers: Sequence[int], parts: int = 1) -> StripAttr:
        """`count` strips with these buffers."""
        return StripAttr(IntAttr(count), _ints(buffers), IntAttr(parts))

    def verify(self) -> None:
        if self.count.data < 1 or self.parts.data < 1:
            raise VerifyException("cim.strip needs at least one strip of at least one part")
