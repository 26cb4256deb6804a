#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>

#include "reactor/poller/ready.h"
#include "reactor/socket.h"

namespace reactor {

/// epoll(7), edge-triggered for reading and writing at once, with an eventfd(2) as wake-up.
/// Owned and driven by one EventLoop; only Wakeup() is safe from other threads.
class EpollPoller {
 public:
  /// Whether Ready::kUrgent comes with urgent data.
  static constexpr bool kTellsOfUrgentData = true;

  /// Throws std::system_error.
  EpollPoller();

  /// One registration for the life of a descriptor; returns 0 or -errno.
  int Add(int fd, PollToken token) noexcept;
  /// Asks for the current readiness once more, as if it were an edge. Returns 0 or -errno.
  int Rearm(int fd, PollToken token) noexcept;
  void Remove(int fd) noexcept;

  /// Blocks for at most `timeout_ms` (-1: for ever) and calls `ready(token, Ready)` for each event.
  /// Returns their number; an interrupted wait is 0.
  template <typename Callback>
  int Wait(int timeout_ms, Callback&& ready) {
    const int count = SocketOps::EpollWait(epoll_.get(), events_.data(),
                                           static_cast<int>(events_.size()), timeout_ms);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events_[static_cast<std::size_t>(i)];
      if (event.data.u64 == kWakeupToken) {
        SocketOps::ClearEventFd(wakeup_.get());
        continue;
      }
      Ready bits = Ready::kNone;
      if ((event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        bits = bits | Ready::kRead;
      if ((event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) bits = bits | Ready::kWrite;
      if ((event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) bits = bits | Ready::kHangup;
      if ((event.events & EPOLLPRI) != 0) bits = bits | Ready::kUrgent | Ready::kRead;
      ready(event.data.u64, bits);
    }
    return count < 0 ? 0 : count;
  }

  /// Makes a blocked or the next Wait() return. Safe from any thread.
  void Wakeup() noexcept;

  /// Becomes readable when Wait() has something to report: lets a host loop drive this one.
  [[nodiscard]] int descriptor() const noexcept { return epoll_.get(); }

 private:
  static constexpr std::size_t kEventsAWait = 256;

  FileDescriptor epoll_;
  FileDescriptor wakeup_;
  std::array<epoll_event, kEventsAWait> events_{};
};

}  // namespace reactor
