// Products of two parts of at most 16 entries each, of two reduction indices at once: the entries
// of both are in one register, and one instruction adds both products up. See lanes.h.
#pragma once

#include "lanes.h"

namespace cimc::CIMC_SET {
namespace {

// Reduction indices whose codes are in the first cache together; two are a pair.
constexpr int kPairDepth = 64;
constexpr int kPairRows = 16;
constexpr int kMostPairVectors = 7;

// Where the entries of a weight are, and its sign in the lanes of either index of a pair.
struct PairTables {
  const uint16_t* entries;
  const uint16_t* place;     // [256]
  uint32_t sign[2][256];
};

// Both entries of `first` and of `second`: one part of each, side by side.
inline __m512i beside(const uint16_t* first, const uint16_t* second) {
  const __m512i low = _mm512_castsi256_si512(_mm256_load_si256(
      reinterpret_cast<const __m256i*>(first)));
  return _mm512_mask_broadcast_i64x4(
      low, 0xf0, _mm256_load_si256(reinterpret_cast<const __m256i*>(second)));
}

// Adds the products of columns n and n + 1 up: sums [2 columns][vectors] of 16 rows. The panel has
// indices [pairs][vectors][2 parts] of 32.
template <Mode kMode, int kVectors>
void add_pairs(const PairTables& tables, const uint16_t* panel, const uint8_t* w, size_t w_stride,
               int next, int depth, int32_t* sums) {
  const __m512i ones = _mm512_set1_epi16(1);
  const uint16_t* nothing = tables.entries + kNoWeight;
  __m512i total[2][kVectors];
  for (int c = 0; c < 2; c++)
    for (int v = 0; v < kVectors; v++)
      total[c][v] = _mm512_load_si512(sums + (c * kVectors + v) * kPairRows);
#pragma GCC unroll 1
  for (int k = 0; k < depth; k += 2, panel += kVectors * 64, w += 2 * w_stride) {
    __m512i low[2], high[2], flip[2];
    for (int c = 0; c < 2; c++) {
      const uint8_t code = w[c * next];
      const uint16_t *first = tables.entries + tables.place[code], *second = nothing;
      uint32_t sign = tables.sign[0][code];
      if (k + 1 < depth) {
        const uint8_t other = w[w_stride + c * next];
        second = tables.entries + tables.place[other];
        sign |= tables.sign[1][other];
      }
      low[c] = beside(first, second);
      high[c] = beside(first + 16, second + 16);
      flip[c] = _mm512_set1_epi32(static_cast<int>(sign));
    }
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) {
      __m512i i = _mm512_load_si512(panel + v * 64), j = _mm512_load_si512(panel + v * 64 + 32);
      asm("" : "+v"(i), "+v"(j));  // loaded once for both columns
#pragma GCC unroll 2
      for (int c = 0; c < 2; c++) {
        const __m512i x = _mm512_permutexvar_epi16(i, low[c]);
        const __m512i y = _mm512_permutexvar_epi16(j, high[c]);
        const __m512i value = kMode == Mode::kOr ? _mm512_ternarylogic_epi32(x, y, flip[c], 0x56)
                                                 : _mm512_add_epi16(x, y);
        total[c][v] = _mm512_dpwssd_epi32(total[c][v], value, ones);
      }
    }
  }
  for (int c = 0; c < 2; c++)
    for (int v = 0; v < kVectors; v++)
      _mm512_store_si512(sums + (c * kVectors + v) * kPairRows, total[c][v]);
}

// Indices of rows of `o` from `row` on and of reduction indices from `k0` on. Of a 16-bit index
// only the lower bits count.
template <int kVectors>
void pack_pairs(const LaneWords& words, const Operands& o, int row, int k0, int depth,
                uint16_t* panel) {
  const __mmask64 valid = depth == kPairDepth ? ~0ull : (1ull << depth) - 1;
  const __m512i second = _mm512_set1_epi16(0x1000);  // the other half of a register
  alignas(64) uint8_t order[2][64] = {};             // bytes of a pair of each row, as words
  for (int i = 0; i < 32; i++) {
    order[0][2 * i] = static_cast<uint8_t>(i / 2 * 4 + i % 2);
    order[1][2 * i] = static_cast<uint8_t>(i / 2 * 4 + i % 2 + 2);
  }
  for (int v = 0; v < kVectors; v++) {
    __m512i part[kPairRows];
    for (int i = 0; i < kPairRows; i++) {
      const int at = row + v * kPairRows + i;
      part[i] = _mm512_setzero_si512();
      if (at < o.rows)
        part[i] = _mm512_maskz_loadu_epi8(valid, o.a + static_cast<size_t>(at) * o.a_stride + k0);
    }
    transpose(part);  // [i] has bytes 4 i .. 4 i + 3 of each row
    for (int i = 0; i < kPairRows && 4 * i < depth; i++) {
      const __m512i low = _mm512_add_epi8(translate(words.low, part[i]), second);
      const __m512i high = _mm512_add_epi8(translate(words.high, part[i]), second);
      for (int h = 0; h < 2; h++) {
        uint16_t* to = panel + ((2 * i + h) * kVectors + v) * 64;
        const __m512i bytes = _mm512_load_si512(order[h]);
        _mm512_store_si512(to, _mm512_permutexvar_epi8(bytes, low));
        _mm512_store_si512(to + 32, _mm512_permutexvar_epi8(bytes, high));
      }
    }
  }
}

template <Mode kMode, int kVectors>
void multiply_pairs(const LaneWords& words, const PairTables& tables, const Operands& o, int row,
                    const int32_t* constant, uint16_t* panel, int32_t* sums) {
  constexpr int kColumnSums = kVectors * kPairRows;
  const int padded = (o.columns + 15) / 16 * 16;
  std::memset(sums, 0, static_cast<size_t>(padded) * kColumnSums * 4);
  for (int k0 = 0; k0 < o.depth; k0 += kPairDepth) {
    const int depth = o.depth - k0 < kPairDepth ? o.depth - k0 : kPairDepth;
    pack_pairs<kVectors>(words, o, row, k0, depth, panel);
    for (int n = 0; n < o.columns; n += 2) {
      const uint8_t* w = o.w + static_cast<size_t>(k0) * o.w_stride + n;
      const int next = n + 1 < o.columns;  // the last column alone is computed twice
      add_pairs<kMode, kVectors>(tables, panel, w, o.w_stride, next, depth,
                                 sums + n * kColumnSums);
    }
  }
  for (int n = 0; n < o.columns; n += 16)
    for (int v = 0; v < kVectors; v++) {
      __m512i part[16];
      for (int c = 0; c < 16; c++)
        part[c] = _mm512_load_si512(sums + (n + c) * kColumnSums + v * kPairRows);
      put(o, part, row + v * kPairRows, 1, n, constant);
    }
}

template <Mode kMode>
void multiply_by_pairs(const Plan& plan, const Operands& o, Workspace& workspace) {
  const size_t columns = rounded_up(static_cast<size_t>(o.columns));
  constexpr size_t kPanel = kPairDepth * kMostPairVectors * 64;
  char* memory = workspace.get(kPanel + columns * 4 + columns * kMostPairVectors * kPairRows * 4);
  uint16_t* panel = reinterpret_cast<uint16_t*>(memory);
  int32_t* constant = reinterpret_cast<int32_t*>(memory + kPanel);
  int32_t* sums = constant + columns;
  count_odd(plan, o, constant);
  for (size_t n = 0; n < columns; n++) constant[n] = o.depth * plan.base + constant[n] * plan.step;
  PairTables tables{plan.words.pairs, plan.words.pair_place, {}};
  for (int w = 0; w < 256; w++) {
    tables.sign[0][w] = static_cast<uint16_t>(plan.sign[w]);
    tables.sign[1][w] = tables.sign[0][w] << 16;
  }
  int vectors = (o.rows + kPairRows - 1) / kPairRows;
  int blocks = (vectors + kMostPairVectors - 1) / kMostPairVectors;
  for (int row = 0; blocks; blocks--) {
    const int now = (vectors + blocks - 1) / blocks;
    const auto run = now == 7   ? multiply_pairs<kMode, 7>
                     : now == 6 ? multiply_pairs<kMode, 6>
                     : now == 5 ? multiply_pairs<kMode, 5>
                     : now == 4 ? multiply_pairs<kMode, 4>
                     : now == 3 ? multiply_pairs<kMode, 3>
                     : now == 2 ? multiply_pairs<kMode, 2>
                                : multiply_pairs<kMode, 1>;
    run(plan.words, tables, o, row, constant, panel, sums);
    row += now * kPairRows;
    vectors -= now;
  }
}

}  // namespace
}  // namespace cimc::CIMC_SET
