#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "reactor/event_loop.h"
#include "reactor/socket.h"
#include "test/support/client_socket.h"
#include "test/support/recording_handler.h"
#include "test/support/wait_until.h"

namespace test {

inline reactor::Endpoint Loopback(std::uint16_t port = 0) {
  return reactor::Endpoint::FromAddress("127.0.0.1", port);
}

/// One loop on the real kernel with a listener on the loopback, turned by the test's own thread:
/// nothing happens between two turns, so that each step can be looked at.
class LoopHarness {
 public:
  explicit LoopHarness(reactor::LoopOptions options = {},
                       const reactor::Endpoint& endpoint = Loopback())
      : loop(std::move(options), handler) {
    auto listener = reactor::ListenOn(endpoint, {});
    address = reactor::Endpoint::LocalOf(listener.get());
    loop.Listen(std::move(listener),
                [this](reactor::FileDescriptor socket, const reactor::Endpoint& remote) {
                  loop.Adopt({.socket = std::move(socket), .remote = remote});
                });
  }

  /// Turns the loop until `condition` holds; false when the deadline passed.
  template <typename Condition>
  [[nodiscard]] bool TurnUntil(Condition&& condition, std::chrono::milliseconds limit = kDeadline) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() >= end) return false;
      loop.Turn(1);
    }
    return true;
  }
  /// Turns until nothing is left to do, which shows that an event does not come.
  void Settle() {
    for (int i = 0; i < 20; ++i) loop.Turn(1);
  }
  /// A client whose connection the handler has seen.
  ClientSocket Connect(int receive_buffer = 0) {
    const int before = handler.opened();
    ClientSocket client(address, receive_buffer);
    EXPECT_EQ(client.connect_error(), 0);
    EXPECT_TRUE(TurnUntil([&] { return handler.opened() > before; }));
    return client;
  }
  /// The newest connection; it must be open still.
  reactor::Connection& newest() {
    const ConnectionRecord record = handler.records().back();
    return *loop.Find(record.slot, record.generation);
  }

  RecordingHandler handler;
  reactor::EventLoop loop;
  reactor::Endpoint address;
};

}  // namespace test
