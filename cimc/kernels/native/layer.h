// Gathers windows and turns sums into codes, for one instruction set: see row_gather.h.
#pragma once

#include <cstring>
#if defined(__AVX512DQ__)
#include <immintrin.h>
#endif

#include "instruction_set.h"
#include "rounding.h"

namespace cimc::CIMC_SET {
namespace {

inline void copy(uint8_t* to, const uint8_t* from, int length) {
  for (; length >= 8; length -= 8, to += 8, from += 8) std::memcpy(to, from, 8);
  for (; length > 0; length--) *to++ = *from++;
}

// Every byte of a run that passes the end of the memory.
inline void copy_wrapped(uint8_t* to, const uint8_t* memory, size_t at, int length, size_t mask) {
  for (int i = 0; i < length; i++) to[i] = memory[(at + i) & mask];
}

}  // namespace

void gather(const Windows& windows, size_t first, int rows, uint8_t* to) {
  for (size_t row = first; row < first + rows; row++) {
    const uint8_t* memory = windows.memory + row / windows.pixel_count * windows.size;
    const int64_t pixel = windows.pixels[row % windows.pixel_count];
    for (size_t i = 0; i < windows.run_count; i++) {
      const Run run = windows.runs[i];
      const size_t at = static_cast<size_t>(pixel + run.offset) & windows.mask;
      if (at + run.length <= windows.size)
        copy(to, memory + at, run.length);
      else
        copy_wrapped(to, memory, at, run.length, windows.mask);
      to += run.length;
    }
  }
}

#if defined(__AVX512DQ__)
// Codes of 8 sums from column `n` on.
inline void requantise_some(const Finish& f, const int32_t* sums, int n, uint8_t* codes) {
  const auto words = [](const int32_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  };
  const __m512i one = _mm512_set1_epi64(1), shift = _mm512_loadu_si512(f.shift + n);
  const __m256i total = _mm256_add_epi32(words(sums), words(f.bias + n));
  const __m512i value = _mm512_mul_epi32(_mm512_cvtepi32_epi64(total),
                                         _mm512_cvtepi32_epi64(words(f.multiplier + n)));
  const __m512i some = _mm512_min_epi64(shift, one);
  const __m512i half = _mm512_sub_epi64(_mm512_srli_epi64(_mm512_sllv_epi64(one, shift), 1), some);
  const __m512i odd = _mm512_and_si512(_mm512_srav_epi64(value, shift), some);
  const __m512i sum = _mm512_add_epi64(_mm512_add_epi64(value, half), odd);
  const __m512i code = _mm512_add_epi64(_mm512_srav_epi64(sum, shift), _mm512_set1_epi64(f.zero));
  const __m512i clamped = _mm512_min_epi64(_mm512_max_epi64(code, _mm512_set1_epi64(f.low)),
                                           _mm512_set1_epi64(f.high));
  const __m128i bytes = _mm512_cvtepi64_epi8(clamped);
  std::memcpy(codes, &bytes, 8);
}
constexpr int kSome = 8;
#endif

// Codes of `count` sums from `column` on.
inline void requantise(const Finish& f, const int32_t* sums, int column, int count,
                       uint8_t* codes) {
  int n = 0;
#if defined(__AVX512DQ__)
  for (; n + kSome <= count; n += kSome) requantise_some(f, sums + n, column + n, codes + n);
#endif
  for (; n < count; n++) {
    const int64_t value = static_cast<int64_t>(sums[n] + f.bias[column + n]);
    const int64_t code = rounded(value * f.multiplier[column + n], f.shift[column + n]) + f.zero;
    codes[n] = clamped(code, f.low, f.high);
  }
}

void finish(const Finish& f, size_t first, int rows, int column, int columns, int32_t* sums) {
  for (size_t row = first; row < first + rows; row++, sums += columns) {
    int32_t* partial = nullptr;
    if (f.partial)
      partial = f.partial + static_cast<int64_t>(row / f.pixel_count) * f.item_stride +
                static_cast<int64_t>(row % f.pixel_count) * f.pixel_stride + column;
    if (f.add)
      for (int n = 0; n < columns; n++) sums[n] += partial[n];
    if (f.keep) {
      std::memcpy(partial, sums, static_cast<size_t>(columns) * 4);
      continue;
    }
    requantise(f, sums, column, columns, f.codes + row * f.all_columns + column);
  }
}

}  // namespace cimc::CIMC_SET
