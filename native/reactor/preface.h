// What comes between accept (or connect) and the open event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "reactor/refusal.h"

namespace reactor {

class Connection;

/// One step of establishing a connection: a header to read, a handshake to do.
///
/// Advance() is called when the step's turn comes, and then whenever the poller has told something
/// of the connection: bytes, room, the end. It does what it can without waiting. It is told of each
/// arrival once, so before it returns kMore it must have received until -EAGAIN; nothing else
/// brings it back. What it reads with Connection::Peek() and Take() is gone for those behind it;
/// the first byte that it leaves is theirs. What it sends with Connection::Send() is written as any
/// output is, room or not. The connection may have ended within such a call; the step itself lives
/// until Advance() has returned, whose result then says nothing.
///
/// Owned by its connection, until that was announced; the loop's thread.
class PrefaceStep {
 public:
  enum class Progress : std::uint8_t {
    kMore,
    kLater,  // the same, but it is called again in the next turn, whatever the poller tells
    kDone,
    kFailed,
  };

  PrefaceStep() = default;
  PrefaceStep(const PrefaceStep&) = delete;
  PrefaceStep& operator=(const PrefaceStep&) = delete;
  virtual ~PrefaceStep() = default;

  [[nodiscard]] virtual Progress Advance(Connection& connection) noexcept = 0;

  /// After kFailed: the cause it counts as.
  [[nodiscard]] virtual Refusal cause() const noexcept { return Refusal::kHandshakeClosed; }
  /// Once it is done: what JavaScript is to hear with the open event.
  [[nodiscard]] virtual std::span<const std::byte> findings() const noexcept { return {}; }

  /// After kFailed, and when time is up: what was wrong, for a line of the log. May throw
  /// std::bad_alloc.
  [[nodiscard]] virtual std::string detail() const { return {}; }
};

/// The steps of one connection, in order.
class Preface {
 public:
  /// May throw std::bad_alloc.
  void Add(std::unique_ptr<PrefaceStep> step) { steps_.push_back(std::move(step)); }

  /// Null: there are no more.
  [[nodiscard]] PrefaceStep* current() const noexcept {
    return current_ < steps_.size() ? steps_[current_].get() : nullptr;
  }
  void GoOn() noexcept { ++current_; }

  /// Those of the first step that has some.
  [[nodiscard]] std::span<const std::byte> findings() const noexcept {
    for (const auto& step : steps_) {
      if (!step->findings().empty()) return step->findings();
    }
    return {};
  }

 private:
  std::vector<std::unique_ptr<PrefaceStep>> steps_;
  std::size_t current_ = 0;
};

}  // namespace reactor
