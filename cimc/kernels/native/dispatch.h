// Which instruction sets this build and this processor have, and products on several threads.
#pragma once

#include <string>
#include <vector>

#include "plan.h"

namespace cimc {

// Names of the instruction sets that can run here, best first.
std::vector<std::string> instruction_sets();

// The kernel for `name`; nullptr where it cannot run.
Multiply multiply_for(const std::string& name);

// The product `o`, rows or columns divided between `threads` threads.
void multiply_threaded(Multiply multiply, const Plan& plan, const Operands& o, int threads);

// Billions of bytes a second of processor time that `name` can load from the first cache; 0 where
// it cannot run.
double load_speed(const std::string& name);

}  // namespace cimc
