#pragma once

#include <cstddef>

namespace test {

/// While it lives, operator new of this thread fails from a size on. One at a time.
class FailingAllocations {
 public:
  /// `smallest`: bytes of the smallest allocation that fails.
  explicit FailingAllocations(std::size_t smallest) noexcept;
  ~FailingAllocations();
  FailingAllocations(const FailingAllocations&) = delete;
  FailingAllocations& operator=(const FailingAllocations&) = delete;
};

}  // namespace test
