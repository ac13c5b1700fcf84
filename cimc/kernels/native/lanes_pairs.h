// Products of two parts of at most 16 entries each, of two reduction indices at once: the entries
// of both are in one register, and one instruction adds both products up. See lanes.h.
#pragma once

#include "lanes_pair_codes.h"

namespace cimc::CIMC_SET {
namespace {

// Pairs whose codes are in the first cache together.
constexpr int kPairsAtOnce = 16;
// Columns whose sums and entries are in the second cache together.
constexpr int kPairColumns = 128;
constexpr int kMostPairVectors = 7;
// Up to so many blocks of rows look entries up themselves rather than fetch them from memory.
constexpr int kFewBlocks = 2;

// Where the entries of a weight are, and its sign in the lanes of either index of a pair.
struct PairTables {
  const uint16_t* entries;
  const uint16_t* place;     // [256]
  uint32_t sign[2][256];
};

// Entries of both parts and sign of a pair of weights of one column.
struct PairEntries {
  __m512i low, high, flip;
};

// Pairs of weights of two columns, `w` [2 pairs (or one less), 2], as they are looked up.
struct LookedUpPairs {
  const PairTables& tables;
  const uint8_t* w;
  size_t stride;
  size_t next;               // from one column to the other; 0: there is none
  int depth;

  PairEntries get(int pair, int column) const {
    const Place own = place(pair, column);
    return {beside(own.first, own.second), beside(own.first + 16, own.second + 16),
            _mm512_set1_epi32(static_cast<int>(own.sign))};
  }
  // The entries, as `beside` has them, and the sign.
  void copy(int pair, int column, uint16_t* entries, uint32_t* sign) const {
    const Place own = place(pair, column);
    const auto vector = [](const uint16_t* from) {
      return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
    };
    __m256i* to = reinterpret_cast<__m256i*>(entries);
    _mm256_store_si256(to, vector(own.first));
    _mm256_store_si256(to + 1, vector(own.second));
    _mm256_store_si256(to + 2, vector(own.first + 16));
    _mm256_store_si256(to + 3, vector(own.second + 16));
    *sign = own.sign;
  }

 private:
  struct Place {
    const uint16_t *first, *second;
    uint32_t sign;
  };
  Place place(int pair, int column) const {
    const uint8_t* at = w + 2 * static_cast<size_t>(pair) * stride + column * next;
    Place own{tables.entries + tables.place[*at], tables.entries + kNoWeight,
              tables.sign[0][*at]};
    if (2 * pair + 1 < depth) {
      own.second = tables.entries + tables.place[at[stride]];
      own.sign |= tables.sign[1][at[stride]];
    }
    return own;
  }
  // Both entries of `first` and of `second`: one part of each, side by side.
  static __m512i beside(const uint16_t* first, const uint16_t* second) {
    const __m512i low = _mm512_castsi256_si512(_mm256_load_si256(
        reinterpret_cast<const __m256i*>(first)));
    return _mm512_mask_broadcast_i64x4(
        low, 0xf0, _mm256_load_si256(reinterpret_cast<const __m256i*>(second)));
  }
};

// The same as they were kept, one after the other in the order of their use.
struct KeptPairs {
  uint16_t* entries;         // [pairs][2 columns][2 parts] of 32
  uint32_t* sign;            // [pairs][2 columns]

  PairEntries get(int pair, int column) const {
    const size_t at = 2 * static_cast<size_t>(pair) + column;
    return {_mm512_load_si512(entries + 64 * at), _mm512_load_si512(entries + 64 * at + 32),
            _mm512_set1_epi32(static_cast<int>(sign[at]))};
  }
  void keep(const LookedUpPairs& pairs) const {
    const uint16_t* end = entries + 128 * static_cast<size_t>((pairs.depth + 1) / 2);
    uint16_t* to = entries;
    uint32_t* to_sign = sign;
    for (int pair = 0; to < end; pair++, to += 128, to_sign += 2) {
      pairs.copy(pair, 0, to, to_sign);
      pairs.copy(pair, 1, to + 64, to_sign + 1);
    }
  }
};

// Adds the products of two columns up: sums [2 columns][vectors] of 16 rows. The panel has indices
// [pairs][vectors][2 parts] of 32.
template <Mode kMode, int kVectors, typename Pairs>
void add_pairs(const uint16_t* panel, const Pairs& weights, int first, int end, int32_t* sums) {
  const __m512i ones = _mm512_set1_epi16(1);
  __m512i total[2][kVectors];
  for (int c = 0; c < 2; c++)
    for (int v = 0; v < kVectors; v++)
      total[c][v] = _mm512_load_si512(sums + (c * kVectors + v) * kPairRows);
#pragma GCC unroll 1
  for (int pair = first; pair < end; pair++) {
    const uint16_t* codes = panel + pair * kVectors * 64;
    PairEntries own[2];
    for (int c = 0; c < 2; c++) {
      own[c] = weights.get(pair, c);
      asm("" : "+v"(own[c].flip));  // loaded once for all vectors
    }
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) {
      __m512i i = _mm512_load_si512(codes + v * 64), j = _mm512_load_si512(codes + v * 64 + 32);
      asm("" : "+v"(i), "+v"(j));  // loaded once for both columns
#pragma GCC unroll 2
      for (int c = 0; c < 2; c++) {
        const __m512i x = _mm512_permutexvar_epi16(i, own[c].low);
        const __m512i y = _mm512_permutexvar_epi16(j, own[c].high);
        const __m512i value = kMode == Mode::kOr
                                  ? _mm512_ternarylogic_epi32(x, y, own[c].flip, 0x56)
                                  : _mm512_add_epi16(x, y);
        total[c][v] = _mm512_dpwssd_epi32(total[c][v], value, ones);
      }
    }
  }
  for (int c = 0; c < 2; c++)
    for (int v = 0; v < kVectors; v++)
      _mm512_store_si512(sums + (c * kVectors + v) * kPairRows, total[c][v]);
}

// Weights of some reduction indices: `kept` [column pairs] of them, or those of `operands`.
struct PairSlice {
  int k0, depth;
  bool is_kept;
  KeptPairs kept;

  int pairs() const { return (depth + 1) / 2; }
  KeptPairs of(int n) const {
    const size_t at = static_cast<size_t>(n) * pairs();
    return {kept.entries + 64 * at, kept.sign + at};
  }
  LookedUpPairs looked_up(const PairTables& tables, const Operands& o, int n) const {
    return {tables, o.w + static_cast<size_t>(k0) * o.w_stride + n, o.w_stride,
            static_cast<size_t>(n + 1 < o.columns), depth};
  }
};

// Adds the products of up to 7 vectors of rows from `row` on to sums [columns][vectors] of 16.
template <Mode kMode, int kVectors>
void multiply_pairs(const PairCodes& codes, const PairTables& tables, const Operands& o, int row,
                    const PairSlice& slice, CodesAhead ahead, uint16_t* panel, int32_t* sums) {
  pack_pairs<kVectors>(codes, o, row, slice.k0, slice.depth, panel);
  for (int first = 0; first < slice.pairs(); first += kPairsAtOnce) {
    const int end = first + kPairsAtOnce < slice.pairs() ? first + kPairsAtOnce : slice.pairs();
    for (int n = 0; n < o.columns; n += 2) {
      int32_t* own = sums + n * kVectors * kPairRows;
      ahead.fetch(2);
      if (slice.is_kept)
        add_pairs<kMode, kVectors>(panel, slice.of(n), first, end, own);
      else
        add_pairs<kMode, kVectors>(panel, slice.looked_up(tables, o, n), first, end, own);
    }
  }
}

// Results of a block of rows.
inline void put_pairs(const Operands& o, int row, int vectors, const int32_t* sums,
                      const int32_t* constant) {
  for (int n = 0; n < o.columns; n += 16)
    for (int v = 0; v < vectors; v++) {
      __m512i part[16];
      for (int c = 0; c < 16; c++)
        part[c] = _mm512_load_si512(sums + ((n + c) * vectors + v) * kPairRows);
      put(o, part, row + v * kPairRows, 1, n, constant);
    }
}

// Of up to kPairColumns columns.
template <Mode kMode>
void multiply_by_pairs(const Plan& plan, const PairTables& tables, const Operands& o,
                       Workspace& workspace) {
  const size_t columns = rounded_up(static_cast<size_t>(o.columns));
  constexpr size_t kPanel = kPairDepth * kMostPairVectors * 64;
  const size_t weights = columns * kPairDepth / 2;
  const int vectors = (o.rows + kPairRows - 1) / kPairRows;
  const size_t all = columns * static_cast<size_t>(vectors) * kPairRows;
  char* memory = workspace.get(kPanel + weights * (128 + 4) + columns * 4 + all * 4);
  uint16_t* panel = reinterpret_cast<uint16_t*>(memory);
  const KeptPairs kept{reinterpret_cast<uint16_t*>(memory + kPanel),
                       reinterpret_cast<uint32_t*>(memory + kPanel + weights * 128)};
  int32_t* constant = reinterpret_cast<int32_t*>(kept.sign + weights);
  int32_t* sums = constant + columns;
  count_odd(plan, o, constant);
  for (size_t n = 0; n < columns; n++) constant[n] = o.depth * plan.base + constant[n] * plan.step;
  std::memset(sums, 0, all * 4);
  const int blocks = (vectors + kMostPairVectors - 1) / kMostPairVectors;
  const auto begin = [&](int block) { return vectors * block / blocks; };
  const PairCodes codes(plan.words);
  for (int k0 = 0; k0 < o.depth; k0 += kPairDepth) {
    const int depth = least(o.depth - k0, kPairDepth);
    const PairSlice slice{k0, depth, blocks > kFewBlocks, kept};
    for (int n = 0; slice.is_kept && n < o.columns; n += 2)
      slice.of(n).keep(slice.looked_up(tables, o, n));
    for (int block = 0; block < blocks; block++) {
      const int first = begin(block), now = begin(block + 1) - first;
      const auto run = now == 7   ? multiply_pairs<kMode, 7>
                       : now == 6 ? multiply_pairs<kMode, 6>
                       : now == 5 ? multiply_pairs<kMode, 5>
                       : now == 4 ? multiply_pairs<kMode, 4>
                       : now == 3 ? multiply_pairs<kMode, 3>
                       : now == 2 ? multiply_pairs<kMode, 2>
                                  : multiply_pairs<kMode, 1>;
      const bool last = block + 1 == blocks;
      const int next = last ? 0 : begin(block + 1) * kPairRows, from = last ? k0 + kPairDepth : k0;
      const CodesAhead ahead{o.a + static_cast<size_t>(next) * o.a_stride + from, o.a_stride,
                             from < o.depth ? least(o.rows - next, kMostPairVectors * kPairRows) : 0};
      run(codes, tables, o, first * kPairRows, slice, ahead, panel,
          sums + columns * static_cast<size_t>(first) * kPairRows);
    }
  }
  for (int block = 0; block < blocks; block++) {
    const int first = begin(block);
    put_pairs(o, first * kPairRows, begin(block + 1) - first,
              sums + columns * static_cast<size_t>(first) * kPairRows, constant);
  }
}

template <Mode kMode>
void multiply_by_pairs(const Plan& plan, const Operands& o, Workspace& workspace) {
  PairTables tables{plan.words.pairs, plan.words.pair_place, {}};
  for (int w = 0; w < 256; w++) {
    tables.sign[0][w] = static_cast<uint16_t>(plan.sign[w]);
    tables.sign[1][w] = tables.sign[0][w] << 16;
  }
  for (int n = 0; n < o.columns; n += kPairColumns) {
    Operands part = o;
    part.w += n;
    part.y += n;
    part.columns = o.columns - n < kPairColumns ? o.columns - n : kPairColumns;
    multiply_by_pairs<kMode>(plan, tables, part, workspace);
  }
}

}  // namespace
}  // namespace cimc::CIMC_SET
