// Python bindings: cimc.kernels._native.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "dispatch.h"
#include "lookup.h"

namespace nb = nanobind;

namespace cimc {
namespace {

template <typename T>
using Vector = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::device::cpu>;
template <typename T>
using Packed = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void require(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

// A Plan with its own copies of the arrays.
class OwnedPlan {
 public:
  OwnedPlan(int mode, int group, Packed<const int16_t> table, Packed<const uint8_t> steps,
            Vector<int16_t> sign, Vector<uint16_t> first, Vector<uint16_t> second,
            Vector<uint8_t> negative, int32_t base, int32_t step, int32_t flip)
      : table_(table.data(), table.data() + table.size()),
        steps_(steps.data(), steps.data() + steps.size()),
        sign_(sign.data(), sign.data() + sign.size()),
        first_(first.data(), first.data() + first.size()),
        second_(second.data(), second.data() + second.size()),
        negative_(negative.data(), negative.data() + negative.size()) {
    const size_t rows = table.shape(0);
    require(mode >= 0 && mode <= 3, "mode is not in 0..3");
    require(group == 1 || group == 2 || group == 4, "group is not 1, 2 or 4");
    require(rows >= 1 && rows <= kMaxRows, "rows is not in 1..511");
    require(table.shape(1) == 256, "table is not [rows, 256]");
    require(steps.shape(0) == rows && steps.shape(1) == 3, "steps is not [rows, 3]");
    for (size_t row = 0; row < rows; row++) {
      require(steps_[3 * row] <= 3, "a step is not in 0..3");
      if (steps_[3 * row])
        require(steps_[3 * row + 1] < row && steps_[3 * row + 2] < row,
                "a step uses a row that is not before it");
    }
    require(sign_.size() == 256 && first_.size() == 256 && second_.size() == 256 &&
                negative_.size() == 256,
            "a vector has not 256 entries");
    for (int i = 0; i < 256; i++)
      require(first_[i] < rows && second_[i] < rows, "a code has a row that is not there");
    plan_ = {static_cast<Mode>(mode), group, static_cast<int>(rows), table_.data(), steps_.data(),
             sign_.data(), first_.data(), second_.data(), negative_.data(), base, step, flip};
  }
  OwnedPlan(const OwnedPlan&) = delete;
  OwnedPlan& operator=(const OwnedPlan&) = delete;

  const Plan& plan() const { return plan_; }

 private:
  std::vector<int16_t> table_;
  std::vector<uint8_t> steps_;
  std::vector<int16_t> sign_;
  std::vector<uint16_t> first_, second_;
  std::vector<uint8_t> negative_;
  Plan plan_;
};

constexpr size_t kLargest = 1 << 30;

void multiply(const std::string& set, const OwnedPlan& plan, Matrix<const uint8_t> a,
              Matrix<const uint8_t> w, Packed<int32_t> y, int threads) {
  const Multiply kernel = multiply_for(set);
  require(kernel != nullptr, "this processor or build has no such instruction set");
  require(a.shape(1) == w.shape(0) && y.shape(0) == a.shape(0) && y.shape(1) == w.shape(1),
          "the shapes do not multiply");
  require(a.shape(0) < kLargest && a.shape(1) < kLargest && w.shape(1) < kLargest,
          "an operand is too large");
  require(a.stride(1) == 1 || a.shape(1) <= 1, "rows of a are not contiguous");
  require(w.stride(1) == 1 || w.shape(1) <= 1, "rows of w are not contiguous");
  require(a.stride(0) >= 0 && w.stride(0) >= 0, "rows run backwards");
  require(threads >= 1, "threads is not positive");
  const Operands operands{a.data(),
                          static_cast<size_t>(a.stride(0)),
                          w.data(),
                          static_cast<size_t>(w.stride(0)),
                          y.data(),
                          y.shape(1),
                          static_cast<int>(a.shape(0)),
                          static_cast<int>(a.shape(1)),
                          static_cast<int>(w.shape(1))};
  const nb::gil_scoped_release release;
  multiply_threaded(kernel, plan.plan(), operands, threads);
}

void look_up(Packed<const int16_t> table, Packed<const uint8_t> a, Packed<const uint8_t> w,
             Packed<int32_t> y) {
  require(table.shape(0) == 256 && table.shape(1) == 256, "table is not [256, 256]");
  require(a.shape(1) == w.shape(1) && y.shape(0) == a.shape(0) && y.shape(1) == w.shape(0),
          "the shapes do not multiply");
  const nb::gil_scoped_release release;
  multiply_by_lookup(table.data(), a.data(), w.data(), y.data(), a.shape(0), a.shape(1),
                     w.shape(0));
}

}  // namespace

NB_MODULE(_native, module) {
  nb::class_<OwnedPlan>(module, "Plan")
      .def(nb::init<int, int, Packed<const int16_t>, Packed<const uint8_t>, Vector<int16_t>,
                    Vector<uint16_t>, Vector<uint16_t>, Vector<uint8_t>, int32_t, int32_t,
                    int32_t>(),
           nb::arg("mode"), nb::arg("group"), nb::arg("table"), nb::arg("steps"), nb::arg("sign"),
           nb::arg("first"), nb::arg("second"), nb::arg("negative"), nb::arg("base"),
           nb::arg("step"), nb::arg("flip"));
  module.def("instruction_sets", &instruction_sets);
  module.def("multiply", &multiply, nb::arg("instruction_set"), nb::arg("plan"), nb::arg("a"),
             nb::arg("w"), nb::arg("y"), nb::arg("threads"));
  module.def("look_up", &look_up, nb::arg("table"), nb::arg("a"), nb::arg("w"), nb::arg("y"));
  module.def("load_speed", &load_speed, nb::arg("instruction_set"));
  module.attr("MAX_ROWS") = kMaxRows;
}

}  // namespace cimc
