#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "reactor/endpoint.h"

namespace reactor {

/// How accepted connections are spread over the loops. The numbers come from JavaScript
/// (src/core/options.ts): keep in step.
enum class LoadBalance : std::uint8_t {
  kRoundRobin = 0,
  kLeastConnections = 1,
  kSourceHash = 2,  // one client address, one loop
  kKernel = 3,      // one SO_REUSEPORT listener a loop: the kernel chooses
};

/// Picks a loop for each accepted connection. Used by the accepting loop's thread only.
class LoadBalancer {
 public:
  explicit LoadBalancer(LoadBalance policy) noexcept : policy_(policy) {}

  /// `counts`: connections assigned to each loop and not closed yet; must not be empty.
  [[nodiscard]] std::size_t Pick(const Endpoint& remote,
                                 std::span<const std::size_t> counts) noexcept {
    switch (policy_) {
      case LoadBalance::kLeastConnections:
        return static_cast<std::size_t>(std::ranges::min_element(counts) - counts.begin());
      case LoadBalance::kSourceHash:
        return static_cast<std::size_t>(remote.HostHash() % counts.size());
      case LoadBalance::kRoundRobin:
      case LoadBalance::kKernel:
        break;
    }
    return next_++ % counts.size();
  }

 private:
  LoadBalance policy_;
  std::size_t next_ = 0;
};

}  // namespace reactor
