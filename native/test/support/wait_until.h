// Waiting for a condition, with a deadline, instead of sleeping for a while.
#pragma once

#include <chrono>
#include <thread>

namespace test {

inline constexpr std::chrono::seconds kDeadline{20};  // generous: sanitizers on a busy machine

/// Polls `condition` until it holds; false when the deadline passed.
template <typename Condition>
[[nodiscard]] bool WaitUntil(Condition&& condition, std::chrono::milliseconds limit = kDeadline) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

}  // namespace test
