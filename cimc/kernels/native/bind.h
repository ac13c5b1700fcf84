// What the files of the Python bindings share.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "dispatch.h"

namespace cimc {

namespace nb = nanobind;

template <typename T>
using Vector = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::device::cpu>;
template <typename T>
using Packed = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Sizes below which products of two fit in memory sizes and one in an int.
constexpr size_t kLargest = 1 << 30;

inline void require(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

inline const InstructionSet& set_named(const std::string& name) {
  const InstructionSet* set = set_for(name);
  require(set != nullptr, "this processor or build has no such instruction set");
  return *set;
}

// A Plan with its own copies of the arrays.
class OwnedPlan {
 public:
  OwnedPlan(int mode, int group, Packed<const int16_t> table, Packed<const uint8_t> steps,
            Vector<int16_t> sign, Vector<uint16_t> first, Vector<uint16_t> second,
            Vector<uint8_t> negative, int32_t base, int32_t step, int32_t flip,
            std::optional<Packed<const int16_t>> products, bool halves)
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
             sign_.data(), first_.data(), second_.data(), negative_.data(), base, step, flip, {},
             nullptr, halves};
    make_words();
    if (products) make_planes(*products);
  }
  OwnedPlan(const OwnedPlan&) = delete;
  OwnedPlan& operator=(const OwnedPlan&) = delete;

  const Plan& plan() const { return plan_; }

 private:
  static constexpr size_t kEntries = 32;

  // Entry of every activation code in a list of the rows that are selected; false for too many.
  static bool number(const std::vector<uint16_t>& rows, std::vector<uint16_t>& list,
                     uint8_t* entry) {
    for (int code = 0; code < 256; code++) {
      const auto at = std::find(list.begin(), list.end(), rows[code]);
      if (at == list.end() && list.size() == kEntries) return false;
      entry[code] = static_cast<uint8_t>(at - list.begin());
      if (at == list.end()) list.push_back(rows[code]);
    }
    return true;
  }

  // Entries of both parts by weight, `width` each. Weights of either sign share them, and so the
  // first cache.
  uint16_t* entries_of(const std::vector<uint16_t>& low, const std::vector<uint16_t>& high,
                       size_t width, Workspace& memory, uint16_t* place) {
    uint16_t* words = reinterpret_cast<uint16_t*>(memory.get(257 * 2 * width * 2));
    std::vector<uint16_t> own(2 * width);
    size_t distinct = 0;
    for (int w = -1; w < 256; w++) {  // -1: no weight
      for (size_t i = 0; w >= 0 && i < low.size(); i++)
        own[i] = static_cast<uint16_t>(table_[low[i] * 256 + w]);
      for (size_t i = 0; w >= 0 && i < high.size(); i++)
        own[width + i] = static_cast<uint16_t>(table_[high[i] * 256 + w]);
      size_t at = 0;
      while (at < distinct && !std::equal(own.begin(), own.end(), words + at * 2 * width)) at++;
      if (at == distinct) std::copy(own.begin(), own.end(), words + distinct++ * 2 * width);
      if (w >= 0) place[w] = static_cast<uint16_t>(at * 2 * width);
    }
    return words;
  }

  void make_words() {
    std::vector<uint16_t> low, high;
    if (plan_.mode != Mode::kOr && plan_.mode != Mode::kSum) return;
    if (!number(first_, low, entries_) || !number(second_, high, entries_ + 256)) return;
    plan_.words = {entries_of(low, high, kEntries, words_, places_), places_, nullptr, nullptr,
                   entries_, entries_ + 256};
    if (low.size() > kEntries / 2 || high.size() > kEntries / 2) return;
    plan_.words.pairs = entries_of(low, high, kEntries / 2, pairs_, pair_places_);
    plan_.words.pair_place = pair_places_;
  }

  void make_planes(Packed<const int16_t> products) {
    require(products.shape(0) == 256 && products.shape(1) == 256, "products is not [256, 256]");
    uint8_t* planes = reinterpret_cast<uint8_t*>(planes_.get(256 * 512));
    for (int w = 0; w < 256; w++)
      for (int a = 0; a < 256; a++) {
        const int value = products.data()[w * 256 + a] + kPlaneOffset;
        planes[w * 512 + a] = static_cast<uint8_t>(value);
        planes[w * 512 + 256 + a] = static_cast<uint8_t>(value >> 8);
      }
    plan_.planes = planes;
  }

  std::vector<int16_t> table_;
  std::vector<uint8_t> steps_;
  std::vector<int16_t> sign_;
  std::vector<uint16_t> first_, second_;
  std::vector<uint8_t> negative_;
  uint8_t entries_[512];
  uint16_t places_[256], pair_places_[256];
  Workspace words_, pairs_, planes_;
  Plan plan_;
};

// Runs side by side are one, up to `size` bytes.
inline void append_run(std::vector<Run>& runs, int64_t offset, int length, size_t size) {
  if (!runs.empty()) {
    Run& last = runs.back();
    const bool fits = static_cast<size_t>(last.length) + length <= size;
    if (last.offset + last.length == offset && fits) {
      last.length += length;
      return;
    }
  }
  runs.push_back({offset, length});
}

void bind_layer(nb::module_& module);
void bind_commands(nb::module_& module);
void bind_vector(nb::module_& module);

}  // namespace cimc
