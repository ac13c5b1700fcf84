// The row-gather product for one instruction set; included once by each file that is compiled for
// one. CIMC_SET is its namespace, CIMC_VECTOR_BYTES the width of a register.
//
// This file calls no inline function of a library: the linker would keep one copy for all sets.
//
// For a reduction index k and 64 columns n, rows of products with every value that an activation
// part can have are built; then an activation adds whole rows, found by address, to its sums.
#pragma once

#include "vectors.h"

namespace cimc::CIMC_SET {
namespace {

static_assert(kDepth == sizeof(uint64_t) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

// 16-bit sums may wrap on purpose: only the last one of a group has to fit.
template <Mode kMode, int kGroup, int kRows, int kVectors>
void add_block(const uint64_t* address, const uint8_t* a, size_t a_stride, int rows,
               const char* products, size_t products_stride, const char* signs, int32_t* sums) {
  constexpr int kSpan = kVectors * kLanes;
  for (int column = 0; column < kColumns; column += kSpan) {
    for (int m = 0; m < rows; m += kRows) {
      Words even[kRows][kVectors], odd[kRows][kVectors];
      Words* at[kRows];
      uint64_t codes[kRows];  // all of a slice in one load
      for (int i = 0; i < kRows; i++) {
        const int row = least(m + i, rows - 1);
        std::memcpy(&codes[i], a + static_cast<size_t>(row) * a_stride, kDepth);
        at[i] = reinterpret_cast<Words*>(sums + static_cast<size_t>(m + i) * kColumns + column);
        for (int v = 0; v < kVectors; v++) {
          even[i][v] = at[i][2 * v];
          odd[i][v] = at[i][2 * v + 1];
        }
      }
#pragma GCC unroll 1
      for (int k0 = 0; k0 < kDepth; k0 += kGroup) {
        Shorts total[kRows][kVectors];
#pragma GCC unroll 16
        for (int k = 0; k < kGroup; k++) {
          const char* base = products + (k0 + k) * products_stride + column * 2;
          const char* sign = signs + (k0 + k) * 2 * kRowBytes + column * 2;
#pragma GCC unroll 16
          for (int i = 0; i < kRows; i++) {
            const uint64_t where = address[codes[i] & 255];
            codes[i] >>= 8;
            const char* first = base + static_cast<uint16_t>(where);
            const char* second = base + static_cast<uint16_t>(where >> 16);
            const char* signed_row = sign + (where >> 32);
#pragma GCC unroll 16
            for (int v = 0; v < kVectors; v++) {
              const int byte = v * CIMC_VECTOR_BYTES;
              Shorts value = load(first + byte);
              if constexpr (kMode == Mode::kSum) value += load(second + byte);
              if constexpr (kMode == Mode::kOr)
                value = or_xor(value, load(second + byte), load(sign + byte));
              if constexpr (kMode == Mode::kOrSigned)
                value = or_xor(value, load(second + byte), load(signed_row + byte));
              total[i][v] = k ? (Shorts)(total[i][v] + value) : value;
            }
          }
        }
        for (int i = 0; i < kRows; i++)
          for (int v = 0; v < kVectors; v++) widen(even[i][v], odd[i][v], total[i][v]);
      }
      for (int i = 0; i < kRows; i++)
        for (int v = 0; v < kVectors; v++) {
          at[i][2 * v] = even[i][v];
          at[i][2 * v + 1] = odd[i][v];
        }
    }
  }
}

#if defined(__AVX512VNNI__)
// table[code] for the 64 codes.
inline void look_up(const int16_t* table, const uint8_t* codes, char* to) {
  __m512i part[8];
  for (int i = 0; i < 8; i++) part[i] = _mm512_loadu_si512(table + 32 * i);
  for (int half = 0; half < 2; half++) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes) + half);
    const __m512i index = _mm512_cvtepu8_epi16(bytes);
    const __mmask32 bit6 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(64));
    const __mmask32 bit7 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(128));
    __m512i quarter[4];
    for (int i = 0; i < 4; i++)
      quarter[i] = _mm512_permutex2var_epi16(part[2 * i], index, part[2 * i + 1]);
    const __m512i low = _mm512_mask_blend_epi16(bit6, quarter[0], quarter[1]);
    const __m512i high = _mm512_mask_blend_epi16(bit6, quarter[2], quarter[3]);
    _mm512_store_si512(to + 64 * half, _mm512_mask_blend_epi16(bit7, low, high));
  }
}
#else
inline void look_up(const int16_t* table, const uint8_t* codes, char* to) {
  int16_t* out = reinterpret_cast<int16_t*>(to);
  for (int n = 0; n < kColumns; n++) out[n] = table[codes[n]];
}
#endif

inline void build_row(const Plan& plan, int row, const uint8_t* codes, char* products) {
  const uint8_t* step = plan.steps + 3 * row;
  Shorts* to = reinterpret_cast<Shorts*>(products + row * kRowBytes);
  const Shorts* x = reinterpret_cast<const Shorts*>(products + step[1] * kRowBytes);
  const Shorts* y = reinterpret_cast<const Shorts*>(products + step[2] * kRowBytes);
  constexpr int kVectors = kColumns / kLanes;
  switch (static_cast<Step>(step[0])) {
    case Step::kLookUp:
      look_up(plan.table + 256 * row, codes, products + row * kRowBytes);
      break;
    case Step::kOr:
      for (int v = 0; v < kVectors; v++) to[v] = x[v] | y[v];
      break;
    case Step::kAdd:
      for (int v = 0; v < kVectors; v++) to[v] = x[v] + y[v];
      break;
    case Step::kNegate:
      for (int v = 0; v < kVectors; v++) to[v] = -x[v];
      break;
  }
}

struct Memory {
  char* products;        // [kDepth, rows, 64] int16
  char* signs;           // [kDepth, 2, 64] int16: for activations of either sign
  uint8_t* tail;         // [rows, kDepth]: the last, shorter slice of activation codes
  int32_t* sums;         // [rows, 64], even and odd columns of a vector apart
  uint64_t* a_signs;     // [rows, words]
  uint64_t* w_signs;     // [words, 64]
};

constexpr size_t aligned(size_t bytes) { return (bytes + 63) & ~static_cast<size_t>(63); }

Memory divide(Workspace& workspace, const Plan& plan, const Operands& o, int padded, int words) {
  const size_t sizes[] = {aligned(static_cast<size_t>(kDepth) * plan.rows * kRowBytes),
                          aligned(kDepth * 2 * kRowBytes),
                          aligned(static_cast<size_t>(o.rows) * kDepth),
                          aligned(static_cast<size_t>(padded) * kColumns * 4),
                          aligned(static_cast<size_t>(o.rows) * words * 8),
                          aligned(static_cast<size_t>(words) * kColumns * 8)};
  size_t total = 0;
  for (size_t size : sizes) total += size;
  char* at = workspace.get(total);
  char* parts[6];
  for (int i = 0; i < 6; i++) {
    parts[i] = at;
    at += sizes[i];
  }
  return {parts[0],
          parts[1],
          reinterpret_cast<uint8_t*>(parts[2]),
          reinterpret_cast<int32_t*>(parts[3]),
          reinterpret_cast<uint64_t*>(parts[4]),
          reinterpret_cast<uint64_t*>(parts[5])};
}

// Rows of reduction indices k0 .. k0 + kDepth; those past the end are zeros, so they add nothing.
void build(const Plan& plan, const Operands& o, int k0, int column, const Memory& memory,
           int32_t* odd_signs) {
  const size_t stride = static_cast<size_t>(plan.rows) * kRowBytes;
  const int width = least(kColumns, o.columns - column);
  const int depth = least(kDepth, o.depth - k0);
  int16_t odd[kColumns] = {};
  for (int k = 0; k < depth; k++) {
    alignas(64) uint8_t codes[kColumns] = {};
    std::memcpy(codes, o.w + static_cast<size_t>(k0 + k) * o.w_stride + column, width);
    char* products = memory.products + k * stride;
    for (int row = 0; row < plan.rows; row++) build_row(plan, row, codes, products);
    int16_t* sign = reinterpret_cast<int16_t*>(memory.signs + k * 2 * kRowBytes);
    look_up(plan.sign, codes, reinterpret_cast<char*>(sign));
    for (int n = 0; n < kColumns; n++) sign[kColumns + n] = static_cast<int16_t>(~sign[n]);
    for (int n = 0; n < kColumns; n++) odd[n] = static_cast<int16_t>(odd[n] + (sign[n] & 1));
    if (plan.mode == Mode::kOrSigned) {
      uint64_t* words = memory.w_signs + static_cast<size_t>((k0 + k) / 64) * kColumns;
      for (int n = 0; n < kColumns; n++)
        words[n] |= static_cast<uint64_t>(sign[n] & 1) << ((k0 + k) % 64);
    }
  }
  for (int n = 0; n < kColumns; n++) odd_signs[n] += odd[n];
  if (depth == kDepth) return;
  std::memset(memory.products + depth * stride, 0, (kDepth - depth) * stride);
  std::memset(memory.signs + depth * 2 * kRowBytes, 0, (kDepth - depth) * 2 * kRowBytes);
}

// y += the corrections of `Plan`; columns in their order.
void finish(const Plan& plan, const Operands& o, int column, const Memory& memory,
            const int32_t* odd_signs, int words) {
  const int width = least(kColumns, o.columns - column);
  uint32_t constant[kColumns];
  for (int n = 0; n < kColumns; n++)
    constant[n] = static_cast<uint32_t>(o.depth) * static_cast<uint32_t>(plan.base) +
                  static_cast<uint32_t>(odd_signs[n]) * static_cast<uint32_t>(plan.step);
  for (int m = 0; m < o.rows; m++) {
    const int32_t* sums = memory.sums + static_cast<size_t>(m) * kColumns;
    uint32_t row[kColumns];
    for (int v = 0; v < kColumns; v += kLanes)
      for (int i = 0; i < kLanes / 2; i++) {
        row[v + 2 * i] = static_cast<uint32_t>(sums[v + i]);
        row[v + 2 * i + 1] = static_cast<uint32_t>(sums[v + kLanes / 2 + i]);
      }
    for (int n = 0; n < kColumns; n++) row[n] += constant[n];
    if (plan.mode == Mode::kOrSigned) {
      const uint64_t* negative = memory.a_signs + static_cast<size_t>(m) * words;
      uint32_t count[kColumns] = {}, all = 0;
      for (int word = 0; word < words; word++) {
        if (!negative[word]) continue;
        all += static_cast<uint32_t>(__builtin_popcountll(negative[word]));
        const uint64_t* other = memory.w_signs + static_cast<size_t>(word) * kColumns;
        for (int n = 0; n < kColumns; n++)
          count[n] += static_cast<uint32_t>(__builtin_popcountll(negative[word] & other[n]));
      }
      for (int n = 0; n < kColumns; n++)
        row[n] += (all - 2 * count[n]) * static_cast<uint32_t>(plan.flip);
    }
    std::memcpy(o.y + static_cast<size_t>(m) * o.y_stride + column, row,
                static_cast<size_t>(width) * 4);
  }
}

template <Mode kMode, int kGroup>
void multiply_as(const Plan& plan, const Operands& o, Workspace& workspace) {
  constexpr int kRows = 2, kVectors = 2;
  const int words = kMode == Mode::kOrSigned ? (o.depth + 63) / 64 : 0;
  const int padded = (o.rows + kRows - 1) / kRows * kRows;
  const Memory memory = divide(workspace, plan, o, padded, words);
  uint64_t address[256];
  for (int code = 0; code < 256; code++)
    address[code] = static_cast<uint64_t>(plan.first[code] * kRowBytes) |
                    static_cast<uint64_t>(plan.second[code] * kRowBytes) << 16 |
                    static_cast<uint64_t>(plan.negative[code] ? kRowBytes : 0) << 32;
  const int slices = (o.depth + kDepth - 1) / kDepth, whole = o.depth / kDepth;
  if (slices > whole)
    for (int m = 0; m < o.rows; m++) {
      uint8_t codes[kDepth] = {};
      std::memcpy(codes, o.a + static_cast<size_t>(m) * o.a_stride + whole * kDepth,
                  o.depth - whole * kDepth);
      std::memcpy(memory.tail + static_cast<size_t>(m) * kDepth, codes, kDepth);
    }
  if (kMode == Mode::kOrSigned)
    for (int m = 0; m < o.rows; m++) {
      uint64_t* to = memory.a_signs + static_cast<size_t>(m) * words;
      const uint8_t* codes = o.a + static_cast<size_t>(m) * o.a_stride;
      std::memset(to, 0, static_cast<size_t>(words) * 8);
      for (int k = 0; k < o.depth; k++)
        to[k / 64] |= static_cast<uint64_t>(plan.negative[codes[k]] & 1) << (k % 64);
    }
  for (int column = 0; column < o.columns; column += kColumns) {
    int32_t odd_signs[kColumns] = {};
    std::memset(memory.sums, 0, static_cast<size_t>(padded) * kColumns * 4);
    std::memset(memory.w_signs, 0, static_cast<size_t>(words) * kColumns * 8);
    for (int slice = 0; slice < slices; slice++) {
      build(plan, o, slice * kDepth, column, memory, odd_signs);
      const bool last = slice == whole;
      add_block<kMode, kGroup, kRows, kVectors>(
          address, last ? memory.tail : o.a + slice * kDepth, last ? kDepth : o.a_stride, o.rows,
          memory.products, static_cast<size_t>(plan.rows) * kRowBytes, memory.signs, memory.sums);
    }
    finish(plan, o, column, memory, odd_signs, words);
  }
}

template <Mode kMode>
void multiply_mode(const Plan& plan, const Operands& o, Workspace& workspace) {
  switch (plan.group) {
    case 4: return multiply_as<kMode, 4>(plan, o, workspace);
    case 2: return multiply_as<kMode, 2>(plan, o, workspace);
    default: return multiply_as<kMode, 1>(plan, o, workspace);
  }
}

void multiply_by_rows(const Plan& plan, const Operands& operands, Workspace& workspace) {
  switch (plan.mode) {
    case Mode::kOne: return multiply_mode<Mode::kOne>(plan, operands, workspace);
    case Mode::kSum: return multiply_mode<Mode::kSum>(plan, operands, workspace);
    case Mode::kOr: return multiply_mode<Mode::kOr>(plan, operands, workspace);
    case Mode::kOrSigned: return multiply_mode<Mode::kOrSigned>(plan, operands, workspace);
  }
}

}  // namespace

#if !defined(CIMC_OWN_MULTIPLY)
void multiply(const Plan& plan, const Operands& operands, Workspace& workspace) {
  multiply_by_rows(plan, operands, workspace);
}
#endif

}  // namespace cimc::CIMC_SET
