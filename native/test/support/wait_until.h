// Waiting for a condition, with a deadline, instead of sleeping for a while.
//
// The deadline is for what never comes: everything may take twenty times as long under a sanitizer
// on a busy machine, and nothing here takes a second on a quiet one.
#pragma once

#include <chrono>
#include <thread>

namespace test {

inline constexpr std::chrono::seconds kDeadline{60};

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
