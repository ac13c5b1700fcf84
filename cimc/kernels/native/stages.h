// What surrounds the matrix product of a layer: windows of memories in, codes out; and the
// element-wise operations. docs/machine.md defines all of them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cimc {

// Bytes that lie side by side in memory.
struct Run {
  int64_t offset;
  int length;
};

// Activation codes [items * pixels, depth]: of each pixel the bytes at pixel + run.
struct Windows {
  const uint8_t* memory;  // [items, size]
  size_t size;
  size_t mask;            // addresses wrap: size - 1; or all ones where none is outside
  const int64_t* pixels;
  size_t pixel_count;
  const Run* runs;
  size_t run_count;
  int depth;              // bytes of all runs
};

// What becomes of the sums [items * pixels, columns].
struct Finish {
  int32_t* partial;       // [items, pixels, columns] by the strides below; nullptr: none
  int64_t item_stride, pixel_stride;
  size_t pixel_count;
  bool add;               // the partial sums come on top
  bool keep;              // the sums become partial sums; otherwise codes:
  uint8_t* codes;         // [items * pixels, all columns]
  int all_columns;
  const int32_t* bias;        // [columns]
  const int32_t* multiplier;  // [columns], 24 bits
  const int64_t* shift;       // [columns], 0..63
  int32_t zero, low, high;
};

// As in cimc/targets/isa.py.
enum class VectorOp { kMax, kSum, kAdd, kMul, kLut, kFill, kDepthwise };

// A loop nest of beats, and what makes one byte of a result.
struct VectorCommand {
  VectorOp op;
  int beat, tail;
  int count[3];                         // iterations of loops 2, 1, 0
  int64_t a, a_stride[3], b, b_stride[3];
  int wx, wy;
  int64_t window_x, window_y;
  bool a_signed, b_signed;
  int32_t a_zero, b_zero;
  int64_t m0, m1;
  int shift;
  int32_t zero, low, high;
  size_t size;                          // of the memory; addresses wrap
  const uint8_t* lut;                   // [256]
  const int32_t* taps;                  // [wy * wx, beat]: weights less their zero point
  const int32_t* bias;                  // [beat]
  const int32_t* multiplier;
  const int64_t* shifts;
};

}  // namespace cimc
