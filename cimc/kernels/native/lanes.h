// Products by permutation, for processors with AVX-512 VBMI: a lane is a row of x, and for each
// weight the registers hold its products with all activation codes. No rows are built, and the
// speed does not depend on how many rows of x there are. See row_gather.h for what is shared.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "instruction_set.h"
#include "plan.h"

namespace cimc::CIMC_SET {
namespace {

// Rows of x in a vector of 16-bit numbers.
constexpr int kVectorRows = 32;

// The sums of 16 columns and 16 rows, columns side by side: row i of the result has those of
// row i of x. Each of `part` holds one column.
inline void transpose(__m512i* part) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(part[i], part[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(part[i], part[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    part[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    part[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    part[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    part[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_i32x4(part[i], part[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(part[i], part[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(part[i + 8], part[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(part[i + 8], part[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; i++) {
    part[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    part[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    part[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    part[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

// Codes of up to 64 rows and 64 reduction indices, index first; missing rows are 0, and the indices
// from `depth` on are any.
inline void transpose_codes(const uint8_t* a, size_t stride, int rows, int depth,
                            uint8_t (*to)[64]) {
  const __mmask64 valid = depth >= 64 ? ~0ull : (1ull << depth) - 1;
  // 4 x 4 bytes within words of 32 bits, then words as in `transpose`.
  const __m512i order = _mm512_broadcast_i32x4(
      _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __m512i lanes = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const int words = (depth + 3) / 4;
  __m512i part[4][16];
  for (int q = 0; q < 4; q++) {
    for (int i = 0; i < 16; i++) {
      const int row = 16 * q + i;
      part[q][i] = row < rows ? _mm512_maskz_loadu_epi8(valid, a + row * stride)
                              : _mm512_setzero_si512();
    }
    transpose(part[q]);  // [i] has bytes 4 i .. 4 i + 3 of the 16 rows
    for (int i = 0; i < words; i++)  // 16 rows of each of the 4 bytes
      part[q][i] = _mm512_permutexvar_epi32(lanes, _mm512_shuffle_epi8(part[q][i], order));
  }
  for (int i = 0; i < words; i++) {
    const __m512i first = _mm512_shuffle_i32x4(part[0][i], part[1][i], 0x44);
    const __m512i second = _mm512_shuffle_i32x4(part[0][i], part[1][i], 0xee);
    const __m512i third = _mm512_shuffle_i32x4(part[2][i], part[3][i], 0x44);
    const __m512i fourth = _mm512_shuffle_i32x4(part[2][i], part[3][i], 0xee);
    _mm512_store_si512(to[4 * i], _mm512_shuffle_i32x4(first, third, 0x88));
    _mm512_store_si512(to[4 * i + 1], _mm512_shuffle_i32x4(first, third, 0xdd));
    _mm512_store_si512(to[4 * i + 2], _mm512_shuffle_i32x4(second, fourth, 0x88));
    _mm512_store_si512(to[4 * i + 3], _mm512_shuffle_i32x4(second, fourth, 0xdd));
  }
}

// table[code] of 64 codes.
inline __m512i translate(const uint8_t* table, __m512i codes) {
  const __m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512(table), codes,
                                               _mm512_loadu_si512(table + 64));
  const __m512i high = _mm512_permutex2var_epi8(_mm512_loadu_si512(table + 128), codes,
                                                _mm512_loadu_si512(table + 192));
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes), low, high);
}

// y[row, column ..] = `part` [16 columns] + constant, for every `step`-th row from `first` on.
inline void put(const Operands& o, __m512i* part, int first, int step, int column,
                const int32_t* constant) {
  transpose(part);
  const int width = o.columns - column < 16 ? o.columns - column : 16;
  const __mmask16 valid = static_cast<__mmask16>((1u << width) - 1);
  const __m512i add = _mm512_loadu_si512(constant + column);
  for (int i = 0; i < 16; i++) {
    const int row = first + step * i;
    if (row >= o.rows) break;
    _mm512_mask_storeu_epi32(o.y + static_cast<size_t>(row) * o.y_stride + column, valid,
                             _mm512_add_epi32(part[i], add));
  }
}

// How often the weights of each column have an odd sign; `odd` [columns, padded to 64].
inline void count_odd(const Plan& plan, const Operands& o, int32_t* odd) {
  alignas(64) uint8_t is_odd[256];
  for (int w = 0; w < 256; w++) is_odd[w] = static_cast<uint8_t>(plan.sign[w] & 1);
  for (int n = 0; n < o.columns; n += 64) {
    const int width = o.columns - n < 64 ? o.columns - n : 64;
    const __mmask64 valid = width == 64 ? ~0ull : (1ull << width) - 1;
    __m512i total[4] = {};
    for (int k0 = 0; k0 < o.depth; k0 += 255) {
      __m512i some = _mm512_setzero_si512();
      for (int k = k0; k < o.depth && k < k0 + 255; k++)
        some = _mm512_add_epi8(
            some, translate(is_odd, _mm512_maskz_loadu_epi8(
                                        valid, o.w + static_cast<size_t>(k) * o.w_stride + n)));
      alignas(64) uint8_t bytes[64];
      _mm512_store_si512(bytes, some);
      for (int i = 0; i < 4; i++)
        total[i] = _mm512_add_epi32(total[i], _mm512_cvtepu8_epi32(_mm_load_si128(
                                                  reinterpret_cast<const __m128i*>(bytes) + i)));
    }
    for (int i = 0; i < 4; i++) _mm512_storeu_si512(odd + n + 16 * i, total[i]);
  }
}

// Codes that are packed next: they should be near by then.
struct CodesAhead {
  const uint8_t* at;
  size_t stride;
  int rows;

  void fetch(int count) {
    for (; count && rows; count--, rows--, at += stride)
      _mm_prefetch(reinterpret_cast<const char*>(at), _MM_HINT_T0);
  }
};

constexpr size_t rounded_up(size_t bytes) { return (bytes + 63) & ~static_cast<size_t>(63); }

}  // namespace
}  // namespace cimc::CIMC_SET
