// Python bindings of VECTOR commands, and of writing results to addresses.
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>

#include <array>
#include <cstring>

#include "bind.h"
#include "parallel.h"

namespace cimc {
namespace {

using Triple = std::array<int64_t, 3>;
using Cube = nb::ndarray<uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

constexpr int64_t kLongest = 1 << 20;

bool is_power_of_two(size_t size) { return size && !(size & (size - 1)); }

// A VectorCommand and the arrays it needs; fields as in docs/machine.md.
class OwnedVector {
 public:
  OwnedVector(int op, int64_t beat, int64_t tail, Triple count, int64_t a, Triple a_stride,
              int64_t b, Triple b_stride, std::array<int64_t, 2> window, int64_t window_y,
              int64_t window_x, bool a_signed, bool b_signed, int32_t a_zero, int32_t b_zero,
              int64_t m0, int64_t m1, int shift, int32_t zero, int32_t low, int32_t high,
              Vector<uint8_t> lut, Packed<const int32_t> taps, Vector<int32_t> bias,
              Vector<int32_t> multiplier, Vector<int64_t> shifts)
      : lut_(lut), taps_(taps), bias_(bias), multiplier_(multiplier), shifts_(shifts) {
    require(op >= 0 && op <= static_cast<int>(VectorOp::kDepthwise), "op does not exist");
    require(beat >= 1 && beat < kLongest && tail >= 1 && tail <= beat, "tail is not in 1..beat");
    for (const int64_t n : {count[0], count[1], count[2], window[0], window[1]})
      require(n >= 0 && n < kLongest, "a loop is too long");
    require(shift >= 0 && shift <= 63, "shift is not in 0..63");
    require(lut.size() == 256, "lut has not 256 entries");
    const size_t lanes = static_cast<size_t>(beat);
    if (op == static_cast<int>(VectorOp::kDepthwise)) {
      require(taps.shape(1) == lanes && bias.size() == lanes && multiplier.size() == lanes &&
                  shifts.size() == lanes,
              "parameters have other lanes");
      require(taps.shape(0) == static_cast<size_t>(window[0] * window[1]), "taps are missing");
    }
    for (size_t i = 0; i < shifts.size(); i++)
      require(shifts.data()[i] >= 0 && shifts.data()[i] <= 63, "a shift is not in 0..63");
    command_ = {};
    command_.op = static_cast<VectorOp>(op);
    command_.beat = static_cast<int>(beat);
    command_.tail = static_cast<int>(tail);
    for (int i = 0; i < 3; i++) {
      command_.count[i] = static_cast<int>(count[i]);
      command_.a_stride[i] = a_stride[i];
      command_.b_stride[i] = b_stride[i];
    }
    command_.a = a;
    command_.b = b;
    command_.wy = static_cast<int>(window[0]);
    command_.wx = static_cast<int>(window[1]);
    command_.window_y = window_y;
    command_.window_x = window_x;
    command_.a_signed = a_signed;
    command_.b_signed = b_signed;
    command_.a_zero = a_zero;
    command_.b_zero = b_zero;
    command_.m0 = m0;
    command_.m1 = m1;
    command_.shift = shift;
    command_.zero = zero;
    command_.low = low;
    command_.high = high;
    command_.lut = lut_.data();
    command_.taps = taps_.data();
    command_.bias = bias_.data();
    command_.multiplier = multiplier_.data();
    command_.shifts = shifts_.data();
  }
  OwnedVector(const OwnedVector&) = delete;
  OwnedVector& operator=(const OwnedVector&) = delete;

  VectorCommand on(size_t size) const {
    VectorCommand command = command_;
    command.size = size;
    return command;
  }
  size_t cells() const {
    return static_cast<size_t>(command_.count[0]) * command_.count[1] * command_.count[2];
  }

 private:
  Vector<uint8_t> lut_;
  Packed<const int32_t> taps_;
  Vector<int32_t> bias_, multiplier_;
  Vector<int64_t> shifts_;
  VectorCommand command_;
};

void compute(const std::string& name, const OwnedVector& vector, Packed<const uint8_t> memory,
             Cube results, int threads) {
  const InstructionSet& set = set_named(name);
  const VectorCommand command = vector.on(memory.shape(1));
  const size_t beat = static_cast<size_t>(command.beat);
  require(is_power_of_two(memory.shape(1)), "the size of a memory is not a power of two");
  require(results.shape(0) == memory.shape(0) && results.shape(1) == vector.cells() &&
              results.shape(2) == beat,
          "the results have another shape");
  require(threads >= 1, "threads is not positive");
  const uint8_t* from = memory.data();
  uint8_t* to = results.data();
  const nb::gil_scoped_release release;
  for_each(memory.shape(0), threads, [&](size_t i) {
    set.compute(command, from + i * command.size, to + i * vector.cells() * beat);
  });
}

// results [items, cells, beat] to `targets` [cells] of each memory, the first cell first; of the
// last of every `row` cells only `tail` bytes.
void scatter(Packed<uint8_t> memory, Vector<int64_t> targets, Cube results, size_t row,
             size_t tail, int threads) {
  const size_t size = memory.shape(1), cells = targets.size(), beat = results.shape(2);
  require(is_power_of_two(size), "the size of a memory is not a power of two");
  require(results.shape(0) == memory.shape(0) && results.shape(1) == cells,
          "the results have another shape");
  require(row >= 1 && tail <= beat && beat <= size && threads >= 1, "a number is out of range");
  uint8_t* to = memory.data();
  const uint8_t* from = results.data();
  const int64_t* at = targets.data();
  const nb::gil_scoped_release release;
  for_each(memory.shape(0), threads, [&](size_t item) {
    uint8_t* own = to + item * size;
    const uint8_t* cell = from + item * cells * beat;
    for (size_t i = 0; i < cells; i++, cell += beat) {
      const size_t width = i % row + 1 == row ? tail : beat;
      const size_t begin = static_cast<size_t>(at[i]) & (size - 1);
      const size_t before = std::min(width, size - begin);
      std::memcpy(own + begin, cell, before);
      std::memcpy(own, cell + before, width - before);
    }
  });
}

}  // namespace

void bind_vector(nb::module_& module) {
  nb::class_<OwnedVector>(module, "Vector")
      .def(nb::init<int, int64_t, int64_t, Triple, int64_t, Triple, int64_t, Triple,
                    std::array<int64_t, 2>, int64_t, int64_t, bool, bool, int32_t, int32_t,
                    int64_t, int64_t, int, int32_t, int32_t, int32_t, Vector<uint8_t>,
                    Packed<const int32_t>, Vector<int32_t>, Vector<int32_t>, Vector<int64_t>>(),
           nb::arg("op"), nb::arg("beat"), nb::arg("tail"), nb::arg("count"), nb::arg("a"),
           nb::arg("a_stride"), nb::arg("b"), nb::arg("b_stride"), nb::arg("window"),
           nb::arg("window_y"), nb::arg("window_x"), nb::arg("a_signed"), nb::arg("b_signed"),
           nb::arg("a_zero"), nb::arg("b_zero"), nb::arg("m0"), nb::arg("m1"), nb::arg("shift"),
           nb::arg("zero"), nb::arg("low"), nb::arg("high"), nb::arg("lut"), nb::arg("taps"),
           nb::arg("bias"), nb::arg("multiplier"), nb::arg("shifts"));
  module.def("compute", &compute, nb::arg("instruction_set"), nb::arg("vector"),
             nb::arg("memory"), nb::arg("results"), nb::arg("threads"));
  module.def("scatter", &scatter, nb::arg("memory"), nb::arg("targets"), nb::arg("results"),
             nb::arg("row"), nb::arg("tail"), nb::arg("threads"));
}

}  // namespace cimc
