#include "dispatch.h"

#include <algorithm>
#include <cstring>
#include <ctime>

#include "parallel.h"

namespace cimc {
namespace {

// Rows that share the rows of products that are built for them.
constexpr size_t kBlockRows = 1024;
// Below this a thread costs more than it brings.
constexpr size_t kLeastRows = 64;
constexpr double kLeastProducts = 4e6;

#define CIMC_SET(name, present) \
  {#name, [] { return present; }, name::multiply, name::loads, name::gather, name::finish, name::compute}
const InstructionSet kSets[] = {
#if defined(CIMC_HAVE_X86)
    CIMC_SET(avx512vbmi, __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("gfni") &&
                             __builtin_cpu_supports("avx512bw") &&
                             __builtin_cpu_supports("avx512vl") &&
                             __builtin_cpu_supports("avx512dq") &&
                             __builtin_cpu_supports("avx512vnni")),
    CIMC_SET(avx512, __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                         __builtin_cpu_supports("avx512dq") &&
                         __builtin_cpu_supports("avx512vnni")),
    CIMC_SET(avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt")),
#endif
#if defined(CIMC_HAVE_NEON)
    CIMC_SET(neon, true),
#endif
    CIMC_SET(portable, true),
};
#undef CIMC_SET

// Part of a result.
struct Task {
  size_t row;
  int rows, column, columns;
};

// Parts that together are all of [rows, columns].
std::vector<Task> divide(size_t rows, int columns, int depth, int threads) {
  const double products = 1.0 * rows * columns * depth;
  if (products < kLeastProducts * threads) threads = 1;
  const size_t wanted = static_cast<size_t>(threads);
  const size_t by_rows = std::max<size_t>(1, std::min(wanted, rows / kLeastRows));
  size_t blocks = (rows + kBlockRows - 1) / kBlockRows;
  blocks = (blocks + by_rows - 1) / by_rows * by_rows;
  const size_t stripes = (static_cast<size_t>(columns) + kColumns - 1) / kColumns;
  const size_t by_columns = blocks >= wanted ? 1 : std::min(wanted, stripes);
  std::vector<Task> tasks;
  for (size_t i = 0; i < blocks; i++)
    for (size_t j = 0; j < by_columns; j++) {
      const auto row = [&](size_t at) { return rows * at / blocks; };
      const auto column = [&](size_t at) {
        return std::min(columns, static_cast<int>(stripes * at / by_columns) * kColumns);
      };
      tasks.push_back({row(i), static_cast<int>(row(i + 1) - row(i)), column(j),
                       column(j + 1) - column(j)});
    }
  return tasks;
}

constexpr size_t aligned(size_t bytes) { return (bytes + 63) & ~static_cast<size_t>(63); }

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const InstructionSet& set : kSets)
    if (set.present()) names.emplace_back(set.name);
  return names;
}

const InstructionSet* set_for(const std::string& name) {
  for (const InstructionSet& set : kSets)
    if (name == set.name && set.present()) return &set;
  return nullptr;
}

double load_speed(const InstructionSet& set) {
  constexpr int kRounds = 20000, kTries = 5;
  Workspace workspace;
  char* bytes = workspace.get(kProbeBytes);
  std::memset(bytes, 1, kProbeBytes);
  double best = 0;
  for (int i = 0; i < kTries; i++) {
    char out[64];
    const std::clock_t began = std::clock();
    set.loads(bytes, kRounds, out);
    const double seconds = 1.0 * (std::clock() - began) / CLOCKS_PER_SEC;
    best = std::max(best, 1e-9 * kProbeBytes * kRounds / seconds);
  }
  return best;
}

void multiply_threaded(const InstructionSet& set, const Plan& plan, const Operands& o,
                       int threads) {
  const size_t rows = static_cast<size_t>(o.rows);
  const std::vector<Task> tasks = divide(rows, o.columns, o.depth, threads);
  for_each(tasks.size(), threads, [&](size_t i) {
    thread_local Workspace workspace;
    const Task& task = tasks[i];
    Operands part = o;
    part.a += task.row * o.a_stride;
    part.w += task.column;
    part.y += task.row * o.y_stride + task.column;
    part.rows = task.rows;
    part.columns = task.columns;
    set.multiply(plan, part, workspace);
  });
}

void layer_threaded(const InstructionSet& set, const Plan& plan, const Windows& windows,
                    size_t items, const Weights& weights, const Finish& finish, int threads) {
  const size_t rows = items * windows.pixel_count;
  const std::vector<Task> tasks = divide(rows, weights.columns, windows.depth, threads);
  for_each(tasks.size(), threads, [&](size_t i) {
    thread_local Workspace workspace, own;
    const Task& task = tasks[i];
    const size_t codes = aligned(static_cast<size_t>(task.rows) * windows.depth);
    char* memory = own.get(codes + static_cast<size_t>(task.rows) * task.columns * 4);
    uint8_t* a = reinterpret_cast<uint8_t*>(memory);
    int32_t* y = reinterpret_cast<int32_t*>(memory + codes);
    set.gather(windows, task.row, task.rows, a);
    const Operands part{a,
                        static_cast<size_t>(windows.depth),
                        weights.w + task.column,
                        weights.stride,
                        y,
                        static_cast<size_t>(task.columns),
                        task.rows,
                        windows.depth,
                        task.columns};
    set.multiply(plan, part, workspace);
    set.finish(finish, task.row, task.rows, task.column, task.columns, y);
  });
}

}  // namespace cimc
