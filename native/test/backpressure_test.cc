// High and low water, pause and resume, the handler's room, and completion signals.
#include <gtest/gtest.h>

#include <string>

#include "reactor/connection.h"
#include "test/support/client_socket.h"
#include "test/support/loop_harness.h"

namespace {

using reactor::CloseReason;
using test::ClientSocket;
using test::LoopHarness;
using test::SendText;

reactor::LoopOptions SmallMarks() {
  reactor::LoopOptions options;
  options.connection.high_water_mark = 1 << 20;
  options.connection.low_water_mark = 256 << 10;
  options.connection.max_send_buffer = 16 << 20;
  return options;
}

void Drain(LoopHarness& harness, const ClientSocket& client, std::size_t until_buffered) {
  bool ended = false;
  ASSERT_TRUE(harness.TurnUntil([&] {
    (void)client.ReadAvailable(64 << 10, ended);
    return harness.newest().buffered() <= until_buffered;
  }));
}

TEST(BackpressureTest, W4_ReadingPausesAboveHighWaterAndResumesBelowLowWater) {
  auto options = SmallMarks();
  options.socket.send_buffer = 32 << 10;  // small steps, so that no mark is jumped over
  LoopHarness harness(options);
  const ClientSocket client = harness.Connect(32 << 10);
  SendText(harness.newest(), std::string(3 << 20, 'x'));
  client.Write("while full");
  harness.Settle();
  EXPECT_EQ(harness.handler.received(), 0U);
  Drain(harness, client, 512 << 10);
  harness.Settle();
  EXPECT_EQ(harness.handler.received(), 0U) << "between the marks nothing changes";
  Drain(harness, client, 0);
  EXPECT_TRUE(harness.TurnUntil([&] { return harness.handler.received() == 10; }));
}

TEST(BackpressureTest, W2_DrainIsToldOnceAtTheLowWaterMark) {
  LoopHarness harness(SmallMarks());
  const ClientSocket client = harness.Connect();
  SendText(harness.newest(), std::string(12 << 20, 'x'));
  harness.newest().NotifyDrained();
  harness.newest().NotifyDrained();
  harness.Settle();
  EXPECT_EQ(harness.handler.record(0).drains, 0);
  std::size_t buffered_at_drain = ~std::size_t{0};
  harness.handler.on_drain = [&](reactor::Connection& connection) {
    buffered_at_drain = connection.buffered();
  };
  Drain(harness, client, 0);
  harness.Settle();
  EXPECT_EQ(harness.handler.record(0).drains, 1);
  EXPECT_LE(buffered_at_drain, 256U << 10U);
}

TEST(BackpressureTest, W2_DrainIsToldAtOnceWhenNothingWaits) {
  LoopHarness harness(SmallMarks());
  const ClientSocket client = harness.Connect();
  harness.newest().NotifyDrained();
  EXPECT_TRUE(harness.TurnUntil([&] { return harness.handler.record(0).drains == 1; }));
}

TEST(BackpressureTest, W2_FlushedIsToldWithProgressUntilAllIsWritten) {
  LoopHarness harness(SmallMarks());
  const ClientSocket client = harness.Connect();
  SendText(harness.newest(), std::string(8 << 20, 'x'));
  harness.newest().NotifyFlushed();
  Drain(harness, client, 0);
  harness.Settle();
  const auto record = harness.handler.record(0);
  EXPECT_EQ(record.flushed, 8U << 20U);
  SendText(harness.newest(), "more, and nobody asked");
  harness.Settle();
  EXPECT_EQ(harness.handler.record(0).flushes, record.flushes);
}

TEST(BackpressureTest, W2_SignalsAskedForInsideTheirOwnEventsComeAgain) {
  LoopHarness harness(SmallMarks());
  const ClientSocket client = harness.Connect();
  int left = 3;
  harness.handler.on_flushed = [&](reactor::Connection& connection) {
    if (--left <= 0) return;
    SendText(connection, "next");
    connection.NotifyFlushed();
  };
  harness.handler.on_drain = [&](reactor::Connection& connection) {
    if (harness.handler.record(0).drains < 3) connection.NotifyDrained();
  };
  SendText(harness.newest(), "first");
  harness.newest().NotifyFlushed();
  harness.newest().NotifyDrained();
  harness.Settle();
  EXPECT_EQ(harness.handler.record(0).flushed, 13U);
  EXPECT_EQ(harness.handler.record(0).drains, 3);
}

TEST(BackpressureTest, W2_FlushedIsToldBeforeTheCloseThatFollows) {
  LoopHarness harness(SmallMarks());
  ClientSocket client = harness.Connect();
  SendText(harness.newest(), "last words");
  harness.newest().NotifyFlushed();
  harness.newest().Abort(CloseReason::kLocal);
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(0).flushed, 10U);
}

TEST(BackpressureTest, W4_AboveMaxSendBufferTheConnectionEnds) {
  LoopHarness harness(SmallMarks());
  const ClientSocket client = harness.Connect();
  const std::string block(4 << 20, 'x');
  for (int i = 0; i < 10 && harness.newest().state() == reactor::Connection::State::kOpen; ++i) {
    SendText(harness.newest(), block);
  }
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kBackpressure);
}

TEST(BackpressureTest, W4_APeerThatSendsAndNeverReadsStaysWithinItsCap) {
  auto options = SmallMarks();
  LoopHarness harness(options);
  harness.handler.echo = true;
  harness.handler.keep_bytes = false;
  const ClientSocket client = harness.Connect();
  const std::string block(1 << 20, 'x');
  std::size_t most = 0;
  for (int i = 0; i < 200; ++i) {
    client.WriteAvailable(block);
    harness.loop.Turn(0);
    most = std::max(most, harness.newest().buffered());
  }
  EXPECT_LE(most, options.connection.high_water_mark + (256U << 10U)) << "the mark and one turn";
  EXPECT_FALSE(harness.loop.HasWork()) << "a stalled peer keeps nobody busy";
}

TEST(BackpressureTest, PauseStopsReadingAndResumeGoesOn) {
  LoopHarness harness;
  const ClientSocket client = harness.Connect();
  harness.newest().Pause();
  client.Write("paused");
  harness.Settle();
  EXPECT_EQ(harness.handler.received(), 0U);
  harness.newest().Resume();
  EXPECT_TRUE(harness.TurnUntil([&] { return harness.handler.received() == 6; }));
}

TEST(BackpressureTest, PauseHoldsBackTheEndToo) {
  LoopHarness harness;
  ClientSocket client = harness.Connect();
  harness.newest().Pause();
  client.Write("and FIN");
  client.Close();
  harness.Settle();
  EXPECT_EQ(harness.handler.record(0).ends, 0);
  harness.newest().Resume();
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(0).received, "and FIN");
}

TEST(BackpressureTest, C2_AConnectionMayStartPaused) {
  reactor::LoopOptions options;
  options.connection.start_paused = true;
  LoopHarness harness(options);
  const ClientSocket client = harness.Connect();
  client.Write("early");
  harness.Settle();
  EXPECT_EQ(harness.handler.received(), 0U);
  harness.newest().Resume();
  EXPECT_TRUE(harness.TurnUntil([&] { return harness.handler.received() == 5; }));
}

TEST(BackpressureTest, EventsWithoutRoomAreOfferedAgainInOrder) {
  LoopHarness harness;
  harness.handler.SetRoom(0);
  ClientSocket client(harness.address);
  client.Write("abc");
  client.Close();
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 0);
  EXPECT_FALSE(harness.loop.HasWork()) << "without room the loop may sleep";
  for (int room = 1; room <= 4; ++room) {
    harness.handler.SetRoom(1);
    EXPECT_TRUE(harness.loop.HasWork());
    harness.Settle();
    EXPECT_EQ(harness.handler.opened(), 1);
    EXPECT_EQ(harness.handler.received(), room >= 2 ? 3U : 0U);
    EXPECT_EQ(harness.handler.record(0).ends, room >= 3 ? 1 : 0);
    EXPECT_EQ(harness.handler.closed(), room >= 4 ? 1 : 0);
  }
}

TEST(BackpressureTest, BytesKeptForLackOfRoomComeBeforeEverythingElse) {
  LoopHarness harness;
  harness.handler.piece_size = 10;
  ClientSocket client = harness.Connect();
  harness.handler.SetRoom(3);
  client.Write(std::string(100, 'x') + "end");
  client.Close();
  harness.Settle();
  EXPECT_EQ(harness.handler.received(), 30U);
  harness.handler.SetRoom(2);
  harness.Settle();
  EXPECT_EQ(harness.handler.received(), 50U);
  EXPECT_EQ(harness.handler.record(0).ends, 0);
  harness.handler.SetRoom(test::RecordingHandler::kUnlimited);
  ASSERT_TRUE(harness.TurnUntil([&] { return harness.handler.closed() == 1; }));
  EXPECT_EQ(harness.handler.record(0).received, std::string(100, 'x') + "end");
}

}  // namespace
