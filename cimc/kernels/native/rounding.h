// The arithmetic of cimc/quant.py, for one instruction set: see row_gather.h.
#pragma once

#include <cstdint>

namespace cimc::CIMC_SET {
namespace {

// value / 2^shift, halves to even; |value| < 2^62.
inline int64_t rounded(int64_t value, int64_t shift) {
  const int64_t some = shift > 0;
  const int64_t half = static_cast<int64_t>((uint64_t{1} << shift) >> 1) - some;
  return (value + half + ((value >> shift) & some)) >> shift;
}

inline uint8_t clamped(int64_t value, int64_t low, int64_t high) {
  value = value < low ? low : value;
  return static_cast<uint8_t>(value > high ? high : value);
}

}  // namespace
}  // namespace cimc::CIMC_SET
