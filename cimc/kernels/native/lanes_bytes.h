// Products of any table of 256 entries a weight, low and high bytes apart: see lanes.h.
#pragma once

#include "lanes.h"

namespace cimc::CIMC_SET {
namespace {

// Bytes of so many products add up in 16 bits.
constexpr int kByteDepth = 256;
constexpr int kByteRows = 64;
constexpr int kMostByteVectors = 4;

// Codes [kByteDepth, vectors, 64], their upper bits, and whether there are any.
struct BytePanel {
  uint8_t* codes;
  uint64_t* upper;
  uint8_t* any;
};

// One byte of all products of a weight, for codes below 128 and above.
struct BytePlane {
  __m512i part[4];
  __m512i lower(__m512i code) const { return _mm512_permutex2var_epi8(part[0], code, part[1]); }
  __m512i all(__m512i code, __mmask64 upper) const {
    return _mm512_mask_blend_epi8(upper, lower(code),
                                  _mm512_permutex2var_epi8(part[2], code, part[3]));
  }
};

// Sums of bytes: of pairs of bytes as they are, and of the odd ones.
struct ByteSums {
  __m512i all, odd;
  void add(__m512i bytes) {
    all = _mm512_add_epi16(all, bytes);
    // A product unit is free while the permutation units are not.
    odd = _mm512_add_epi16(odd, _mm512_maddubs_epi16(bytes, _mm512_set1_epi16(0x100)));
  }
  __m512i even() const { return _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8)); }
};

// sums[0], [1] += low + 256 high of the even and odd 16-bit lanes.
inline void widen_into(int32_t* sums, __m512i low, __m512i high) {
  const __m512i mask = _mm512_set1_epi32(0xffff);
  const __m512i even = _mm512_add_epi32(
      _mm512_and_si512(low, mask), _mm512_slli_epi32(_mm512_and_si512(high, mask), 8));
  const __m512i odd = _mm512_add_epi32(_mm512_srli_epi32(low, 16),
                                       _mm512_slli_epi32(_mm512_srli_epi32(high, 16), 8));
  _mm512_store_si512(sums, _mm512_add_epi32(_mm512_load_si512(sums), even));
  _mm512_store_si512(sums + 16, _mm512_add_epi32(_mm512_load_si512(sums + 16), odd));
}

// Adds the products of one column up: sums [vectors][rows 4 i, 4 i + 2, 4 i + 1, 4 i + 3] of 16.
template <int kVectors>
void add_bytes(const uint8_t* planes, const BytePanel& panel, const uint8_t* w, size_t w_stride,
               int depth, int32_t* sums) {
  ByteSums low[kVectors] = {}, high[kVectors] = {};
#pragma GCC unroll 1
  for (int k = 0; k < depth; k++) {
    const uint8_t* table = planes + static_cast<size_t>(w[k * w_stride]) * 512;
    const uint8_t* codes = panel.codes + static_cast<size_t>(k) * kVectors * kByteRows;
    BytePlane first, second;
    first.part[0] = _mm512_load_si512(table);
    first.part[1] = _mm512_load_si512(table + 64);
    second.part[0] = _mm512_load_si512(table + 256);
    second.part[1] = _mm512_load_si512(table + 320);
    if (!panel.any[k]) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; v++) {
        const __m512i code = _mm512_load_si512(codes + v * kByteRows);
        low[v].add(first.lower(code));
        high[v].add(second.lower(code));
      }
      continue;
    }
    for (int i = 2; i < 4; i++) {
      first.part[i] = _mm512_load_si512(table + 64 * i);
      second.part[i] = _mm512_load_si512(table + 256 + 64 * i);
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; v++) {
      const __m512i code = _mm512_load_si512(codes + v * kByteRows);
      const __mmask64 upper = panel.upper[k * kVectors + v];
      low[v].add(first.all(code, upper));
      high[v].add(second.all(code, upper));
    }
  }
  for (int v = 0; v < kVectors; v++) {
    widen_into(sums + v * kByteRows, low[v].even(), high[v].even());
    widen_into(sums + v * kByteRows + 32, low[v].odd, high[v].odd);
  }
}

template <int kVectors>
void pack_bytes(const Operands& o, int row, int k0, int depth, const BytePanel& panel) {
  alignas(64) uint8_t codes[64][64];
  std::memset(panel.any, 0, kByteDepth);
  for (int v = 0; v < kVectors; v++) {
    const int first = row + v * kByteRows;
    const int rows = first < o.rows ? o.rows - first : 0;
    for (int k1 = 0; k1 < depth; k1 += 64) {
      const int some = depth - k1 < 64 ? depth - k1 : 64;
      transpose_codes(o.a + static_cast<size_t>(first) * o.a_stride + k0 + k1, o.a_stride,
                      rows < 64 ? rows : 64, some, codes);
      for (int k = 0; k < some; k++) {
        const __m512i code = _mm512_load_si512(codes[k]);
        const uint64_t upper = _mm512_movepi8_mask(code);
        const int at = (k1 + k) * kVectors + v;
        _mm512_store_si512(panel.codes + at * kByteRows, code);
        panel.upper[at] = upper;
        panel.any[k1 + k] |= upper != 0;
      }
    }
  }
}

template <int kVectors>
void multiply_bytes(const Plan& plan, const Operands& o, int row, const int32_t* constant,
                    const BytePanel& panel, int32_t* sums) {
  constexpr int kColumnSums = kVectors * kByteRows;
  const int padded = (o.columns + 15) / 16 * 16;
  std::memset(sums, 0, static_cast<size_t>(padded) * kColumnSums * 4);
  for (int k0 = 0; k0 < o.depth; k0 += kByteDepth) {
    const int depth = o.depth - k0 < kByteDepth ? o.depth - k0 : kByteDepth;
    pack_bytes<kVectors>(o, row, k0, depth, panel);
    for (int n = 0; n < o.columns; n++)
      add_bytes<kVectors>(plan.planes, panel, o.w + static_cast<size_t>(k0) * o.w_stride + n,
                          o.w_stride, depth, sums + n * kColumnSums);
  }
  constexpr int kFirst[4] = {0, 2, 1, 3};
  for (int n = 0; n < o.columns; n += 16)
    for (int v = 0; v < kVectors; v++)
      for (int q = 0; q < 4; q++) {
        __m512i part[16];
        for (int c = 0; c < 16; c++)
          part[c] = _mm512_load_si512(sums + (n + c) * kColumnSums + v * kByteRows + q * 16);
        put(o, part, row + v * kByteRows + kFirst[q], 4, n, constant);
      }
}

void multiply_by_bytes(const Plan& plan, const Operands& o, Workspace& workspace) {
  const size_t columns = rounded_up(static_cast<size_t>(o.columns));
  constexpr size_t kCodes = kByteDepth * kMostByteVectors * kByteRows;
  constexpr size_t kUpper = kByteDepth * kMostByteVectors * 8;
  char* memory = workspace.get(kCodes + kUpper + kByteDepth + columns * 4 +
                               columns * kMostByteVectors * kByteRows * 4);
  const BytePanel panel{reinterpret_cast<uint8_t*>(memory),
                        reinterpret_cast<uint64_t*>(memory + kCodes),
                        reinterpret_cast<uint8_t*>(memory + kCodes + kUpper)};
  int32_t* constant = reinterpret_cast<int32_t*>(memory + kCodes + kUpper + kByteDepth);
  int32_t* sums = constant + columns;
  for (size_t n = 0; n < columns; n++) constant[n] = -o.depth * kPlaneOffset;
  int vectors = (o.rows + kByteRows - 1) / kByteRows;
  int blocks = (vectors + kMostByteVectors - 1) / kMostByteVectors;
  for (int row = 0; blocks; blocks--) {
    const int now = (vectors + blocks - 1) / blocks;
    const auto run = now == 4   ? multiply_bytes<4>
                     : now == 3 ? multiply_bytes<3>
                     : now == 2 ? multiply_bytes<2>
                                : multiply_bytes<1>;
    run(plan, o, row, constant, panel, sums);
    row += now * kByteRows;
    vectors -= now;
  }
}

}  // namespace
}  // namespace cimc::CIMC_SET
