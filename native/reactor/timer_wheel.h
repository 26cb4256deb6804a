#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace reactor {

/// What a deadline is for. Called on the loop thread by the turn in which the node expired.
class TimerTarget {
 public:
  virtual void OnDeadline() = 0;

 protected:
  ~TimerTarget() = default;
};

/// A place in the wheel, embedded in what waits (a connection, a user's timer). It must be
/// cancelled before it is destroyed; moving it is not allowed while armed.
struct TimerNode {
  TimerTarget* target = nullptr;
  TimerNode* previous = nullptr;
  TimerNode* next = nullptr;
  std::uint64_t deadline = 0;  // wheel ticks
  std::uint8_t level = 0;
  std::uint8_t index = 0;

  [[nodiscard]] bool armed() const noexcept { return next != nullptr; }
};

/// Hierarchical timing wheel: arm, re-arm and cancel in O(1), no memory per timer, no scan.
/// Counts ticks (the loop uses 1 ms); six levels of 64 slots reach 2^36 ticks. A node never
/// expires early; it expires in the first Advance() at or after its deadline.
/// Not thread-safe: belongs to one loop.
class TimerWheel {
 public:
  explicit TimerWheel(std::uint64_t now_tick = 0) noexcept;
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  /// Nothing is armed any more: nodes know the wheel by their place in it.
  ~TimerWheel() { assert(size_ == 0); }

  /// Arms `node` for `deadline` (ticks), or moves it there. A deadline in the past expires in the
  /// next Advance().
  void Arm(TimerNode& node, std::uint64_t deadline) noexcept;
  /// Harmless on a node that is not armed.
  void Cancel(TimerNode& node) noexcept;

  /// Moves time to `now_tick` and calls `expired(node)` for each node due, in order of their
  /// ticks. The callback may arm and cancel any node, its own included.
  template <typename Callback>
  void Advance(std::uint64_t now_tick, Callback&& expired) {
    while (current_ <= now_tick) {
      // Jump over ticks in which nothing can happen.
      const auto next = NextEvent();
      if (!next || *next > now_tick) {
        current_ = now_tick + 1;
        return;
      }
      current_ = *next;
      Cascade();
      // Taken out first: a callback may arm a node for this very slot, one round on.
      TimerNode due;
      TakeSlot(0, current_ & kMask, due);
      ++current_;  // what the callbacks arm for "now" goes to the next tick
      while (due.next != &due) {
        TimerNode& node = *due.next;
        Cancel(node);
        expired(node);
      }
    }
  }

  /// The tick at which Advance() has something to do; a little early for far timers. Empty when
  /// nothing is armed.
  [[nodiscard]] std::optional<std::uint64_t> NextEvent() const noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr unsigned kBits = 6;
  static constexpr unsigned kSlots = 1U << kBits;
  static constexpr std::uint64_t kMask = kSlots - 1;
  static constexpr unsigned kLevels = 6;
  static constexpr std::uint64_t kHorizon = std::uint64_t{1} << (kBits * kLevels);

  void Place(TimerNode& node) noexcept;
  /// Moves the nodes of a slot into the list around `head`.
  void TakeSlot(unsigned level, std::uint64_t index, TimerNode& head) noexcept;
  void Cascade() noexcept;

  std::uint64_t current_;  // the next tick to run
  std::size_t size_ = 0;
  std::array<std::uint64_t, kLevels> occupied_{};  // one bit a slot
  std::array<std::array<TimerNode, kSlots>, kLevels> slots_;
};

}  // namespace reactor
