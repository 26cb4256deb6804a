#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bridge {

/// Bounded queue of slab indices between exactly one producer thread and one consumer thread.
/// Never blocks. Stores and loads are sequentially consistent, because a sleeping side decides by
/// Empty() after announcing its sleep; a slab changes hands rarely enough for that to be free.
template <std::size_t kCapacity>
class SpscRing {
  static_assert((kCapacity & (kCapacity - 1)) == 0, "a power of two");

 public:
  /// Producer. False when full.
  bool Push(std::int32_t value) noexcept {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load() == kCapacity) return false;
    values_[tail & (kCapacity - 1)] = value;
    tail_.store(tail + 1);
    return true;
  }

  /// Consumer. -1 when empty.
  std::int32_t Pop() noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (tail_.load() == head) return -1;
    const std::int32_t value = values_[head & (kCapacity - 1)];
    head_.store(head + 1);
    return value;
  }

  /// Either side; exact only for what the caller itself has done.
  [[nodiscard]] bool Empty() const noexcept { return tail_.load() == head_.load(); }

 private:
  static constexpr std::size_t kCacheLine = 64;

  alignas(kCacheLine) std::atomic<std::size_t> head_{0};
  alignas(kCacheLine) std::atomic<std::size_t> tail_{0};
  std::array<std::int32_t, kCapacity> values_{};
};

}  // namespace bridge
