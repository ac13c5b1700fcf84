// Python bindings of commands that are ready to run, and of running many of them in one call.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "parallel.h"
#include "commands.h"

namespace cimc {
namespace {

using Sums = nb::ndarray<int32_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

// ARRAY of docs/machine.md: passes over the windows of some pixels, each of one or several
// products whose sums come together.
class ArrayCommand : public Command {
 public:
  ArrayCommand(Vector<int64_t> pixels, Vector<int64_t> offsets, int64_t run, size_t size,
            size_t entries, size_t outputs, bool add, std::optional<Vector<int64_t>> targets,
            int lanes, int32_t zero, int32_t low, int32_t high)
      : pixels_(pixels.data(), pixels.data() + pixels.size()),
        offsets_(offsets.data(), offsets.data() + offsets.size()),
        run_(run), size_(size), entries_(entries), outputs_(outputs), add_(add),
        keep_(!targets), lanes_(lanes), zero_(zero), low_(low), high_(high) {
    require(is_power_of_two(size), "the size of a memory is not a power of two");
    require(run >= 1 && static_cast<size_t>(run) <= size, "a run is not in 1..memory");
    require(offsets.size() * static_cast<size_t>(run) < kLargest, "a window is too large");
    require(pixels.size() >= 1 && pixels.size() < kLargest, "the number of windows is wrong");
    require(lanes >= 1 && static_cast<size_t>(lanes) <= size, "the number of lanes is wrong");
    if (!targets) return;
    require(targets->size() == pixels.size(), "there are not as many results as windows");
    targets_.assign(targets->data(), targets->data() + targets->size());
  }

  // A product of windows from `byte` on; its partial sums are at `psum` of an item's, its codes
  // at `column` of a result. A pass is from one that `begins` to one that `ends` it.
  void add(const OwnedPlan& plan, Matrix<const uint8_t> w, int64_t byte, size_t psum, int column,
           bool begins, bool ends, Vector<int32_t> bias, Vector<int32_t> multiplier,
           Vector<int64_t> shift) {
    const size_t columns = w.shape(1), depth = offsets_.size() * static_cast<size_t>(run_);
    require(w.shape(0) == depth && columns >= 1, "the shapes do not multiply");
    require(w.stride(1) == 1 || columns == 1, "rows of w are not contiguous");
    require(w.stride(0) >= 0, "rows run backwards");
    require(bias.size() == columns && multiplier.size() == columns && shift.size() == columns,
            "parameters differ in size");
    require(column >= 0 && static_cast<size_t>(column) + columns <= static_cast<size_t>(lanes_),
            "columns are outside the results");
    require(psum % outputs_ + columns <= outputs_, "columns are outside the partial sums");
    require(!(add_ || keep_) || psum / outputs_ + pixels_.size() <= entries_,
            "partial sums are outside their memory");
    for (size_t i = 0; i < columns; i++)
      require(shift.data()[i] >= 0 && shift.data()[i] <= 63, "a shift is not in 0..63");
    Product product{&plan.plan(), w, {}, psum, column, begins, ends, bias, multiplier, shift};
    for (const int64_t offset : offsets_)
      append_run(product.runs, offset + byte, static_cast<int>(run_), size_);
    products_.push_back(std::move(product));
  }

  bool fits(const Memories& m) const override {
    return m.size == size_ && m.entries == entries_ && m.outputs == outputs_;
  }

  void run(const InstructionSet& set, const Memories& m, int threads) const override {
    const size_t codes = pixels_.size() * static_cast<size_t>(lanes_);
    const size_t most = std::max<size_t>(1, kCodes / codes);
    for (size_t first = 0; first < m.items; first += most) {
      Memories part = m;
      part.buffer += first * size_;
      part.psums += first * entries_ * outputs_;
      part.items = std::min(most, m.items - first);
      run_some(set, part, threads);
    }
  }

 private:
  // Results that are computed before they are written.
  static constexpr size_t kCodes = 1 << 22;

  void run_some(const InstructionSet& set, const Memories& m, int threads) const {
    thread_local Workspace room, sums;
    const size_t rows = m.items * pixels_.size();
    uint8_t* codes = nullptr;
    if (!keep_) codes = reinterpret_cast<uint8_t*>(room.get(rows * static_cast<size_t>(lanes_)));
    for (const Product& p : products_) {
      const int columns = static_cast<int>(p.w.shape(1));
      Finish f{};
      f.pixel_count = pixels_.size();
      f.all_columns = lanes_;
      f.bias = p.bias.data();
      f.multiplier = p.multiplier.data();
      f.shift = p.shift.data();
      f.zero = zero_;
      f.low = low_;
      f.high = high_;
      f.partial = m.psums + p.psum;
      f.item_stride = static_cast<int64_t>(entries_ * outputs_);
      f.pixel_stride = static_cast<int64_t>(outputs_);
      f.add = add_;
      f.keep = keep_;
      if (!keep_) {
        f.codes = codes + p.column;
        if (!p.begins || !p.ends) {
          const size_t wanted = rows * static_cast<size_t>(columns) * 4;
          come_together(m, p, f, reinterpret_cast<int32_t*>(sums.get(wanted)));
        }
        if (!f.add && !f.keep) f.partial = nullptr;
      }
      const Windows windows{m.buffer,        size_,         size_ - 1,
                            pixels_.data(),  pixels_.size(), p.runs.data(),
                            p.runs.size(),   static_cast<int>(p.w.shape(0))};
      const Weights weights{p.w.data(), static_cast<size_t>(p.w.stride(0)), columns};
      layer_threaded(set, *p.plan, windows, m.items, weights, f, threads);
    }
    for (size_t item = 0; !keep_ && item < m.items; item++)
      scatter_item(m.buffer + item * size_, size_, targets_.data(),
                   codes + item * pixels_.size() * static_cast<size_t>(lanes_), pixels_.size(),
                   static_cast<size_t>(lanes_), 1, static_cast<size_t>(lanes_));
  }

  struct Product {
    const Plan* plan;
    Matrix<const uint8_t> w;
    std::vector<Run> runs;
    size_t psum;
    int column;
    bool begins, ends;
    Vector<int32_t> bias, multiplier;
    Vector<int64_t> shift;
  };

  // Sums of several products are added up in `total` [rows, columns] before they become codes;
  // where partial sums count, each product has its own.
  void come_together(const Memories& m, const Product& p, Finish& f, int32_t* total) const {
    const size_t columns = p.w.shape(1), pixels = pixels_.size();
    if (p.begins) std::memset(total, 0, m.items * pixels * columns * 4);
    for (size_t row = 0; add_ && row < m.items * pixels; row++) {
      const int32_t* own = f.partial + static_cast<int64_t>(row / pixels) * f.item_stride +
                           static_cast<int64_t>(row % pixels) * f.pixel_stride;
      for (size_t n = 0; n < columns; n++) total[row * columns + n] += own[n];
    }
    f.partial = total;
    f.item_stride = static_cast<int64_t>(pixels * columns);
    f.pixel_stride = static_cast<int64_t>(columns);
    f.add = true;
    f.keep = !p.ends;
  }

  std::vector<int64_t> pixels_, offsets_, targets_;
  int64_t run_;
  size_t size_, entries_, outputs_;
  bool add_, keep_;
  int lanes_;
  int32_t zero_, low_, high_;
  std::vector<Product> products_;
};

// Runs `commands` on all items, one after the other.
void run_commands(const std::string& name, const std::vector<const Command*>& commands,
               Packed<uint8_t> buffer, Sums psums, int threads) {
  const InstructionSet& set = set_named(name);
  require(buffer.shape(0) == psums.shape(0), "memories of different numbers of items");
  require(buffer.shape(0) < kLargest && threads >= 1, "a number is out of range");
  const Memories memories{buffer.data(),   buffer.shape(1), psums.data(),
                          psums.shape(1), psums.shape(2),  buffer.shape(0)};
  for (const Command* command : commands)
    require(command && command->fits(memories), "a command was made for other memories");
  const nb::gil_scoped_release release;
  for (const Command* command : commands) command->run(set, memories, threads);
}

}  // namespace

void bind_commands(nb::module_& module) {
  nb::class_<Command>(module, "Command");
  nb::class_<ArrayCommand, Command>(module, "Array")
      .def(nb::init<Vector<int64_t>, Vector<int64_t>, int64_t, size_t, size_t, size_t, bool,
                    std::optional<Vector<int64_t>>, int, int32_t, int32_t, int32_t>(),
           nb::arg("pixels"), nb::arg("offsets"), nb::arg("run"), nb::arg("size"),
           nb::arg("entries"), nb::arg("outputs"), nb::arg("add"), nb::arg("targets").none(),
           nb::arg("lanes"), nb::arg("zero"), nb::arg("low"), nb::arg("high"))
      .def("add", &ArrayCommand::add, nb::keep_alive<1, 2>(), nb::arg("plan"), nb::arg("w"),
           nb::arg("byte"), nb::arg("psum"), nb::arg("column"), nb::arg("begins"), nb::arg("ends"),
           nb::arg("bias"), nb::arg("multiplier"), nb::arg("shift"));
  module.def("run_commands", &run_commands, nb::arg("instruction_set"), nb::arg("commands"),
             nb::arg("buffer"), nb::arg("psums"), nb::arg("threads"));
}

}  // namespace cimc
