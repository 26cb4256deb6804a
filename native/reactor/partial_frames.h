#pragma once

#include <cstddef>

#include "reactor/connection_list.h"

namespace reactor {

class Connection;

/// What a handler keeps of a connection's input.
struct KeptInput {
  std::size_t bytes = 0;
  bool incomplete = false;  // they begin with a frame that has not come to its end
  bool begun = false;       // and that frame began with the bytes received last
};

/// The budget of one loop for received bytes that cannot be delivered yet. Frames that are complete
/// and wait for room count, but only an incomplete one is given up for others: the oldest.
class PartialFrames {
 public:
  explicit PartialFrames(std::size_t limit) noexcept : limit_(limit) {}

  /// `connection` keeps so much now, and `before` until now.
  void Update(Connection& connection, std::size_t before, const KeptInput& now) noexcept;
  /// Whose frame is to be given up; null while the budget holds.
  [[nodiscard]] Connection* Excess() const noexcept {
    return bytes_ > limit_ ? incomplete_.first() : nullptr;
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  static ConnectionLink& LinkOf(Connection& connection) noexcept;

  std::size_t limit_;
  std::size_t bytes_ = 0;
  ConnectionList<&LinkOf> incomplete_;  // by the age of their frames
};

}  // namespace reactor
