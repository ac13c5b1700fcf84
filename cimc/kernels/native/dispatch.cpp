#include "dispatch.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <ctime>
#include <exception>
#include <mutex>
#include <thread>

namespace cimc {
namespace {

// Rows that share the rows of products that are built for them.
constexpr int kBlockRows = 512;
// Below this a thread costs more than it brings.
constexpr int kLeastRows = 64;
constexpr double kLeastProducts = 4e6;

struct Set {
  const char* name;
  Multiply multiply;
  Loads loads;
  bool (*present)();
};

const Set kSets[] = {
#if defined(CIMC_HAVE_X86)
    {"avx512", multiply_avx512, loads_avx512,
     [] {
       return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
     }},
    {"avx2", multiply_avx2, loads_avx2,
     [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt"); }},
#endif
#if defined(CIMC_HAVE_NEON)
    {"neon", multiply_neon, loads_neon, [] { return true; }},
#endif
    {"portable", multiply_portable, loads_portable, [] { return true; }},
};

int parts_of(int total, int least, int wanted) {
  return std::max(1, std::min(wanted, total / least));
}

Operands part_of(const Operands& o, int row, int rows, int column, int columns) {
  Operands part = o;
  part.a += static_cast<size_t>(row) * o.a_stride;
  part.w += column;
  part.y += static_cast<size_t>(row) * o.y_stride + column;
  part.rows = rows;
  part.columns = columns;
  return part;
}

// Every task writes its own part of y.
std::vector<Operands> divide(const Operands& o, int threads) {
  const double products = 1.0 * o.rows * o.columns * o.depth;
  if (products < kLeastProducts * threads) threads = 1;
  int blocks = (o.rows + kBlockRows - 1) / kBlockRows;
  const int by_rows = parts_of(o.rows, kLeastRows, threads);
  blocks = (blocks + by_rows - 1) / by_rows * by_rows;
  const int stripes = (o.columns + kColumns - 1) / kColumns;
  const int by_columns = blocks >= threads ? 1 : parts_of(stripes, 1, threads);
  std::vector<Operands> tasks;
  for (int i = 0; i < blocks; i++)
    for (int j = 0; j < by_columns; j++) {
      const auto row = [&](int at) { return static_cast<int>(1LL * o.rows * at / blocks); };
      const auto column = [&](int at) {
        return std::min(o.columns, static_cast<int>(1LL * stripes * at / by_columns) * kColumns);
      };
      tasks.push_back(
          part_of(o, row(i), row(i + 1) - row(i), column(j), column(j + 1) - column(j)));
    }
  return tasks;
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const Set& set : kSets)
    if (set.present()) names.emplace_back(set.name);
  return names;
}

Multiply multiply_for(const std::string& name) {
  for (const Set& set : kSets)
    if (name == set.name && set.present()) return set.multiply;
  return nullptr;
}

double load_speed(const std::string& name) {
  constexpr int kRounds = 20000, kTries = 5;
  Workspace workspace;
  char* bytes = workspace.get(kProbeBytes);
  std::memset(bytes, 1, kProbeBytes);
  double best = 0;
  for (const Set& set : kSets) {
    if (name != set.name || !set.present()) continue;
    for (int i = 0; i < kTries; i++) {
      char out[64];
      const std::clock_t began = std::clock();
      set.loads(bytes, kRounds, out);
      const double seconds = 1.0 * (std::clock() - began) / CLOCKS_PER_SEC;
      best = std::max(best, 1e-9 * kProbeBytes * kRounds / seconds);
    }
  }
  return best;
}

void multiply_threaded(Multiply multiply, const Plan& plan, const Operands& o, int threads) {
  const std::vector<Operands> tasks = divide(o, threads);
  std::atomic<size_t> next{0};
  std::exception_ptr failure;
  std::mutex guard;
  const auto work = [&] {
    try {
      thread_local Workspace workspace;
      for (size_t i = next++; i < tasks.size(); i = next++) multiply(plan, tasks[i], workspace);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(guard);
      failure = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  const int wanted = std::min<int>(threads, static_cast<int>(tasks.size()));
  for (int i = 1; i < wanted; i++) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace cimc
