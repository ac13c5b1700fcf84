// Runs layers of a file with one instruction set: for processors that only an emulator has here.
// test_neon.py writes the cases, and reads the results.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "dispatch.h"

namespace {

std::FILE* input;

template <typename T>
std::vector<T> take(size_t count) {
  std::vector<T> found(count);
  if (count && std::fread(found.data(), sizeof(T), count, input) != count) std::exit(2);
  return found;
}

int64_t number() { return take<int64_t>(1)[0]; }

void run(const cimc::InstructionSet& set, std::FILE* output) {
  using namespace cimc;
  const auto mode = static_cast<Mode>(number());
  const int group = static_cast<int>(number());
  const size_t rows = static_cast<size_t>(number());
  const auto base = static_cast<int32_t>(number()), step = static_cast<int32_t>(number()),
             flip = static_cast<int32_t>(number());
  const auto table = take<int16_t>(rows * 256);
  const auto steps = take<uint8_t>(rows * 3);
  const auto sign = take<int16_t>(256);
  const auto first = take<uint16_t>(256), second = take<uint16_t>(256);
  const auto negative = take<uint8_t>(256);
  const Plan plan{mode,          group,           static_cast<int>(rows), table.data(), steps.data(),
                  sign.data(),   first.data(),    second.data(),          negative.data(), base,
                  step,          flip,            {},                     nullptr,      false};

  const size_t items = static_cast<size_t>(number()), size = static_cast<size_t>(number());
  const size_t pixels = static_cast<size_t>(number()), offsets = static_cast<size_t>(number());
  const int length = static_cast<int>(number()), columns = static_cast<int>(number());
  const bool add = number(), keep = number();
  const auto zero = static_cast<int32_t>(number()), low = static_cast<int32_t>(number()),
             high = static_cast<int32_t>(number());
  const int threads = static_cast<int>(number());
  const auto memory = take<uint8_t>(items * size);
  const auto at = take<int64_t>(pixels), offset = take<int64_t>(offsets);
  const size_t depth = offsets * static_cast<size_t>(length);
  const size_t wide = static_cast<size_t>(columns);
  const auto w = take<uint8_t>(depth * wide);
  auto partial = take<int32_t>(items * pixels * wide);
  const auto bias = take<int32_t>(wide), multiplier = take<int32_t>(wide);
  const auto shift = take<int64_t>(wide);

  std::vector<Run> runs;
  for (const int64_t each : offset) runs.push_back({each, length});
  const Windows windows{memory.data(), size,        size - 1, at.data(), pixels, runs.data(),
                        runs.size(),   static_cast<int>(depth)};
  std::vector<uint8_t> codes(items * pixels * wide);
  Finish finish{};
  finish.partial = add || keep ? partial.data() : nullptr;
  finish.item_stride = static_cast<int64_t>(pixels * wide);
  finish.pixel_stride = columns;
  finish.pixel_count = pixels;
  finish.add = add;
  finish.keep = keep;
  finish.codes = codes.data();
  finish.all_columns = columns;
  finish.bias = bias.data();
  finish.multiplier = multiplier.data();
  finish.shift = shift.data();
  finish.zero = zero;
  finish.low = low;
  finish.high = high;
  layer_threaded(set, plan, windows, items, {w.data(), wide, columns}, finish, threads);
  if (keep)
    std::fwrite(partial.data(), 4, partial.size(), output);
  else
    std::fwrite(codes.data(), 1, codes.size(), output);
}

}  // namespace

int main(int, char** arguments) {
  const cimc::InstructionSet* set = cimc::set_for(arguments[1]);
  input = std::fopen(arguments[2], "rb");
  std::FILE* output = std::fopen(arguments[3], "wb");
  if (!set || !input || !output) return 1;
  for (int64_t count = number(); count; count--) run(*set, output);
  return std::fclose(output);
}
