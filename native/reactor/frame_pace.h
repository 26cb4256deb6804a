#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "reactor/clock.h"

namespace reactor {

/// How fast a frame comes that has begun and not ended. It may be silent for less than a timeout,
/// and over each timeout it must come at kMinimumPace. Judged from the count of received bytes when
/// its deadline is due, so that a message costs no more than a time stamp.
class FramePace {
 public:
  static constexpr std::uint64_t kMinimumPace = 1024;  // bytes a second

  /// A frame is under way.
  [[nodiscard]] bool running() const noexcept { return progress_ != 0; }

  /// Bytes of it came. `begun`: it began with these, the last `bytes` of the `received` so far.
  void Progress(Nanoseconds now, bool begun, std::uint64_t received, std::size_t bytes) noexcept {
    if (begun || !running()) {
      since_ = now;
      from_ = received - std::min<std::uint64_t>(bytes, received);
    }
    progress_ = now;
  }
  /// None of its silence counts so far.
  void Restart(Nanoseconds now, std::uint64_t received) noexcept {
    if (running()) Progress(now, true, received, 0);
  }
  /// It has come, or is wanted no more.
  void Stop() noexcept { progress_ = 0; }

  /// While running: when it may be too slow at the earliest.
  [[nodiscard]] Nanoseconds Deadline(Nanoseconds timeout) const noexcept {
    return std::min(progress_, since_) + timeout;
  }

  /// While running. After a whole timeout at a sufficient pace, the next one begins.
  [[nodiscard]] bool IsTooSlow(Nanoseconds now, Nanoseconds timeout,
                               std::uint64_t received) noexcept {
    if (now >= progress_ + timeout) return true;
    if (now < since_ + timeout) return false;
    const std::uint64_t milliseconds = (now - since_) / kNanosecondsPerMillisecond;
    if ((received - from_) * 1000 < kMinimumPace * milliseconds) return true;
    since_ = now;
    from_ = received;
    return false;
  }

 private:
  Nanoseconds progress_ = 0;  // when its last bytes came; 0: there is none
  Nanoseconds since_ = 0;     // how fast it comes is judged from here on …
  std::uint64_t from_ = 0;    // … and this count of received bytes
};

}  // namespace reactor
