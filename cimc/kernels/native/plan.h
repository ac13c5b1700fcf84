// What a row-gather product is, in numbers: filled in by cimc/kernels/rows.py, which proves it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cimc {

// Columns of a block: the rows of products of one reduction index have this many entries.
constexpr int kColumns = 64;
constexpr int kRowBytes = kColumns * 2;
// Reduction indices whose rows are built and used together.
constexpr int kDepth = 8;
// Row addresses have 16 bits.
constexpr int kMaxRows = 511;

// How a product follows from rows of the table, before `sign_correction` and the like.
enum class Mode {
  kOne,         // first
  kSum,         // first + second
  kOr,          // (first | second) ^ sign[w]
  kOrSigned,    // (first | second) ^ (a negative ? ~sign[w] : sign[w])
};

// How a row of products is made: from the table, or out of two rows before it.
enum class Step : uint8_t { kLookUp, kOr, kAdd, kNegate };

// The rows that activations select, by weight: where either part has at most 32.
struct LaneWords {
  const uint16_t* table;       // [.., 2, 32]: entries of both parts; or nullptr
  const uint16_t* place;       // [256], by weight code: where in the table its entries begin
  const uint16_t* pairs;       // [.., 2, 16]: the same where either part has at most 16, zeros first
  const uint16_t* pair_place;  // [256]
  const uint8_t* low;          // [256], by activation code: the entry of the first part
  const uint8_t* high;         // [256]
};
// Where `pairs` has entries that add nothing.
constexpr int kNoWeight = 0;

// What products are larger by in `planes`, so that none is negative.
constexpr int32_t kPlaneOffset = 1 << 15;

// sum over k of product(a[m, k], w[k, n])
//   = sum of the 16-bit values above + depth * base + count(sign[w] odd) * step
//     [+ (count(a negative) - 2 count(a negative, sign[w] odd)) * flip], modulo 2^32.
struct Plan {
  Mode mode;
  int group;                 // values that 16 bits can add up: 1, 2 or 4
  int rows;                  // rows of products for one reduction index
  const int16_t* table;      // [rows, 256], by weight code
  const uint8_t* steps;      // [rows, 3]: Step, and its rows
  const int16_t* sign;       // [256], by weight code
  const uint16_t* first;     // [256], by activation code
  const uint16_t* second;    // [256]
  const uint8_t* negative;   // [256]
  int32_t base, step, flip;
  LaneWords words;
  const uint8_t* planes;     // [256, 2, 256], by weight code: low and high bytes of the products
                             // with each activation code, plus kPlaneOffset; or nullptr
  bool halves;               // activation codes are below 128
};

// Where the activation codes of a block of rows come from.
struct Operands {
  const uint8_t* a;          // [rows, depth], row by row
  size_t a_stride;
  const uint8_t* w;          // [depth, columns]
  size_t w_stride;
  int32_t* y;                // [rows, columns]
  size_t y_stride;
  int rows, depth, columns;
};

// Memory of one thread, kept from call to call.
struct Workspace {
  char* bytes = nullptr;
  size_t size = 0;
  char* get(size_t wanted);
  Workspace() = default;
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace();
};

// XORs all of `bytes` [kProbeBytes] into one vector, `rounds` times: how fast loads can be.
constexpr int kProbeBytes = 1 << 14;

}  // namespace cimc
