// Connections that nobody reads, for they are paused or not admitted yet: how they end all the
// same.
#include <gtest/gtest.h>

#include <string>

#include "reactor/connection.h"
#include "test/support/mock_harness.h"

namespace {

using reactor::CloseReason;
using reactor::FromMilliseconds;
using test::MockHarness;
using test::MockPeer;

reactor::LoopOptions AdmitWithin(std::uint64_t milliseconds) {
  reactor::LoopOptions options;
  options.connection.start_paused = true;
  options.connection.handshake_timeout = FromMilliseconds(milliseconds);
  return options;
}

TEST(UnreadPeerTest, D5_AConnectionThatIsNotAdmittedInTimeIsClosed) {
  MockHarness harness(AdmitWithin(10'000));
  MockPeer peer = harness.Connect();
  peer.Send("hello?");
  harness.Sleep(9'999);
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(1);
  ASSERT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kHandshake);
}

TEST(UnreadPeerTest, D5_OneThatWasAdmittedMayPauseForAsLongAsItLikes) {
  MockHarness harness(AdmitWithin(1000));
  const MockPeer peer = harness.Connect();
  harness.newest().Resume();
  harness.newest().Pause();
  harness.Sleep(100'000);
  EXPECT_EQ(harness.handler.closed(), 0);
}

TEST(UnreadPeerTest, D5_APeerThatSendsNothingMoreIsIdle) {
  reactor::LoopOptions options;
  options.connection.idle_timeout = FromMilliseconds(1000);
  MockHarness harness(options);
  MockPeer peer = harness.Connect();
  harness.newest().Pause();
  for (int i = 0; i < 5; ++i) {
    peer.Send("nobody reads");
    harness.Sleep(900);
  }
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(99);
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(2);
  ASSERT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kIdle);
}

TEST(UnreadPeerTest, D5_TheEndOfAPeerWhoSentNothingIsSeen) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  harness.newest().Pause();
  peer.ShutdownWrite();
  harness.Settle();
  EXPECT_EQ(harness.handler.record(0).ends, 1);
  EXPECT_EQ(harness.handler.closed(), 1);
}

TEST(UnreadPeerTest, D5_AnEndBehindUnreadBytesComesAfterThem) {
  MockHarness harness;
  harness.handler.close_on_end = false;
  MockPeer peer = harness.Connect();
  harness.newest().Pause();
  peer.Send("last words");
  peer.ShutdownWrite();
  harness.Sleep(29'000);
  EXPECT_EQ(harness.handler.record(0).ends, 0);
  harness.loop().RunCommands();
  harness.newest().Resume();
  harness.Settle();
  EXPECT_EQ(harness.handler.record(0).received, "last words");
  EXPECT_EQ(harness.handler.record(0).ends, 1);
  harness.Sleep(29'000);
  EXPECT_EQ(harness.handler.closed(), 0) << "reading made the time begin anew";
  harness.Sleep(1'001);
  EXPECT_EQ(harness.handler.closed(), 1);
}

TEST(UnreadPeerTest, D5_AnEndBehindBytesThatAreNeverReadIsNotWaitedForWithoutEnd) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  harness.newest().Pause();
  peer.Send("last words");
  peer.ShutdownWrite();
  harness.Sleep(29'999);
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(1);
  ASSERT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kPeer);
}

TEST(UnreadPeerTest, D5_AResetInTheTurnOfAPauseIsSeen) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  // The poller reports it, and the pause comes before anybody has read.
  reactor::Connection& connection = harness.newest();
  harness.handler.Do(harness.loop(), [&] { connection.Pause(); });
  peer.Reset();
  harness.Settle();
  ASSERT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kReset);
}

TEST(UnreadPeerTest, D5_AResetAfterTheEndIsSeen) {
  MockHarness harness;
  harness.handler.close_on_end = false;
  MockPeer peer = harness.Connect();
  harness.newest().Pause();
  peer.ShutdownWrite();
  harness.Settle();
  EXPECT_EQ(harness.handler.record(0).ends, 1);
  EXPECT_EQ(harness.handler.closed(), 0);
  peer.Reset();
  harness.Settle();
  EXPECT_EQ(harness.handler.closed(), 1);
}

TEST(UnreadPeerTest, D5_AResetIsSeenThoughOutputIsOverTheHighWaterMark) {
  reactor::LoopOptions options;
  options.connection.high_water_mark = 1000;
  MockHarness harness(options);
  MockPeer peer = harness.Connect();
  peer.SetWindow(10);
  harness.handler.on_read = [](reactor::Connection& connection) {
    test::SendText(connection, std::string(5000, 'x'));
  };
  peer.Send("more than you can take");
  peer.ShutdownWrite();
  harness.Settle();
  EXPECT_EQ(harness.handler.record(0).ends, 1);
}

}  // namespace
