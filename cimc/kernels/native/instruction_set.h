// What is compiled once for each instruction set, in a namespace of its name.
#pragma once

#include "plan.h"
#include "stages.h"

namespace cimc {

#define CIMC_DECLARE(set)                                                          \
  namespace set {                                                                  \
  void multiply(const Plan&, const Operands&, Workspace&);                         \
  void loads(const char* bytes, int rounds, char* out);                            \
  void gather(const Windows&, size_t first, int rows, uint8_t* to);                \
  void finish(const Finish&, size_t first, int rows, int column, int columns,      \
              int32_t* sums);                                                      \
  void compute(const VectorCommand&, const uint8_t* memory, uint8_t* results);     \
  }

CIMC_DECLARE(portable)
CIMC_DECLARE(avx2)
CIMC_DECLARE(avx512)
CIMC_DECLARE(avx512vbmi)
CIMC_DECLARE(neon)
#undef CIMC_DECLARE

struct InstructionSet {
  const char* name;
  bool (*present)();
  decltype(&portable::multiply) multiply;
  decltype(&portable::loads) loads;
  decltype(&portable::gather) gather;
  decltype(&portable::finish) finish;
  decltype(&portable::compute) compute;
};

}  // namespace cimc
