// Python bindings: cimc.kernels._native.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "lookup.h"

namespace cimc {
namespace {

void multiply(const std::string& name, const OwnedPlan& plan, Matrix<const uint8_t> a,
              Matrix<const uint8_t> w, Packed<int32_t> y, int threads) {
  const InstructionSet& set = set_named(name);
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
  multiply_threaded(set, plan.plan(), operands, threads);
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
                    int32_t, std::optional<Packed<const int16_t>>, bool>(),
           nb::arg("mode"), nb::arg("group"), nb::arg("table"), nb::arg("steps"), nb::arg("sign"),
           nb::arg("first"), nb::arg("second"), nb::arg("negative"), nb::arg("base"),
           nb::arg("step"), nb::arg("flip"), nb::arg("products").none(),
           nb::arg("halves"));
  module.def("instruction_sets", &instruction_sets);
  module.def("multiply", &multiply, nb::arg("instruction_set"), nb::arg("plan"), nb::arg("a"),
             nb::arg("w"), nb::arg("y"), nb::arg("threads"));
  module.def("look_up", &look_up, nb::arg("table"), nb::arg("a"), nb::arg("w"), nb::arg("y"));
  module.def(
      "load_speed", [](const std::string& name) { return load_speed(set_named(name)); },
      nb::arg("instruction_set"));
  bind_layer(module);
  bind_commands(module);
  bind_vector(module);
  module.attr("MAX_ROWS") = kMaxRows;
  module.attr("INTERFACE") = 5;  // as in cimc/kernels/native.py
}

}  // namespace cimc
