// Products of two parts of at most 32 entries each: see lanes.h.
#pragma once

#include "lanes.h"

namespace cimc::CIMC_SET {
namespace {

// Reduction indices that are packed together, and whose codes are in the first cache together.
constexpr int kWordDepth = 64;
constexpr int kWordsAtOnce = 32;
constexpr int kMostVectors = 4;

// Adds the products of columns n and n + 1 up: sums [2 columns][vectors][even, odd rows] of 16. The
// panel has [vectors][2 parts] of 32 indices for each reduction index; only their lower bits count.
template <Mode kMode, int kGroup, int kVectors>
void add_words(const LaneWords& words, const int32_t* sign, const uint16_t* panel,
               const uint8_t* w, size_t w_stride, int next, int depth, int32_t* sums) {
  const __m512i even = _mm512_set1_epi32(1), odd = _mm512_set1_epi32(1 << 16);
  __m512i total[2][kVectors][2];
  for (int c = 0; c < 2; c++)
    for (int v = 0; v < kVectors; v++)
      for (int h = 0; h < 2; h++)
        total[c][v][h] = _mm512_load_si512(sums + ((c * kVectors + v) * 2 + h) * 16);
#pragma GCC unroll 1
  for (int k = 0; k < depth; k += kGroup) {
    __m512i low[kGroup][2], high[kGroup][2], flip[kGroup][2];
#pragma GCC unroll 4
    for (int g = 0; g < kGroup; g++)
#pragma GCC unroll 2
      for (int c = 0; c < 2; c++) {
        const uint8_t code = w[static_cast<size_t>(k + g) * w_stride + c * next];
        const uint16_t* table = words.table + words.place[code];
        low[g][c] = _mm512_load_si512(table);
        high[g][c] = _mm512_load_si512(table + 32);
        if (kMode == Mode::kOr) flip[g][c] = _mm512_set1_epi32(sign[code]);
      }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; v++) {
      __m512i some[2];
#pragma GCC unroll 4
      for (int g = 0; g < kGroup; g++) {
        const int at = ((k + g) * kVectors + v) * 2 * kVectorRows;
        __m512i i = _mm512_load_si512(panel + at);
        __m512i j = _mm512_load_si512(panel + at + kVectorRows);
        asm("" : "+v"(i), "+v"(j));  // loaded once for both columns
#pragma GCC unroll 2
        for (int c = 0; c < 2; c++) {
          const __m512i x = _mm512_permutexvar_epi16(i, low[g][c]);
          const __m512i y = _mm512_permutexvar_epi16(j, high[g][c]);
          const __m512i value = kMode == Mode::kOr
                                    ? _mm512_ternarylogic_epi32(x, y, flip[g][c], 0x56)
                                    : _mm512_add_epi16(x, y);
          some[c] = g ? _mm512_add_epi16(some[c], value) : value;
        }
      }
      for (int c = 0; c < 2; c++) {
        total[c][v][0] = _mm512_dpwssd_epi32(total[c][v][0], some[c], even);
        total[c][v][1] = _mm512_dpwssd_epi32(total[c][v][1], some[c], odd);
      }
    }
  }
  for (int c = 0; c < 2; c++)
    for (int v = 0; v < kVectors; v++)
      for (int h = 0; h < 2; h++)
        _mm512_store_si512(sums + ((c * kVectors + v) * 2 + h) * 16, total[c][v][h]);
}

// Indices of rows of `o` from `row` on and of reduction indices from `k0` on.
template <int kVectors>
void pack_words(const LaneWords& words, const Operands& o, int row, int k0, int depth,
                uint16_t* panel) {
  alignas(64) uint8_t codes[64][64];
  // Bytes that are put together in lanes of 128 bits then lie in the order of their rows.
  const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
  for (int v = 0; v < kVectors; v += 2) {
    const int first = row + v * kVectorRows;
    const int rows = first < o.rows ? o.rows - first : 0;
    transpose_codes(o.a + static_cast<size_t>(first) * o.a_stride + k0, o.a_stride,
                    rows < 64 ? rows : 64, depth, codes);
    for (int k = 0; k < depth; k++) {
      const __m512i code = _mm512_permutexvar_epi64(order, _mm512_load_si512(codes[k]));
      const __m512i i = translate(words.low, code), j = translate(words.high, code);
      uint16_t* to = panel + (k * kVectors + v) * 2 * kVectorRows;
      _mm512_store_si512(to, _mm512_unpacklo_epi8(i, j));
      _mm512_store_si512(to + kVectorRows, _mm512_unpacklo_epi8(j, i));
      if (v + 1 == kVectors) continue;
      _mm512_store_si512(to + 2 * kVectorRows, _mm512_unpackhi_epi8(i, j));
      _mm512_store_si512(to + 3 * kVectorRows, _mm512_unpackhi_epi8(j, i));
    }
  }
}

template <Mode kMode, int kGroup, int kVectors>
void multiply_words(const LaneWords& words, const int32_t* sign, const Operands& o, int row,
                    const int32_t* constant, uint16_t* panel, int32_t* sums) {
  constexpr int kColumnSums = kVectors * kVectorRows;
  const int padded = (o.columns + 15) / 16 * 16;
  std::memset(sums, 0, static_cast<size_t>(padded) * kColumnSums * 4);
  for (int k0 = 0; k0 < o.depth; k0 += kWordDepth) {
    const int all = o.depth - k0 < kWordDepth ? o.depth - k0 : kWordDepth;
    pack_words<kVectors>(words, o, row, k0, all, panel);
    CodesAhead ahead{o.a + static_cast<size_t>(row) * o.a_stride + k0 + kWordDepth, o.a_stride,
                     k0 + kWordDepth < o.depth ? least(o.rows - row, kColumnSums) : 0};
    for (int first = 0; first < all; first += kWordsAtOnce) {
      const int depth = all - first < kWordsAtOnce ? all - first : kWordsAtOnce;
      const int whole = depth / kGroup * kGroup, end = first + whole;
      const uint16_t* some = panel + first * 2 * kColumnSums;
      const uint16_t* rest = panel + end * 2 * kColumnSums;
      for (int n = 0; n < o.columns; n += 2) {
        const uint8_t* w = o.w + static_cast<size_t>(k0 + first) * o.w_stride + n;
        const int next = n + 1 < o.columns;  // the last column alone is computed twice
        int32_t* own = sums + n * kColumnSums;
        ahead.fetch(2);
        add_words<kMode, kGroup, kVectors>(words, sign, some, w, o.w_stride, next, whole, own);
        if (whole < depth)
          add_words<kMode, 1, kVectors>(words, sign, rest, w + whole * o.w_stride, o.w_stride, next,
                                        depth - whole, own);
      }
    }
  }
  for (int n = 0; n < o.columns; n += 16)
    for (int v = 0; v < kVectors; v++)
      for (int h = 0; h < 2; h++) {
        __m512i part[16];
        for (int c = 0; c < 16; c++)
          part[c] = _mm512_load_si512(sums + (n + c) * kColumnSums + (v * 2 + h) * 16);
        put(o, part, row + v * kVectorRows + h, 2, n, constant);
      }
}

template <Mode kMode, int kGroup>
void multiply_by_words(const Plan& plan, const Operands& o, Workspace& workspace) {
  const size_t columns = rounded_up(static_cast<size_t>(o.columns));
  constexpr size_t kPanel = kWordDepth * kMostVectors * kVectorRows * 4;
  char* memory = workspace.get(kPanel + columns * 4 + columns * kMostVectors * kVectorRows * 4);
  uint16_t* panel = reinterpret_cast<uint16_t*>(memory);
  int32_t* constant = reinterpret_cast<int32_t*>(memory + kPanel);
  int32_t* sums = constant + columns;
  count_odd(plan, o, constant);
  for (size_t n = 0; n < columns; n++) constant[n] = o.depth * plan.base + constant[n] * plan.step;
  alignas(64) int32_t sign[256];
  for (int w = 0; w < 256; w++) sign[w] = static_cast<uint16_t>(plan.sign[w]) * 0x10001;
  int vectors = (o.rows + kVectorRows - 1) / kVectorRows;
  int blocks = (vectors + kMostVectors - 1) / kMostVectors;
  for (int row = 0; blocks; blocks--) {
    const int now = (vectors + blocks - 1) / blocks;
    const auto run = now == 4   ? multiply_words<kMode, kGroup, 4>
                     : now == 3 ? multiply_words<kMode, kGroup, 3>
                     : now == 2 ? multiply_words<kMode, kGroup, 2>
                                : multiply_words<kMode, kGroup, 1>;
    run(plan.words, sign, o, row, constant, panel, sums);
    row += now * kVectorRows;
    vectors -= now;
  }
}

template <Mode kMode>
void multiply_by_words(const Plan& plan, const Operands& o, Workspace& workspace) {
  switch (plan.group) {
    case 4: return multiply_by_words<kMode, 4>(plan, o, workspace);
    case 2: return multiply_by_words<kMode, 2>(plan, o, workspace);
    default: return multiply_by_words<kMode, 1>(plan, o, workspace);
  }
}

}  // namespace
}  // namespace cimc::CIMC_SET
