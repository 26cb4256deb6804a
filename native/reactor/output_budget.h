#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace reactor {

/// What waits for peers on all loops of a group, and for those loops, and how much of it may. Each
/// loop reports in steps of kStep, so the sum is off by less than that for each of them. Any
/// thread, but for Join().
class OutputBudget {
 public:
  static constexpr std::size_t kStep = 64 * 1024;

  /// `limit`: bytes.
  explicit OutputBudget(std::size_t limit) noexcept : limit_(limit) {}

  /// Adds a loop, and returns its index; before any loop runs. `shed` has that loop call Shed() on
  /// its own thread.
  std::size_t Join(std::function<void()> shed);

  void Add(std::ptrdiff_t bytes) noexcept {
    waiting_.fetch_add(static_cast<std::size_t>(bytes), std::memory_order_relaxed);
  }
  [[nodiscard]] std::size_t waiting() const noexcept {
    return waiting_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool exceeded() const noexcept { return waiting() > limit_; }

  /// How much, by rank, waits for the connection of that loop for which most does.
  void ReportHighest(std::size_t loop, std::uint8_t rank) noexcept {
    members_[loop]->highest.store(rank, std::memory_order_relaxed);
  }
  /// True when it is that loop's part to close a connection, as no other has one with more. If
  /// another has, that one is asked to.
  [[nodiscard]] bool IsTurnOf(std::size_t loop);
  /// That loop has done as it was asked.
  void Answer(std::size_t loop) noexcept { members_[loop]->asked.store(false); }

 private:
  struct Member {
    std::function<void()> shed;
    std::atomic<std::uint8_t> highest{0};
    std::atomic<bool> asked{false};
  };

  std::size_t limit_;
  std::atomic<std::size_t> waiting_{0};
  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace reactor
