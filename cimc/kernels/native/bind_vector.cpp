// Python bindings of VECTOR commands, and of writing results to addresses.
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>

#include <array>

#include "bind.h"
#include "parallel.h"
#include "commands.h"

namespace cimc {
namespace {

using Triple = std::array<int64_t, 3>;
using Cube = nb::ndarray<uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

constexpr int64_t kLongest = 1 << 20;

// A VectorCommand, the arrays it needs, and where its results go; fields as in docs/machine.md.
class VectorUnit : public Command {
 public:
  VectorUnit(int op, int64_t beat, int64_t tail, Triple count, int64_t a, Triple a_stride,
              int64_t b, Triple b_stride, std::array<int64_t, 2> window, int64_t window_y,
              int64_t window_x, bool a_signed, bool b_signed, int32_t a_zero, int32_t b_zero,
              int64_t m0, int64_t m1, int shift, int32_t zero, int32_t low, int32_t high,
              Vector<uint8_t> lut, Packed<const int32_t> taps, Vector<int32_t> bias,
              Vector<int32_t> multiplier, Vector<int64_t> shifts, Vector<int64_t> targets)
      : lut_(lut), taps_(taps), bias_(bias), multiplier_(multiplier), shifts_(shifts),
        targets_(targets) {
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
    require(targets.size() == static_cast<size_t>(count[0] * count[1] * count[2]),
            "there are not as many results as iterations");
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

  bool fits(const Memories& m) const override {
    return m.size >= static_cast<size_t>(command_.beat) && is_power_of_two(m.size);
  }

  // All reads come before the first write.
  void run(const InstructionSet& set, const Memories& m, int threads) const override {
    VectorCommand command = command_;
    command.size = m.size;
    const size_t beat = static_cast<size_t>(command.beat), row = static_cast<size_t>(command.count[2]);
    for_each(m.items, threads, [&](size_t item) {
      thread_local Workspace workspace;
      uint8_t* memory = m.buffer + item * m.size;
      uint8_t* results = reinterpret_cast<uint8_t*>(workspace.get(targets_.size() * beat));
      set.compute(command, memory, results);
      scatter_item(memory, m.size, targets_.data(), results, targets_.size(), beat, row,
                   static_cast<size_t>(command.tail));
    });
  }

 private:
  Vector<uint8_t> lut_;
  Packed<const int32_t> taps_;
  Vector<int32_t> bias_, multiplier_;
  Vector<int64_t> shifts_, targets_;
  VectorCommand command_;
};

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
    scatter_item(to + item * size, size, at, from + item * cells * beat, cells, beat, row, tail);
  });
}

}  // namespace

void bind_vector(nb::module_& module) {
  nb::class_<VectorUnit, Command>(module, "Vector")
      .def(nb::init<int, int64_t, int64_t, Triple, int64_t, Triple, int64_t, Triple,
                    std::array<int64_t, 2>, int64_t, int64_t, bool, bool, int32_t, int32_t,
                    int64_t, int64_t, int, int32_t, int32_t, int32_t, Vector<uint8_t>,
                    Packed<const int32_t>, Vector<int32_t>, Vector<int32_t>,
                    Vector<int64_t>, Vector<int64_t>>(),
           nb::arg("op"), nb::arg("beat"), nb::arg("tail"), nb::arg("count"), nb::arg("a"),
           nb::arg("a_stride"), nb::arg("b"), nb::arg("b_stride"), nb::arg("window"),
           nb::arg("window_y"), nb::arg("window_x"), nb::arg("a_signed"), nb::arg("b_signed"),
           nb::arg("a_zero"), nb::arg("b_zero"), nb::arg("m0"), nb::arg("m1"), nb::arg("shift"),
           nb::arg("zero"), nb::arg("low"), nb::arg("high"), nb::arg("lut"), nb::arg("taps"),
           nb::arg("bias"), nb::arg("multiplier"), nb::arg("shifts"),
           nb::arg("targets"));
  module.def("scatter", &scatter, nb::arg("memory"), nb::arg("targets"), nb::arg("results"),
             nb::arg("row"), nb::arg("tail"), nb::arg("threads"));
}

}  // namespace cimc
