#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "reactor/event_loop.h"
#include "reactor/socket.h"
#include "test/support/mock_kernel.h"
#include "test/support/recording_handler.h"

namespace test {

/// One listening loop on a mock kernel of its own. At the end everything must be closed.
class MockHarness {
 public:
  explicit MockHarness(reactor::LoopOptions options = {}) { Begin(std::move(options)); }
  /// `prepare` sees the kernel before the loop makes its first call.
  explicit MockHarness(const std::function<void(MockKernel&)>& prepare) {
    prepare(kernel);
    Begin({});
  }
  ~MockHarness() {
    loop_.reset();
    EXPECT_EQ(kernel.open_descriptors(), 0U) << "descriptors left open";
    EXPECT_EQ(kernel.misuses(), 0U) << "calls on descriptors of somebody else";
    EXPECT_EQ(kernel.stuck_waits(), 0U) << "the loop slept with nobody to wake it";
  }
  MockHarness(const MockHarness&) = delete;
  MockHarness& operator=(const MockHarness&) = delete;

  [[nodiscard]] reactor::EventLoop& loop() { return *loop_; }
  /// Turns without letting time pass.
  void Turn(int times = 1) {
    while (times-- > 0) loop().Turn(0);
  }
  /// Turns until the loop has nothing to do and nothing changes any more.
  void Settle() {
    int turns = 0;
    for (int calm = 0; calm < 3; ++turns) {
      calm = loop().Turn(0) ? 0 : calm + 1;
      if (turns == kManyTurns) {
        ADD_FAILURE() << "the loop spins";
        return;
      }
    }
  }
  /// Lets time pass as a sleeping loop sees it: deadlines come one after the other.
  void Sleep(std::uint64_t milliseconds) {
    const std::uint64_t end = kernel.now() + milliseconds * 1'000'000;
    while (kernel.now() < end) {
      loop().Turn(static_cast<int>((end - kernel.now() + 999'999) / 1'000'000));
    }
    Settle();
  }
  /// A client whose connection the handler has seen.
  MockPeer Connect() {
    MockPeer peer = kernel.Dial(port);
    Settle();
    return peer;
  }
  reactor::Connection& newest() {
    const ConnectionRecord record = handler.records().back();
    return *loop().Find(record.slot, record.generation);
  }

  MockKernel kernel;
  std::function<std::unique_ptr<reactor::Preface>()> make_preface;  // of what is accepted
  RecordingHandler handler;
  std::uint16_t port = 0;

 private:
  static constexpr int kManyTurns = 20'000;

  void Begin(reactor::LoopOptions options) {
    loop_.emplace(std::move(options), handler);
    auto listener = reactor::ListenOn(reactor::Endpoint::FromAddress("127.0.0.1", 0), {});
    port = reactor::Endpoint::LocalOf(listener.get()).port();
    loop().Listen(std::move(listener),
                  [this](reactor::FileDescriptor socket, const reactor::Endpoint& remote) {
                    reactor::Arrival arrival{.socket = std::move(socket), .remote = remote};
                    if (make_preface) arrival.preface = make_preface();
                    loop().Adopt(std::move(arrival));
                  });
  }

  std::optional<reactor::EventLoop> loop_;
};

}  // namespace test
