#include "lookup.h"

namespace cimc {

void multiply_by_lookup(const int16_t* table, const uint8_t* a, const uint8_t* w, int32_t* y,
                        size_t rows, size_t depth, size_t columns) {
  constexpr size_t kChains = 8;  // independent sums hide the latency of a load
  const size_t whole = depth / kChains * kChains;
  for (size_t m = 0; m < rows; m++)
    for (size_t n = 0; n < columns; n++) {
      const uint8_t* x = a + m * depth;
      const uint8_t* v = w + n * depth;
      uint32_t sums[kChains] = {}, sum = 0;
      for (size_t k = 0; k < whole; k += kChains)
        for (size_t i = 0; i < kChains; i++)
          sums[i] += static_cast<uint32_t>(table[x[k + i] * 256 + v[k + i]]);
      for (uint32_t part : sums) sum += part;
      for (size_t k = whole; k < depth; k++) sum += static_cast<uint32_t>(table[x[k] * 256 + v[k]]);
      y[m * columns + n] = static_cast<int32_t>(sum);
    }
}

}  // namespace cimc
