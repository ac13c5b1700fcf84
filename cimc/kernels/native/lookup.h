// Products one at a time through a table: what the row gather is measured against.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cimc {

// y[m, n] = sum over k of table[a[m, k], w[n, k]]; table [256, 256], w [columns, depth].
void multiply_by_lookup(const int16_t* table, const uint8_t* a, const uint8_t* w, int32_t* y,
                        size_t rows, size_t depth, size_t columns);

}  // namespace cimc
