#include <cstdlib>
#include <new>

#include "plan.h"

namespace cimc {

char* Workspace::get(size_t wanted) {
  if (wanted <= size) return bytes;
  std::free(bytes);
  size = 0;
  constexpr size_t kPage = 4096;
  wanted = (wanted + kPage - 1) / kPage * kPage;
  bytes = static_cast<char*>(std::aligned_alloc(kPage, wanted));
  if (!bytes) throw std::bad_alloc();
  size = wanted;
  return bytes;
}

Workspace::~Workspace() { std::free(bytes); }

}  // namespace cimc
