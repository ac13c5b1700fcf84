// Commands that are ready to run on the memories of a machine: see bind_commands.cpp.
#pragma once

#include <algorithm>
#include <cstring>

#include "dispatch.h"

namespace cimc {

// Of `items` machines with one program.
struct Memories {
  uint8_t* buffer;  // [items, size]; addresses wrap, size is a power of two
  size_t size;
  int32_t* psums;   // [items, entries, outputs]
  size_t entries, outputs;
  size_t items;
};

class Command {
 public:
  virtual ~Command() = default;
  virtual void run(const InstructionSet& set, const Memories& memories, int threads) const = 0;
  // Whether the memories are those that the command was made for.
  virtual bool fits(const Memories& memories) const = 0;
};

// Writes `cells` of `beat` bytes to the addresses `at` of one memory, the first cell first; of the
// last of every `row` cells only `tail` bytes.
inline void scatter_item(uint8_t* memory, size_t size, const int64_t* at, const uint8_t* cell,
                         size_t cells, size_t beat, size_t row, size_t tail) {
  for (size_t i = 0; i < cells; i++, cell += beat) {
    const size_t width = i % row + 1 == row ? tail : beat;
    const size_t begin = static_cast<size_t>(at[i]) & (size - 1);
    const size_t before = std::min(width, size - begin);
    std::memcpy(memory + begin, cell, before);
    std::memcpy(memory, cell + before, width - before);
  }
}

inline bool is_power_of_two(size_t size) { return size && !(size & (size - 1)); }

}  // namespace cimc
