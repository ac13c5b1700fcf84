// Python bindings of windows, sums and codes.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cstring>
#include <optional>

#include "bind.h"
#include "parallel.h"

namespace cimc {
namespace {

using Partial = nb::ndarray<int32_t, nb::ndim<3>, nb::device::cpu>;
using Codes = Packed<uint8_t>;

// Windows that keep their arrays.
class OwnedWindows {
 public:
  OwnedWindows(Packed<const uint8_t> memory, Vector<int64_t> pixels, Vector<int64_t> offsets,
               int64_t run)
      : memory_(memory), pixels_(pixels) {
    const size_t size = memory.shape(1);
    const bool wraps = size && !(size & (size - 1));
    require(run >= 1 && static_cast<size_t>(run) <= size, "a run is not in 1..memory");
    require(offsets.size() * static_cast<size_t>(run) < kLargest, "a window is too large");
    require(pixels.size() < kLargest && memory.shape(0) < kLargest, "there are too many windows");
    for (size_t i = 0; i < offsets.size(); i++)
      append_run(runs_, offsets.data()[i], static_cast<int>(run), size);
    require(wraps || inside(), "a window is outside a memory that does not wrap");
    windows_ = {memory_.data(), size,         wraps ? size - 1 : ~size_t{0},
                pixels_.data(), pixels_.size(), runs_.data(),
                runs_.size(),   static_cast<int>(offsets.size() * run)};
  }
  OwnedWindows(const OwnedWindows&) = delete;
  OwnedWindows& operator=(const OwnedWindows&) = delete;

  const Windows& windows() const { return windows_; }
  size_t items() const { return memory_.shape(0); }
  size_t rows() const { return items() * pixels_.size(); }

 private:
  bool inside() const {
    const int64_t size = static_cast<int64_t>(memory_.shape(1));
    int64_t first = size, end = 0;
    for (const Run& run : runs_) {
      first = std::min(first, run.offset);
      end = std::max(end, run.offset + run.length);
    }
    const int64_t* pixels = pixels_.data();
    return std::all_of(pixels, pixels + pixels_.size(), [&](int64_t pixel) {
      return runs_.empty() || (pixel + first >= 0 && pixel + end <= size);
    });
  }

  Packed<const uint8_t> memory_;
  Vector<int64_t> pixels_;
  std::vector<Run> runs_;
  Windows windows_;
};

// A Finish that keeps its arrays.
class OwnedFinish {
 public:
  OwnedFinish(std::optional<Partial> partial, bool add, std::optional<Codes> codes,
              Vector<int32_t> bias, Vector<int32_t> multiplier, Vector<int64_t> shift, int32_t zero,
              int32_t low, int32_t high)
      : partial_(partial), codes_(codes), bias_(bias), multiplier_(multiplier), shift_(shift) {
    const size_t columns = bias.size();
    require(multiplier.size() == columns && shift.size() == columns, "parameters differ in size");
    require(columns < kLargest, "there are too many columns");
    require(partial || (codes && !add), "partial sums are missing");
    for (size_t i = 0; i < columns; i++)
      require(shift.data()[i] >= 0 && shift.data()[i] <= 63, "a shift is not in 0..63");
    finish_ = {};
    finish_.add = add;
    finish_.keep = !codes;
    if (partial) {
      require(partial->shape(2) == columns, "partial sums have other columns");
      require(partial->stride(2) == 1 || columns <= 1, "partial sums are not contiguous");
      finish_.partial = partial->data();
      finish_.item_stride = partial->stride(0);
      finish_.pixel_stride = partial->stride(1);
      finish_.pixel_count = partial->shape(1);
      rows_ = partial->shape(0) * partial->shape(1);
    }
    if (codes) {
      require(codes->shape(1) == columns, "codes have other columns");
      require(!partial || codes->shape(0) == rows_, "codes have other rows than partial sums");
      rows_ = codes->shape(0);
      finish_.codes = codes->data();
    }
    if (!finish_.pixel_count) finish_.pixel_count = 1;
    finish_.all_columns = static_cast<int>(columns);
    finish_.bias = bias_.data();
    finish_.multiplier = multiplier_.data();
    finish_.shift = shift_.data();
    finish_.zero = zero;
    finish_.low = low;
    finish_.high = high;
  }
  OwnedFinish(const OwnedFinish&) = delete;
  OwnedFinish& operator=(const OwnedFinish&) = delete;

  const Finish& finish() const { return finish_; }
  size_t rows() const { return rows_; }
  size_t columns() const { return bias_.size(); }

 private:
  std::optional<Partial> partial_;
  std::optional<Codes> codes_;
  Vector<int32_t> bias_, multiplier_;
  Vector<int64_t> shift_;
  Finish finish_;
  size_t rows_ = 0;
};

void layer(const std::string& name, const OwnedPlan& plan, const OwnedWindows& windows,
           Matrix<const uint8_t> w, const OwnedFinish& finish, int threads) {
  const InstructionSet& set = set_named(name);
  require(static_cast<size_t>(windows.windows().depth) == w.shape(0) &&
              windows.rows() == finish.rows() && finish.columns() == w.shape(1),
          "the shapes do not multiply");
  require(w.stride(1) == 1 || w.shape(1) <= 1, "rows of w are not contiguous");
  require(w.stride(0) >= 0, "rows run backwards");
  require(threads >= 1, "threads is not positive");
  const Weights weights{w.data(), static_cast<size_t>(w.stride(0)),
                        static_cast<int>(w.shape(1))};
  const nb::gil_scoped_release release;
  layer_threaded(set, plan.plan(), windows.windows(), windows.items(), weights, finish.finish(),
                 threads);
}

constexpr size_t kRowsAtOnce = 256;

void gather(const std::string& name, const OwnedWindows& windows, Codes to, int threads) {
  const InstructionSet& set = set_named(name);
  const size_t rows = windows.rows(), depth = static_cast<size_t>(windows.windows().depth);
  require(to.shape(0) == rows && to.shape(1) == depth, "the result has another shape");
  require(threads >= 1, "threads is not positive");
  uint8_t* data = to.data();
  const nb::gil_scoped_release release;
  for_each((rows + kRowsAtOnce - 1) / kRowsAtOnce, threads, [&](size_t i) {
    const size_t first = i * kRowsAtOnce;
    const int count = static_cast<int>(std::min(kRowsAtOnce, rows - first));
    set.gather(windows.windows(), first, count, data + first * depth);
  });
}

void finish(const std::string& name, const OwnedFinish& finish, Packed<int32_t> sums,
            int threads) {
  const InstructionSet& set = set_named(name);
  const size_t rows = finish.rows(), columns = finish.columns();
  require(sums.shape(0) == rows && sums.shape(1) == columns, "the sums have another shape");
  require(threads >= 1, "threads is not positive");
  int32_t* data = sums.data();
  const nb::gil_scoped_release release;
  for_each((rows + kRowsAtOnce - 1) / kRowsAtOnce, threads, [&](size_t i) {
    const size_t first = i * kRowsAtOnce;
    const int count = static_cast<int>(std::min(kRowsAtOnce, rows - first));
    set.finish(finish.finish(), first, count, 0, static_cast<int>(columns), data + first * columns);
  });
}

}  // namespace

void bind_layer(nb::module_& module) {
  nb::class_<OwnedWindows>(module, "Windows")
      .def(nb::init<Packed<const uint8_t>, Vector<int64_t>, Vector<int64_t>, int64_t>(),
           nb::arg("memory"), nb::arg("pixels"), nb::arg("offsets"), nb::arg("run"));
  nb::class_<OwnedFinish>(module, "Finish")
      .def(nb::init<std::optional<Partial>, bool, std::optional<Codes>, Vector<int32_t>,
                    Vector<int32_t>, Vector<int64_t>, int32_t, int32_t, int32_t>(),
           nb::arg("partial").none(), nb::arg("add"), nb::arg("codes").none(), nb::arg("bias"),
           nb::arg("multiplier"), nb::arg("shift"), nb::arg("zero"), nb::arg("low"),
           nb::arg("high"));
  module.def("layer", &layer, nb::arg("instruction_set"), nb::arg("plan"), nb::arg("windows"),
             nb::arg("w"), nb::arg("finish"), nb::arg("threads"));
  module.def("gather", &gather, nb::arg("instruction_set"), nb::arg("windows"), nb::arg("to"),
             nb::arg("threads"));
  module.def("finish", &finish, nb::arg("instruction_set"), nb::arg("finish"), nb::arg("sums"),
             nb::arg("threads"));
}

}  // namespace cimc
