// Codes of x as indices into the entries of pairs of weights: see lanes_pairs.h.
#pragma once

#include "lanes.h"

namespace cimc::CIMC_SET {
namespace {

// Reduction indices that are packed together; two are a pair.
constexpr int kPairDepth = 64;
constexpr int kPairRows = 16;

// How entries of both parts follow from codes: bit by bit, or by looking them up.
struct PairCodes {
  const LaneWords& words;
  __m512i bits[2];           // of each bit of the entry, which bits of the code it is the parity of
  bool are_bits;

  explicit PairCodes(const LaneWords& all) : words(all), are_bits(true) {
    const uint8_t* entries[2] = {all.low, all.high};
    for (int part = 0; part < 2; part++) {
      uint64_t matrix = 0;
      for (int i = 0; i < 8; i++)
        for (int b = 0; b < 8; b++)
          matrix |= static_cast<uint64_t>(entries[part][1 << b] >> i & 1) << (8 * (7 - i) + b);
      bits[part] = _mm512_set1_epi64(static_cast<long long>(matrix));
      for (int code = 0; code < 256; code++) {
        int entry = 0;
        for (int b = 0; b < 8; b++) entry ^= code >> b & 1 ? entries[part][1 << b] : 0;
        are_bits = are_bits && entry == entries[part][code];
      }
    }
  }
  // Of every byte.
  __m512i entry(int part, __m512i codes) const {
    if (are_bits) return _mm512_gf2p8affine_epi64_epi8(codes, bits[part], 0);
    return translate(part ? words.high : words.low, codes);
  }
};

// Indices of rows of `o` from `row` on and of reduction indices from `k0` on. Of a 16-bit index
// only the lower bits count.
template <int kVectors>
void pack_pairs(const PairCodes& codes, const Operands& o, int row, int k0, int depth,
                uint16_t* panel) {
  const __mmask64 valid = depth == kPairDepth ? ~0ull : (1ull << depth) - 1;
  const __m512i second = _mm512_set1_epi32(0x100000);  // the other half of a register
  alignas(64) uint8_t order[2][64] = {};               // bytes of a pair of each row, as words
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
    for (int i = 0; i < kPairRows && 4 * i < depth; i++)
      for (int h = 0; h < 2; h++) {
        uint16_t* to = panel + ((2 * i + h) * kVectors + v) * 64;
        const __m512i words = _mm512_permutexvar_epi8(_mm512_load_si512(order[h]), part[i]);
        _mm512_store_si512(to, _mm512_or_si512(codes.entry(0, words), second));
        _mm512_store_si512(to + 32, _mm512_or_si512(codes.entry(1, words), second));
      }
  }
}

}  // namespace
}  // namespace cimc::CIMC_SET
