"""docs/machine.md as plain loops over Python integers: slow, and shares no code with cimc.sim."""

from __future__ import annotations

from cimc.targets import Target
from cimc.targets.isa import Command, Opcode, VectorOp


def rhe(value: int, shift: int) -> int:
    """value / 2^shift to the nearest integer, halves to even."""
    whole, rest = divmod(value, 1 << shift)
    if 2 * rest > 1 << shift or (2 * rest == 1 << shift and whole % 2 == 1):
        whole += 1
    return whole


def clamp(value: int, low: int, high: int) -> int:
    return low if value < low else high if value > high else value


def int32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


class NaiveMachine:
    """Architectural state of one machine; `execute` runs one command to completion."""

    def __init__(self, target: Target, dram: bytes):
        g = self.g = target.geometry
        self.dram = bytearray(dram)
        self.buffer = bytearray(g.activation_bytes)
        self.lut = bytes(256)
        self.taps = [bytes(g.beat_bytes)] * g.vector_taps
        self.channels = [[(0, 0, 0)] * g.beat_bytes for _ in range(2)]
        self.steps = [0] * g.step_entries
        self.parameters = [[(0, 0, 0)] * g.outputs for _ in range(2)]
        self.psums = [[0] * g.outputs for _ in range(g.psum_entries)]
        # bank, row -> magnitude columns and sign column of each lane
        self.rows = [
            [([0] * g.lanes, [0] * g.lanes) for _ in range(g.bank_rows)] for _ in range(g.banks)
        ]

    def execute(self, c: Command) -> None:
        actions = {
            Opcode.LOAD: self._load,
            Opcode.STORE: self._store,
            Opcode.LOAD_LUT: self._load_lut,
            Opcode.LOAD_TAPS: self._load_taps,
            Opcode.LOAD_WEIGHTS: self._load_weights,
            Opcode.ARRAY: self._array,
            Opcode.VECTOR: self._vector,
        }
        actions[c.opcode](c)

    def _at(self, address: int) -> int:
        return address % self.g.activation_bytes

    def _byte(self, address: int, signed: int) -> int:
        value = self.buffer[self._at(address)]
        return value - 256 if signed and value >= 128 else value

    def _load(self, c: Command) -> None:
        for i in range(c["bytes"]):
            self.buffer[self._at(c["buffer"] + i)] = self.dram[c["dram"] + i]

    def _store(self, c: Command) -> None:
        for i in range(c["bytes"]):
            self.dram[c["dram"] + i] = self.buffer[self._at(c["buffer"] + i)]

    def _load_lut(self, c: Command) -> None:
        self.lut = bytes(self.dram[c["dram"] : c["dram"] + 256])

    def _parameter(self, at: int) -> tuple[int, int, int]:
        word = int.from_bytes(self.dram[at : at + 8], "little")
        return int32(word & 0xFFFFFFFF), (word >> 32) & 0xFFFFFF, (word >> 56) & 63

    def _load_taps(self, c: Command) -> None:
        at, beat = c["dram"], self.g.beat_bytes
        for t in range(c["taps"]):
            self.taps[c["base"] + t] = bytes(self.dram[at : at + beat])
            at += beat
        for j in range(beat):
            self.channels[c["param_set"]][j] = self._parameter(at + 8 * j)

    def _load_weights(self, c: Command) -> None:
        g, at = self.g, c["dram"]
        head = -(-4 * c["steps"] // g.beat_bytes) * g.beat_bytes
        for i in range(head // 4):
            word = int.from_bytes(self.dram[at + 4 * i : at + 4 * i + 4], "little")
            self.steps[c["step_base"] + i] = word & 0xFFFFF
        at += head
        if c["has_params"]:
            for j in range(g.outputs):
                self.parameters[c["param_set"]][j] = self._parameter(at)
                at += 8
        for s in range(c["steps"]):
            for bank in range(g.banks):
                codes = self.dram[at : at + g.beat_bytes]
                at += g.beat_bytes
                self._generate(c, s, bank, codes)

    def _generate(self, c: Command, s: int, bank: int, codes: bytes) -> None:
        n, k = c["bits"], c["pc_bits"]
        signed = [x - 256 if c["w_signed"] and x >= 128 else x for x in codes]
        magnitudes = [abs(x - c["w_zero"]) & 0xFF for x in signed]
        signs = [int(x - c["w_zero"] < 0) for x in signed]
        factors = [1 << i for i in range(c["first_row"], n - k)]
        factors += [t << (n - k) for t in range(1, 1 << k)]
        for j, factor in enumerate(factors):
            values = [m * factor >> c["cut"] << c["cut"] for m in magnitudes]
            self.rows[bank][c["row_base"] + s * c["rows"] + j] = (values, signs)

    def _array(self, c: Command) -> None:
        for y in range(c["ny"]):
            for x in range(c["nx"]):
                self._pixel(c, y, x)

    def _pixel(self, c: Command, y: int, x: int) -> None:
        g = self.g
        entry = c["psum"] + y * c["nx"] + x
        acc = list(self.psums[entry]) if c["psum_in"] else [0] * g.outputs
        window = c["src"] + y * c["src_y"] + x * c["src_x"]
        for s in range(c["steps"]):
            for read in range(c["reads"]):
                for position in range(g.reduction_banks):
                    address = window + self.steps[c["step_base"] + s] + position
                    activation = self._byte(address, c["a_signed"]) - c["a_zero"]
                    for cluster in range(g.clusters):
                        bank = cluster * g.reduction_banks + position
                        products = self._access(c, s, read, bank, activation)
                        for lane, product in enumerate(products):
                            j = cluster * g.lanes + lane
                            acc[j] = int32(acc[j] + product)
        if c["psum_out"]:
            self.psums[entry] = acc
            return
        for j in range(c["lanes"]):
            bias, m, shift = self.parameters[c["param_set"]][j]
            code = rhe(int32(acc[j] + bias) * m, shift) + c["y_zero"]
            address = c["dst"] + y * c["dst_y"] + x * c["dst_x"] + j
            self.buffer[self._at(address)] = clamp(code, c["low"], c["high"]) & 0xFF

    def wordlines(self, c: Command, read: int, magnitude: int) -> tuple[list[int], int]:
        """Local rows that are on, and the left shift to undo."""
        n, k = c["bits"], c["pc_bits"]
        shift = n - magnitude.bit_length() if c["left_justify"] else 0
        driven = (magnitude << shift) & (c["masks"] >> 8 * read) & 0xFF
        on = [i - c["first_row"] for i in range(c["first_row"], n - k) if driven >> i & 1]
        top = driven >> (n - k)
        if top > 0:
            on.append(n - k - c["first_row"] + top - 1)
        return on, shift

    def _access(self, c: Command, s: int, read: int, bank: int, activation: int) -> list[int]:
        magnitude = abs(activation) & ((1 << c["bits"]) - 1)
        on, shift = self.wordlines(c, read, magnitude)
        base = c["row_base"] + s * c["rows"]
        products: list[int] = []
        for lane in range(self.g.lanes):
            bits = sign = 0
            for local in on:
                values, signs = self.rows[bank][base + local]
                bits |= values[lane]
                sign |= signs[lane]
            negative = sign ^ (activation < 0)
            products.append(-(bits >> shift) if negative else bits >> shift)
        return products

    def _vector(self, c: Command) -> None:
        """Reads all sources first, then writes: the two do not overlap in a defined program."""
        writes: list[tuple[int, int]] = []
        for i2 in range(c["n2"]):
            for i1 in range(c["n1"]):
                for i0 in range(c["n0"]):
                    a = c["a"] + i2 * c["a2"] + i1 * c["a1"] + i0 * c["a0"]
                    b = c["b"] + i2 * c["b2"] + i1 * c["b1"] + i0 * c["b0"]
                    d = c["dst"] + i2 * c["d2"] + i1 * c["d1"] + i0 * c["d0"]
                    valid = c["tail"] if i0 == c["n0"] - 1 else self.g.beat_bytes
                    if c["op"] == VectorOp.DEPTHWISE:
                        writes += [(d + j, self._depthwise(c, a + j, j)) for j in range(valid)]
                    else:
                        writes += [(d + j, self._result(c, a + j, b + j)) for j in range(valid)]
        for address, value in writes:
            self.buffer[self._at(address)] = value & 0xFF

    def _depthwise(self, c: Command, a: int, channel: int) -> int:
        acc, t = 0, c["tap_base"]
        for jy in range(c["wy"]):
            for jx in range(c["wx"]):
                x = self._byte(a + jy * c["b1"] + jx * c["b0"], c["a_signed"]) - c["a_zero"]
                w = self.taps[t][channel]
                w -= 256 if c["b_signed"] and w >= 128 else 0
                acc = int32(acc + x * (w - c["b_zero"]))
                t += 1
        bias, m, shift = self.channels[c["param_set"]][channel]
        return clamp(rhe(int32(acc + bias) * m, shift) + c["y_zero"], c["low"], c["high"])

    def _result(self, c: Command, a: int, b: int) -> int:
        op = VectorOp(c["op"])
        if op is VectorOp.FILL:
            return c["y_zero"]
        if op is VectorOp.LUT:
            return self.lut[self._byte(a, 0)]
        if op in (VectorOp.MAX, VectorOp.SUM):
            window = [
                self._byte(a + jy * c["b1"] + jx * c["b0"], c["a_signed"]) - c["a_zero"]
                for jy in range(c["wy"])
                for jx in range(c["wx"])
            ]
            value = (max(window) if op is VectorOp.MAX else sum(window)) * c["m0"]
        else:
            x0 = self._byte(a, c["a_signed"]) - c["a_zero"]
            x1 = self._byte(b, c["b_signed"]) - c["b_zero"]
            add = op is VectorOp.ADD
            value = x0 * c["m0"] + x1 * c["m1"] if add else x0 * x1 * c["m0"]
        return clamp(rhe(value, c["shift"]) + c["y_zero"], c["low"], c["high"])
