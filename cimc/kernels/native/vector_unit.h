// VECTOR commands of docs/machine.md on one memory, for one instruction set: see row_gather.h.
#pragma once

#include <cstring>

#include "instruction_set.h"
#include "rounding.h"

namespace cimc::CIMC_SET {
namespace {

// Bytes that are computed together.
constexpr int kChunk = 32;

// Codes as unsigned numbers and what to take off: (code ^ flip) - offset is code - zero.
struct Source {
  const uint8_t* memory;
  size_t mask;
  uint8_t flip;
  int32_t offset;
};

Source source(const VectorCommand& c, const uint8_t* memory, bool is_signed, int32_t zero) {
  return {memory, c.size - 1, static_cast<uint8_t>(is_signed ? 128 : 0),
          zero + (is_signed ? 128 : 0)};
}

// `kChunk` codes from address `at` on; `room` keeps those that pass the end of the memory.
inline const uint8_t* read(const Source& s, int64_t at, uint8_t* room) {
  const size_t begin = static_cast<size_t>(at) & s.mask;
  if (begin + kChunk <= s.mask + 1) return s.memory + begin;
  for (int i = 0; i < kChunk; i++) room[i] = s.memory[(begin + i) & s.mask];
  return room;
}

void largest(const VectorCommand& c, const Source& s, int64_t at, int64_t* value) {
  alignas(64) uint8_t room[kChunk], most[kChunk] = {};
  for (int y = 0; y < c.wy; y++)
    for (int x = 0; x < c.wx; x++) {
      const uint8_t* codes = read(s, at + y * c.window_y + x * c.window_x, room);
      for (int i = 0; i < kChunk; i++) {
        const uint8_t code = codes[i] ^ s.flip;
        most[i] = code > most[i] ? code : most[i];
      }
    }
  for (int i = 0; i < kChunk; i++) value[i] = (most[i] - s.offset) * c.m0;
}

// Sum of the window's values, each times its tap if there are taps.
template <bool kTaps>
void add_up(const VectorCommand& c, const Source& s, int64_t at, const int32_t* taps, int width,
            int32_t* total) {
  alignas(64) uint8_t room[kChunk];
  for (int i = 0; i < kChunk; i++) total[i] = 0;
  for (int y = 0; y < c.wy; y++)
    for (int x = 0; x < c.wx; x++) {
      const uint8_t* codes = read(s, at + y * c.window_y + x * c.window_x, room);
      for (int i = 0; i < width; i++) {
        const int32_t value = (codes[i] ^ s.flip) - s.offset;
        total[i] += kTaps ? value * taps[i] : value;
      }
      if (kTaps) taps += c.beat;
    }
}

void store(const VectorCommand& c, const int64_t* value, uint8_t* to, int width) {
  alignas(64) uint8_t codes[kChunk];
  for (int i = 0; i < kChunk; i++)
    codes[i] = clamped(rounded(value[i], c.shift) + c.zero, c.low, c.high);
  std::memcpy(to, codes, width);
}

// One chunk of a beat: bytes `lane` .. `lane` + width.
void compute_chunk(const VectorCommand& c, const Source& a, const Source& b, int64_t at_a,
                   int64_t at_b, int lane, int width, uint8_t* to) {
  alignas(64) uint8_t room_a[kChunk], room_b[kChunk];
  alignas(64) int32_t total[kChunk];
  alignas(64) int64_t value[kChunk];
  switch (c.op) {
    case VectorOp::kFill:
      std::memset(to, c.zero & 255, width);
      return;
    case VectorOp::kLut: {
      const uint8_t* codes = read(a, at_a, room_a);
      for (int i = 0; i < width; i++) to[i] = c.lut[codes[i]];
      return;
    }
    case VectorOp::kMax:
      largest(c, a, at_a, value);
      break;
    case VectorOp::kSum:
      add_up<false>(c, a, at_a, nullptr, kChunk, total);
      for (int i = 0; i < kChunk; i++) value[i] = total[i] * c.m0;
      break;
    case VectorOp::kAdd:
    case VectorOp::kMul: {
      const uint8_t* x = read(a, at_a, room_a);
      const uint8_t* y = read(b, at_b, room_b);
      const bool add = c.op == VectorOp::kAdd;
      for (int i = 0; i < kChunk; i++) {
        const int64_t left = (x[i] ^ a.flip) - a.offset, right = (y[i] ^ b.flip) - b.offset;
        value[i] = add ? left * c.m0 + right * c.m1 : left * right * c.m0;
      }
      break;
    }
    case VectorOp::kDepthwise:
      add_up<true>(c, a, at_a, c.taps + lane, width, total);
      for (int i = 0; i < width; i++) {
        const int64_t sum = static_cast<int64_t>(total[i] + c.bias[lane + i]);
        const int64_t code = rounded(sum * c.multiplier[lane + i], c.shifts[lane + i]) + c.zero;
        to[i] = clamped(code, c.low, c.high);
      }
      return;
  }
  store(c, value, to, width);
}

}  // namespace

void compute(const VectorCommand& c, const uint8_t* memory, uint8_t* results) {
  const Source a = source(c, memory, c.a_signed, c.a_zero);
  const Source b = source(c, memory, c.b_signed, c.b_zero);
  for (int64_t i2 = 0; i2 < c.count[0]; i2++)
    for (int64_t i1 = 0; i1 < c.count[1]; i1++)
      for (int64_t i0 = 0; i0 < c.count[2]; i0++, results += c.beat) {
        const int64_t at_a = c.a + i2 * c.a_stride[0] + i1 * c.a_stride[1] + i0 * c.a_stride[2];
        const int64_t at_b = c.b + i2 * c.b_stride[0] + i1 * c.b_stride[1] + i0 * c.b_stride[2];
        const int valid = i0 + 1 < c.count[2] ? c.beat : c.tail;
        for (int lane = 0; lane < valid; lane += kChunk) {
          const int width = valid - lane < kChunk ? valid - lane : kChunk;
          compute_chunk(c, a, b, at_a + lane, at_b + lane, lane, width, results + lane);
        }
      }
}

}  // namespace cimc::CIMC_SET
