#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "reactor/connection_list.h"
#include "reactor/output_budget.h"

namespace reactor {

class Connection;

/// Which connections of one loop have output waiting, ranked by how much memory it takes, and the
/// loop's part in the budget of its group. A connection changes its rank when its ring is
/// reallocated, so that one which is written to and read from costs nothing.
class WaitingOutput {
 public:
  /// Counts towards `budget`, which must outlive it; null: no limit. `shed`: see OutputBudget.
  WaitingOutput(OutputBudget* budget, std::function<void()> shed);

  /// Another number of bytes may wait for `connection` now than at the last call.
  void Update(Connection& connection) noexcept;
  /// Closes the connections with most, reason backpressure, while more waits in all than may and no
  /// other loop has one with more.
  void Shed() noexcept;
  [[nodiscard]] bool exceeded() const noexcept { return budget_ != nullptr && budget_->exceeded(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  static constexpr std::size_t kRanks = 64;

  static ConnectionLink& LinkOf(Connection& connection) noexcept;

  void Report() noexcept;
  [[nodiscard]] Connection* Most() const noexcept;

  OutputBudget* budget_;
  std::size_t index_ = 0;
  std::size_t bytes_ = 0;
  std::size_t reported_ = 0;
  std::uint64_t used_ = 0;  // bit n: somebody has rank n
  std::array<ConnectionList<&LinkOf>, kRanks> ranks_;
};

}  // namespace reactor
