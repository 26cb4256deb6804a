#pragma once

#include <sys/types.h>

#include <sys/event.h>  // after <sys/types.h>, which it needs on the BSDs

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>

#include "reactor/poller/ready.h"
#include "reactor/socket.h"

namespace reactor {

/// kqueue(2), edge-triggered (EV_CLEAR) for reading and writing, with an EVFILT_USER event as
/// wake-up. Owned and driven by one EventLoop; only Wakeup() is safe from other threads.
class KqueuePoller {
 public:
  /// Whether Ready::kUrgent comes with urgent data: on macOS.
#ifdef EV_OOBAND
  static constexpr bool kTellsOfUrgentData = true;
#else
  static constexpr bool kTellsOfUrgentData = false;
#endif

  /// Throws std::system_error.
  KqueuePoller();

  /// One registration for the life of a descriptor; returns 0 or -errno.
  int Add(int fd, PollToken token) noexcept;
  /// Asks for the current readiness once more, as if it were an edge. Returns 0 or -errno.
  int Rearm(int fd, PollToken token) noexcept { return Add(fd, token); }
  void Remove(int fd) noexcept;

  /// Blocks for at most `timeout_ms` (-1: for ever) and calls `ready(token, Ready)` for each event.
  /// Reading and writing come as two events. Returns their number; an interrupted wait is 0.
  template <typename Callback>
  int Wait(int timeout_ms, Callback&& ready) {
    const int count = WaitForEvents(timeout_ms);
    for (int i = 0; i < count; ++i) {
      const struct kevent& event = events_[static_cast<std::size_t>(i)];
      if (event.filter == EVFILT_USER) continue;
      Ready bits = event.filter == EVFILT_WRITE ? Ready::kWrite : Ready::kRead;
      if ((event.flags & (EV_EOF | EV_ERROR)) != 0) bits = bits | Ready::kHangup;
#ifdef EV_OOBAND
      if ((event.flags & EV_OOBAND) != 0) bits = bits | Ready::kUrgent;
#endif
      ready(static_cast<PollToken>(reinterpret_cast<std::uintptr_t>(event.udata)), bits);
    }
    return count < 0 ? 0 : count;
  }

  /// Makes a blocked or the next Wait() return. Safe from any thread.
  void Wakeup() noexcept;

  /// Becomes readable when Wait() has something to report: lets a host loop drive this one.
  [[nodiscard]] int descriptor() const noexcept { return kqueue_.get(); }

 private:
  static constexpr std::size_t kEventsAWait = 256;

  int WaitForEvents(int timeout_ms) noexcept;

  FileDescriptor kqueue_;
  std::array<struct kevent, kEventsAWait> events_{};
};

}  // namespace reactor
