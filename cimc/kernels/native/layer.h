// Gathers windows and turns sums into codes, for one instruction set: see row_gather.h.
#pragma once

#include <cstring>

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
  const size_t mask = windows.size - 1;
  for (size_t row = first; row < first + rows; row++) {
    const uint8_t* memory = windows.memory + row / windows.pixel_count * windows.size;
    const int64_t pixel = windows.pixels[row % windows.pixel_count];
    for (size_t i = 0; i < windows.run_count; i++) {
      const Run run = windows.runs[i];
      const size_t at = static_cast<size_t>(pixel + run.offset) & mask;
      if (at + run.length <= windows.size)
        copy(to, memory + at, run.length);
      else
        copy_wrapped(to, memory, at, run.length, mask);
      to += run.length;
    }
  }
}

void finish(const Finish& f, size_t first, int rows, int column, int columns, int32_t* sums) {
  const int32_t* bias = f.bias + column;
  const int32_t* multiplier = f.multiplier + column;
  const int64_t* shift = f.shift + column;
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
    uint8_t* codes = f.codes + row * f.all_columns + column;
    for (int n = 0; n < columns; n++) {
      const int64_t value = static_cast<int64_t>(sums[n] + bias[n]) * multiplier[n];
      codes[n] = clamped(rounded(value, shift[n]) + f.zero, f.low, f.high);
    }
  }
}

}  // namespace cimc::CIMC_SET
