// Vectors of the instruction set that a file is compiled for: see row_gather.h.
#pragma once

#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "instruction_set.h"
#include "plan.h"

namespace cimc::CIMC_SET {
namespace {

constexpr int kLanes = CIMC_VECTOR_BYTES / 2;
using Shorts [[gnu::vector_size(CIMC_VECTOR_BYTES), gnu::may_alias]] = int16_t;
using Words [[gnu::vector_size(CIMC_VECTOR_BYTES), gnu::may_alias]] = int32_t;

inline int least(int a, int b) { return a < b ? a : b; }

// Sums are kept as vectors of the even and of the odd columns: widening needs no shuffle then.
#if defined(__AVX512VNNI__)
inline void widen(Words& even, Words& odd, Shorts value) {
  const __m512i v = (__m512i)value;
  even = (Words)_mm512_dpwssd_epi32((__m512i)even, v, _mm512_set1_epi32(1));
  odd = (Words)_mm512_dpwssd_epi32((__m512i)odd, v, _mm512_set1_epi32(1 << 16));
}
inline Shorts or_xor(Shorts a, Shorts b, Shorts c) {
  return (Shorts)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, (__m512i)c, 0x56);
}
#else
inline void widen(Words& even, Words& odd, Shorts value) {
#if defined(__AVX2__)
  even += (Words)_mm256_madd_epi16((__m256i)value, _mm256_set1_epi32(1));
#else
  even += (Words)((Words)value << 16) >> 16;
#endif
  odd += (Words)value >> 16;
}
inline Shorts or_xor(Shorts a, Shorts b, Shorts c) { return (a | b) ^ c; }
#endif

inline Shorts load(const char* from) { return *reinterpret_cast<const Shorts*>(from); }

}  // namespace

void loads(const char* bytes, int rounds, char* out) {
  constexpr int kChains = 8;
  Shorts found[kChains] = {};
  for (int round = 0; round < rounds; round++) {
    for (int at = 0; at < kProbeBytes; at += kChains * CIMC_VECTOR_BYTES)
      for (int i = 0; i < kChains; i++) found[i] ^= load(bytes + at + i * CIMC_VECTOR_BYTES);
    asm volatile("" ::: "memory");  // every round loads again
  }
  for (int i = 1; i < kChains; i++) found[0] ^= found[i];
  std::memcpy(out, &found[0], CIMC_VECTOR_BYTES);
}

}  // namespace cimc::CIMC_SET
