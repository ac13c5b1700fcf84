#define CIMC_SET avx512vbmi
#define CIMC_VECTOR_BYTES 64
#define CIMC_OWN_MULTIPLY
#include "row_gather.h"
#include "lanes_bytes.h"
#include "lanes_pairs.h"
#include "lanes_words.h"
#include "layer.h"
#include "vector_unit.h"

namespace cimc::avx512vbmi {

void multiply(const Plan& plan, const Operands& o, Workspace& workspace) {
  if (!o.rows || !o.columns) return;
  const bool few = o.rows <= kByteRows && plan.words.pairs;  // smaller vectors are fuller
  if (plan.planes && plan.halves && !few) return multiply_by_bytes(plan, o, workspace);
  if (plan.words.pairs && plan.mode == Mode::kOr)
    return multiply_by_pairs<Mode::kOr>(plan, o, workspace);
  if (plan.words.pairs && plan.mode == Mode::kSum)
    return multiply_by_pairs<Mode::kSum>(plan, o, workspace);
  if (plan.words.table && plan.mode == Mode::kOr)
    return multiply_by_words<Mode::kOr>(plan, o, workspace);
  if (plan.words.table && plan.mode == Mode::kSum)
    return multiply_by_words<Mode::kSum>(plan, o, workspace);
  if (plan.planes) return multiply_by_bytes(plan, o, workspace);
  multiply_by_rows(plan, o, workspace);
}

}  // namespace cimc::avx512vbmi
