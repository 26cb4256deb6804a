#include "test/support/failing_allocations.h"

#include <cstdlib>
#include <limits>
#include <new>

namespace test {
namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

thread_local std::size_t smallest_that_fails = kNone;

}  // namespace

FailingAllocations::FailingAllocations(std::size_t smallest) noexcept {
  smallest_that_fails = smallest;
}

FailingAllocations::~FailingAllocations() { smallest_that_fails = kNone; }

}  // namespace test

// Those of arrays, too: a sanitizer's do not end in these. Not inlined: the compiler would take
// malloc() and operator delete for a pair that does not match.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (size < test::smallest_that_fails) {
    if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  }
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new[](std::size_t size) { return operator new(size); }

[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
