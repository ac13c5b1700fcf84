"""docs/machine.md as plain loops over Python integers: slow, and shares no code with cimc.sim."""

from __future__ import annotations

from cimc import multipliers
from cimc.targets import Target
from cimc.targets.isa import Command, Opcode, VectorOp
from cimc.targets.packing import WeightPacking


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


def multiply(
    name: str, weights: list[int], signs: list[int], magnitude: int, negative: bool
) -> list[int]:
    """Products of the lanes of a bank by the digital multiplier `name`."""
    table = multipliers.get(name).table(8, 8)
    products = [int(table[weight, magnitude]) for weight in weights]
    return [-p if sign ^ negative else p for p, sign in zip(products, signs, strict=True)]


class NaiveMachine:
    """Architectural state of one machine; `execute` runs one command to completion."""

    def __init__(self, target: Target, dram: bytes):
        g = self.g = target.geometry
        self.groups = target.groups
        self.dram = bytearray(dram)
        self.buffer = bytearray(g.activation_bytes)
        self.lut = bytes(256)
        self.taps = [bytes(g.beat_bytes)] * g.vector_taps
        self.channels = [[(0, 0, 0)] * g.beat_bytes for _ in range(2)]
        self.steps = [0] * g.step_entries
        self.parameters = [[(0, 0, 0)] * (2 * g.outputs) for _ in range(2)]
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
            for j in self._lanes(c, 2 if c["packing"] == WeightPacking.LANES else 1):
                self.parameters[c["param_set"]][j] = self._parameter(at)
                at += 8
        banks = self._banks(c)
        for s in range(c["steps"]):
            for i, bank in enumerate(banks):
                if c["packing"] == WeightPacking.BANKS:
                    beat = self._beat(at + i // 2 * g.beat_bytes)
                    codes = [byte >> 4 * (i % 2) & 15 for byte in beat]
                    self._generate(c, s, bank, *self._weights(c, codes, 4))
                elif c["packing"] == WeightPacking.LANES:
                    beat = self._beat(at + i * g.beat_bytes)
                    first = self._weights(c, [byte & 15 for byte in beat], 4)
                    second = self._weights(c, [byte >> 4 for byte in beat], 4)
                    # Two products of 7 columns and a sign make the 16 columns and a sign of a lane.
                    lanes = zip(*first, second[0], strict=True)
                    self._generate(c, s, bank, [(m, n, h) for m, n, h in lanes], second[1])
                else:
                    beat = self._beat(at + i * g.beat_bytes)
                    self._generate(c, s, bank, *self._weights(c, beat, 8))
            beats = len(banks) // 2 if c["packing"] == WeightPacking.BANKS else len(banks)
            at += beats * g.beat_bytes

    def _clusters(self, c: Command) -> range:
        group = self.groups[c["group"]]
        return range(group.first, group.first + group.geometry.clusters)

    def _lanes(self, c: Command, weights: int = 1) -> range:
        """Output lanes of the group; second weights only exist where there is one group."""
        clusters, lanes = self._clusters(c), self.g.lanes
        return range(clusters.start * lanes, weights * clusters.stop * lanes)

    def _banks(self, c: Command) -> range:
        clusters, banks = self._clusters(c), self.g.reduction_banks
        return range(clusters.start * banks, clusters.stop * banks)

    def _beat(self, at: int) -> bytes:
        return bytes(self.dram[at : at + self.g.beat_bytes])

    def _weights(self, c: Command, codes, bits: int) -> tuple[list[int], list[int]]:
        """Magnitudes and signs of codes of `bits` bits."""
        signed = [x - (1 << bits) if c["w_signed"] and x >> (bits - 1) else x for x in codes]
        weights = [x - c["w_zero"] for x in signed]
        return [abs(w) & 0xFF for w in weights], [int(w < 0) for w in weights]

    def _generate(self, c: Command, s: int, bank: int, weights, signs: list[int]) -> None:
        """Write the rows of `weights`: magnitudes, or (low magnitude, low sign, high magnitude)."""
        n, k, cut = c["bits"], c["pc_bits"], c["cut"]
        if self.groups[c["group"]].multiplier is not None:
            n, k, cut = 1, 1, 0
        factors = [1 << i for i in range(c["first_row"], n - k)]
        factors += [t << (n - k) for t in range(1, 1 << k)]
        half = self.g.lane_columns // 2
        for j, factor in enumerate(factors):

            def row(m: int, factor: int = factor) -> int:
                return m * factor >> cut << cut

            values = [
                row(w) if isinstance(w, int) else row(w[0]) | w[1] << (half - 1) | row(w[2]) << half
                for w in weights
            ]
            self.rows[bank][c["row_base"] + s * c["rows"] + j] = (values, signs)

    def _array(self, c: Command) -> None:
        for y in range(c["ny"]):
            for x in range(c["nx"]):
                self._pixel(c, y, x)

    def _pixel(self, c: Command, y: int, x: int) -> None:
        g = self.g
        entry = c["psum"] + y * c["nx"] + x
        entries = [entry, entry + g.psum_entries // 2] if c["dual"] else [entry]
        acc = [0] * (len(entries) * g.outputs)
        wide = c["wide"]
        if c["psum_in"]:
            acc = [value for e in entries for value in self.psums[e]]
        window = c["src"] + y * c["src_y"] + x * c["src_x"]
        for s in range(c["steps"]):
            for read in range(c["reads"]):
                for cluster in self._clusters(c):
                    for position in range(g.reduction_banks):
                        further = cluster * g.reduction_banks if wide else 0
                        address = window + self.steps[c["step_base"] + s] + further + position
                        activation = self._byte(address, c["a_signed"]) - c["a_zero"]
                        bank = cluster * g.reduction_banks + position
                        products = self._access(c, s, read, bank, activation)
                        for i, product in enumerate(products):
                            weight, lane = divmod(i, g.lanes)
                            j = weight * g.outputs + cluster * g.lanes + lane
                            acc[j] = int32(acc[j] + product)
        lanes = self._lanes(c)
        if c["psum_out"]:
            for i, e in enumerate(entries):
                for lane in lanes:
                    self.psums[e][lane] = acc[i * g.outputs + lane]
            return
        if wide:
            parts = [
                acc[w * g.outputs + k * g.lanes : w * g.outputs + (k + 1) * g.lanes]
                for w in range(len(entries))
                for k in range(g.clusters)
            ]
            acc = [
                int32(sum(sums))
                for w in range(len(entries))
                for sums in zip(*parts[w * g.clusters : (w + 1) * g.clusters], strict=True)
            ]
        for j in range(c["lanes"]):
            lane = lanes.start + j
            bias, m, shift = self.parameters[c["param_set"]][lane]
            code = rhe(int32(acc[lane] + bias) * m, shift) + c["y_zero"]
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
        if (name := self.groups[c["group"]].multiplier) is not None:
            row = self.rows[bank][c["row_base"] + s * c["rows"]]
            masked = magnitude & (c["masks"] >> 8 * read) & 0xFF
            return multiply(name, *row, masked, activation < 0)
        on, shift = self.wordlines(c, read, magnitude)
        base = c["row_base"] + s * c["rows"]
        reads: list[tuple[int, int]] = []
        for lane in range(self.g.lanes):
            bits = sign = 0
            for local in on:
                values, signs = self.rows[bank][base + local]
                bits |= values[lane]
                sign |= signs[lane]
            reads.append((bits, sign))
        if c["dual"]:
            half = self.g.lane_columns // 2
            low = [(b % (1 << half - 1), b >> (half - 1) & 1) for b, _ in reads]
            reads = low + [(b >> half, sign) for b, sign in reads]
        return [
            -(bits >> shift) if sign ^ (activation < 0) else bits >> shift for bits, sign in reads
        ]

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
