// Which instruction sets this build and this processor have, and work on several threads.
#pragma once

#include <string>
#include <vector>

#include "instruction_set.h"

namespace cimc {

// Names of the instruction sets that can run here, best first.
std::vector<std::string> instruction_sets();

// The set of that name; nullptr where it cannot run.
const InstructionSet* set_for(const std::string& name);

// The product `o`, rows or columns divided between `threads` threads.
void multiply_threaded(const InstructionSet& set, const Plan& plan, const Operands& o, int threads);

// Weights of a layer.
struct Weights {
  const uint8_t* w;  // [depth, columns]
  size_t stride;
  int columns;
};

// Windows of `items` memories times `weights`, finished; rows are gathered as they are needed.
void layer_threaded(const InstructionSet& set, const Plan& plan, const Windows& windows,
                    size_t items, const Weights& weights, const Finish& finish, int threads);

// Billions of bytes a second of processor time that `set` can load from the first cache.
double load_speed(const InstructionSet& set);

}  // namespace cimc
