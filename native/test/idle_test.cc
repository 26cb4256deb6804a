// Timeouts of connections on the real clock; exact values are checked on the mock kernel.
#include <gtest/gtest.h>

#include "reactor/connection.h"
#include "test/support/client_socket.h"
#include "test/support/loop_harness.h"

namespace {

using reactor::CloseReason;
using reactor::FromMilliseconds;
using test::ClientSocket;
using test::LoopHarness;

TEST(IdleTest, I1_ASilentConnectionIsClosedAndNeverEarly) {
  reactor::LoopOptions options;
  options.connection.idle_timeout = FromMilliseconds(50);
  LoopHarness harness(options);
  const ClientSocket client = harness.Connect();
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  const auto record = harness.handler.record(0);
  EXPECT_EQ(record.reason, CloseReason::kIdle);
  EXPECT_GE(record.closed_at - record.opened_at, FromMilliseconds(49));
}

TEST(IdleTest, I1_BytesSentAreActivityToo) {
  reactor::LoopOptions options;
  options.connection.idle_timeout = FromMilliseconds(60);
  LoopHarness harness(options);
  const ClientSocket client = harness.Connect();
  reactor::Nanoseconds last = 0;
  for (int i = 0; i < 10; ++i) {
    const auto next = reactor::MonotonicNow() + FromMilliseconds(20);
    while (reactor::MonotonicNow() < next) harness.loop.Turn(1);
    if (harness.handler.closed() > 0) break;
    last = reactor::MonotonicNow();
    harness.loop.RunCommands();  // reads the clock
    test::SendText(harness.newest(), "tick");
  }
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_GE(harness.handler.record(0).closed_at - last, FromMilliseconds(60));
}

}  // namespace
