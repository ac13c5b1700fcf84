"""Random programs that stay within what docs/machine.md defines.

The activation buffer has two zones of half its size; a command reads one and writes the other.
The first zone lies around address 0, so that its addresses wrap.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from cimc.targets import Target
from cimc.targets.isa import Command, Opcode, VectorOp
from cimc.targets.packing import (
    LaneUse,
    WeightPacking,
    half_lane_bits,
    parameter_lanes,
    step_beats,
    weight_pace,
)
from cimc.targets.program import assemble_blocks, program_bytes

RNG = np.random.Generator


class RandomProgram:
    """`body` commands and the DRAM `image` with their program and data."""

    def __init__(self, target: Target, seed: int, commands: int = 14, *, mismatches: bool = True):
        self.target = target
        self.g = target.geometry
        self.rng = np.random.default_rng(seed)
        self._mismatches = mismatches
        self._data = bytearray()
        self._config: dict[str, int] = {}
        self._weights: dict[str, int] = {}
        self.body: list[Command] = [self._load_all(), self._load_lut(), self._load_weights(True)]
        self.body.append(self._load_taps())
        makers = [self._load_weights, self._array, self._array, self._vector, self._vector]
        makers += [self._load, self._store, self._load_taps, self._depthwise]
        for _ in range(commands):
            maker = makers[self.rng.integers(len(makers))]
            self.body += [maker()]
        self.body.append(self._store())
        self._serialise()
        self._relocate()

    def _serialise(self) -> None:
        """Tokens from every command to the next, where another unit executes that."""
        for giver, taker in pairwise(self.body):
            if giver.unit is not None and taker.unit not in (None, giver.unit):
                giver.values["signal"] = 1 << taker.unit
                taker.values["wait"] = 1 << giver.unit

    def _relocate(self) -> None:
        base = len(program_bytes(self.body, self.target))
        for i, command in enumerate(self.body):
            command.values.update(tag=i, mark=1)
            if "dram" in command.values:
                command.values["dram"] += base
        self.commands = assemble_blocks(self.body, self.target)
        self.image = program_bytes(self.body, self.target) + bytes(self._data)

    def _int(self, low: int, high: int) -> int:
        """Uniform in [low, high]."""
        return int(self.rng.integers(low, high, endpoint=True))

    def _put(self, data: bytes, offset: int = 0) -> int:
        """Place `data` at an address that is `offset` modulo a beat."""
        self._data += bytes(-len(self._data) % self.g.beat_bytes + offset)
        self._data += data
        return len(self._data) - len(data)

    def _bytes(self, size: int) -> bytes:
        return self.rng.integers(0, 256, size, dtype=np.uint8).tobytes()

    def _zones(self) -> tuple[int, int]:
        """Centre addresses of the zone to read and the zone to write."""
        half = self.g.activation_bytes // 2
        return (0, half) if self.rng.random() < 0.6 else (half, 0)

    def _near(self, centre: int) -> int:
        """An address near `centre`, often so near that strides pass it."""
        reach = self.g.activation_bytes // (16 if self.rng.random() < 0.5 else 512)
        return (centre + self._int(-reach, reach)) % self.g.activation_bytes

    def _stride(self) -> int:
        reach = self.g.activation_bytes // 256
        return self._int(-reach, reach)

    def _codes(self) -> dict[str, int]:
        signed = self._int(0, 1)
        low = self._int(-128, 0) if signed else self._int(0, 100)
        high = low + self._int(0, 127)
        inside = self.rng.random() < 0.7
        return {
            "y_zero": self._int(low, high) if inside else self._int(-256, 255),
            "low": low,
            "high": high,
        }

    def _load_all(self) -> Command:
        size = self.g.activation_bytes
        return Command(Opcode.LOAD, {"dram": self._put(self._bytes(size)), "bytes": size})

    def _span(self) -> tuple[int, int]:
        size, last = self._int(1, 5 * self.g.beat_bytes), self.g.activation_bytes - 1
        return size, self._int(last - size if self.rng.random() < 0.3 else 0, last)

    def _load(self) -> Command:
        size, address = self._span()
        at = self._put(self._bytes(size), address % self.g.beat_bytes)
        return Command(Opcode.LOAD, {"dram": at, "buffer": address, "bytes": size})

    def _store(self) -> Command:
        size, address = self._span()
        at = self._put(bytes(size), address % self.g.beat_bytes)
        return Command(Opcode.STORE, {"dram": at, "buffer": address, "bytes": size})

    def _load_lut(self) -> Command:
        return Command(Opcode.LOAD_LUT, {"dram": self._put(self._bytes(256))})

    def _load_taps(self) -> Command:
        values = {"taps": self._int(1, 20), "base": self._int(0, 9), "param_set": self._int(0, 1)}
        data = self._bytes(values["taps"] * self.g.beat_bytes)
        data += b"".join(self._parameter() for _ in range(self.g.beat_bytes))
        return Command(Opcode.LOAD_TAPS, {**values, "dram": self._put(data)})

    def _depthwise(self) -> Command:
        command = self._vector()
        command.values["op"] = int(VectorOp.DEPTHWISE)
        return command

    def _packing(self) -> WeightPacking:
        return WeightPacking(self._int(0, 1 if self.target.multipliers else 2))

    def _weight_bytes(self, packing: WeightPacking, values: dict[str, int]) -> bytes:
        geometry = self.target.groups[values["group"]].geometry
        size = values["steps"] * step_beats(geometry, packing) * geometry.beat_bytes
        if packing != WeightPacking.LANES:
            return self._bytes(size)
        # Products of a shared lane must fit its half.
        values["w_zero"] = self._int(-2, 2) if values["w_signed"] else self._int(6, 9)
        most = min(6, (1 << half_lane_bits(self.g) - values["bits"]) - 1)
        codes = values["w_zero"] + self.rng.integers(-most, most, (2, size), endpoint=True)
        low, high = codes.clip(-8, 7 if values["w_signed"] else 15) & 15
        return (low | high << 4).astype(np.uint8).tobytes()

    def _row_config(self, most: int = 8) -> dict[str, int]:
        bits = self._int(2, most)
        pc_bits = self._int(1, min(4, bits))
        first_row = self._int(0, min(1, bits - pc_bits))
        rows = bits - pc_bits - first_row + 2**pc_bits - 1
        rows = 1 if self.target.multipliers else rows
        return {"bits": bits, "pc_bits": pc_bits, "first_row": first_row, "rows": rows}

    def _load_weights(self, params: bool | None = None) -> Command:
        number = self._int(0, len(self.target.groups) - 1)
        g = self.target.groups[number].geometry
        packing = self._packing()
        config = self._row_config(half_lane_bits(g) - 1 if packing == WeightPacking.LANES else 8)
        steps = self._int(1, min(4, g.bank_rows // config["rows"]))
        per_beat = g.beat_bytes // 4
        values = {
            **config,
            "steps": steps,
            "step_base": per_beat * self._int(0, g.step_entries // per_beat - 4),
            "row_base": self._int(0, g.bank_rows - steps * config["rows"]),
            "pace": weight_pace(g, packing, config["rows"]) + self._int(0, 2),
            "cut": self._int(0, 9),
            "w_signed": self._int(0, 1),
            "w_zero": self._int(-8, 8),
            "has_params": self._int(0, 1) if params is None else int(params),
            "param_set": 0 if params else self._int(0, 1),
            "packing": int(packing),
            "group": number,
        }
        offsets = self.rng.integers(0, g.activation_bytes // 32, steps).astype("<u4")
        offsets |= self.rng.integers(0, 1 << 12, steps).astype("<u4") << 20  # not used
        data = offsets.tobytes()
        data += bytes(-len(data) % g.beat_bytes)
        if values["has_params"]:
            data += b"".join(self._parameter() for _ in range(parameter_lanes(g, packing)))
        values["dram"] = self._put(data + self._weight_bytes(packing, values))
        self._weights = values
        return Command(Opcode.LOAD_WEIGHTS, dict(values))

    def _parameter(self) -> bytes:
        reach = 31 if self.rng.random() < 0.1 else 15
        bias = self._int(-(2**reach), 2**reach - 1)
        m = self._int(0, 2**24 - 1)
        shift = self._int(28, 38) if self.rng.random() < 0.9 else self._int(0, 63)
        return ((bias & 0xFFFFFFFF) | m << 32 | shift << 56).to_bytes(8, "little")

    def _array(self) -> Command:
        w = self._weights
        number = w["group"] if self.rng.random() < 0.8 else 0
        g = self.target.groups[number].geometry
        nx, ny, reads = self._int(1, 3), self._int(1, 2), (1, 1, 2, 4, 8)[self._int(0, 4)]
        read, write = self._zones()
        values = {n: w[n] for n in ("bits", "pc_bits", "first_row", "rows", "row_base", "steps")}
        if self._mismatches and self.rng.random() < 0.4:
            values.update(self._mismatch(values))
        matches = self.rng.random() < 0.9 or not self._mismatches
        dual = (w["packing"] == WeightPacking.LANES) == matches
        values["dual"] = int(dual and not self.target.multipliers)
        values["wide"] = int(self.rng.random() < 0.3 and len(self.target.groups) == 1)
        use = LaneUse(WeightPacking(2 * values["dual"]), wide=bool(values["wide"]))
        lanes = self._int(1, use.outputs(g))
        post = int(self.rng.random() < 0.7)
        least = max(values["steps"] * reads, -(-lanes // g.requant_lanes) if post else 1)
        zone = int(self.rng.random() < 0.5)
        # Often from one half of the partial sums to the other, which second weights use.
        across = (g.psum_entries // 2 - 4) * int(not values["dual"] and self.rng.random() < 0.3)
        values.update(
            src=self._near(read),
            dst=self._near(write),
            nx=nx,
            ny=ny,
            step_base=w["step_base"],
            left_justify=self._int(0, 1),
            reads=reads,
            masks=int.from_bytes(self._bytes(reads), "little"),
            a_signed=self._int(0, 1),
            a_zero=self._int(-20, 140) * zone,
            period=least + self._int(0, 2),
            psum=self._int(0, 3) + across,
            psum_in=self._int(0, 1),
            psum_out=1 - post,
            lanes=lanes,
            param_set=self._int(0, 1),
            group=number,
            **{n: self._stride() for n in ("src_x", "src_y", "dst_x", "dst_y")},
            **self._codes(),
        )
        return Command(Opcode.ARRAY, values)

    def _mismatch(self, values: dict[str, int]) -> dict[str, int]:
        """Other rows than those that were loaded, or windows across row-groups."""
        shifted = {"rows": values["rows"], "steps": max(1, values["steps"] - 1)}
        other = self._row_config() if self.rng.random() < 0.5 else shifted
        steps = min(other.get("steps", values["steps"]), self.g.bank_rows // other["rows"])
        last = self.g.bank_rows - steps * other["rows"]
        base = min(last, values["row_base"] + self._int(0, other["rows"] - 1))
        return {**other, "steps": steps, "row_base": base}

    def _vector(self) -> Command:
        read, write = self._zones()
        reach = self._int(6, 31)
        strides = ("a0", "a1", "a2", "b0", "b1", "b2", "d0", "d1", "d2")
        values = {
            "op": self._int(0, max(VectorOp)),
            "a": self._near(read),
            "b": self._near(read),
            "dst": self._near(write),
            "a_signed": self._int(0, 1),
            "b_signed": self._int(0, 1),
            "m0": self._int(-(2**reach), 2**reach - 1),
            "m1": self._int(-(2**reach), 2**reach - 1),
            "shift": reach + self._int(-2, 6) if self.rng.random() < 0.9 else self._int(0, 63),
            "a_zero": self._int(-256, 255),
            "b_zero": self._int(-256, 255),
            "tail": self._int(1, self.g.beat_bytes),
            "tap_base": self._int(0, 20),
            "param_set": self._int(0, 1),
            **{n: self._int(1, 3) for n in ("n0", "n1", "n2", "wx", "wy")},
            **{n: self._stride() for n in strides},
            **self._codes(),
        }
        return Command(Opcode.VECTOR, values)
