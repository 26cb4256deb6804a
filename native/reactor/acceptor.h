#pragma once

#include <functional>

#include "reactor/endpoint.h"
#include "reactor/poller/ready.h"
#include "reactor/socket.h"
#include "reactor/socket_file.h"
#include "reactor/timer_wheel.h"

namespace reactor {

class EventLoop;

/// Accepts connections from one listening socket and hands each to a callback. Survives a full
/// descriptor table: waiting clients are shed through a spare descriptor, then it backs off. What
/// fails for one client is passed over, unless nothing else comes.
/// Belongs to one loop's thread.
class Acceptor final : public TimerTarget {
 public:
  using Callback = std::function<void(FileDescriptor, const Endpoint&)>;

  /// Takes over `listener`, and its name if it is a Unix socket, and registers it as `token` with
  /// the loop's poller. Throws std::system_error.
  Acceptor(EventLoop& loop, PollToken token, FileDescriptor listener, SocketFile file,
           Callback on_accept);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  ~Acceptor();

  /// The poller saw connections waiting.
  void OnReady() noexcept { ready_ = true; }
  [[nodiscard]] bool ready() const noexcept { return ready_; }
  /// Accepts up to the budget of one turn. Returns true while more may be waiting.
  bool Serve();
  /// Takes away the name of a Unix socket, then what the kernel has already completed, and closes
  /// the listening socket.
  void AcceptRestAndClose();

  void OnDeadline() override;

 private:
  bool AcceptOne();
  void OnExhausted(int error);

  EventLoop& loop_;
  FileDescriptor listener_;
  SocketFile file_;  // behind it, so that it goes first
  FileDescriptor spare_;
  Callback on_accept_;
  TimerNode retry_;
  int failed_in_a_row_ = 0;
  bool ready_ = false;
};

}  // namespace reactor
