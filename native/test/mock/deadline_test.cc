// Timeouts to the millisecond, on a clock that only the test moves.
#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>
#include <vector>

#include "reactor/connection.h"
#include "test/support/mock_harness.h"

namespace {

using reactor::CloseReason;
using reactor::FromMilliseconds;
using test::MockHarness;
using test::MockPeer;
using test::SendText;

reactor::LoopOptions IdleAfter(std::uint64_t milliseconds) {
  reactor::LoopOptions options;
  options.connection.idle_timeout = FromMilliseconds(milliseconds);
  return options;
}

std::uint64_t LifeOf(const test::ConnectionRecord& record) {
  return (record.closed_at - record.opened_at) / reactor::kNanosecondsPerMillisecond;
}

TEST(DeadlineTest, I1_AnIdleConnectionIsClosedExactlyOnTime) {
  for (const std::uint64_t timeout : {1ULL, 10ULL, 63ULL, 64ULL, 65ULL, 1000ULL, 3'600'000ULL}) {
    MockHarness harness(IdleAfter(timeout));
    const MockPeer peer = harness.Connect();
    harness.Sleep(timeout - 1);
    EXPECT_EQ(harness.handler.closed(), 0) << timeout;
    harness.Sleep(1);
    ASSERT_EQ(harness.handler.closed(), 1) << timeout;
    EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kIdle);
    EXPECT_EQ(LifeOf(harness.handler.record(0)), timeout);
    EXPECT_TRUE(peer.saw_end());
  }
}

TEST(DeadlineTest, I1_WithinAMillisecondItIsNeverEarly) {
  MockHarness harness(IdleAfter(10));
  harness.kernel.Advance(999'999);
  const MockPeer peer = harness.Connect();
  harness.Sleep(10);
  harness.kernel.Advance(1);
  harness.Sleep(10);
  ASSERT_EQ(harness.handler.closed(), 1);
  const auto record = harness.handler.record(0);
  EXPECT_GE(record.closed_at - record.opened_at, FromMilliseconds(10));
  EXPECT_LE(record.closed_at - record.opened_at, FromMilliseconds(11));
}

TEST(DeadlineTest, I1_ReceivedAndSentBytesBothCount) {
  MockHarness harness(IdleAfter(100));
  MockPeer peer = harness.Connect();
  for (int i = 0; i < 20; ++i) {
    harness.Sleep(60);
    ASSERT_EQ(harness.handler.closed(), 0);
    if (i % 2 == 0) {
      peer.Send("x");
      harness.Settle();
    } else {
      harness.loop().RunCommands();
      SendText(harness.newest(), "y");
    }
  }
  harness.Sleep(99);
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(1);
  EXPECT_EQ(harness.handler.closed(), 1);
}

TEST(DeadlineTest, I1_OutputThatThePollerMovesIsActivityOfThatMoment) {
  MockHarness harness(IdleAfter(1000));
  MockPeer peer = harness.Connect();
  peer.SetWindow(100);
  SendText(harness.newest(), std::string(1000, 'x'));
  harness.Settle();
  // The loop sleeps until the peer reads; the bytes flow while its events are collected.
  harness.kernel.AdvanceMilliseconds(990);
  (void)peer.Receive();
  harness.Settle();
  harness.Sleep(999);
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(1);
  EXPECT_EQ(harness.handler.closed(), 1);
}

TEST(DeadlineTest, I1_BytesThatCameInTimeCountHoweverLateTheTurn) {
  MockHarness harness(IdleAfter(100));
  MockPeer peer = harness.Connect();
  peer.Send("in time");
  harness.kernel.AdvanceMilliseconds(60'000);  // the thread was stopped
  harness.Settle();
  EXPECT_EQ(harness.handler.closed(), 0);
  EXPECT_EQ(harness.handler.received(), 7U);
}

TEST(DeadlineTest, I1_WhatTheHandlerHasNoRoomForIsNoSilence) {
  MockHarness harness(IdleAfter(100));
  MockPeer peer = harness.Connect();
  harness.handler.SetRoom(0);
  peer.Send("waiting");
  harness.Sleep(1000);
  harness.handler.SetRoom(test::RecordingHandler::kUnlimited);
  harness.Settle();
  EXPECT_EQ(harness.handler.closed(), 0);
  EXPECT_EQ(harness.handler.received(), 7U);
}

TEST(DeadlineTest, I1_APeerThatSendsAndNeverReadsIsIdleInTheEnd) {
  auto options = IdleAfter(1000);
  options.connection.high_water_mark = 1000;
  MockHarness harness(options);
  MockPeer peer = harness.Connect();
  peer.SetWindow(10);
  SendText(harness.newest(), std::string(5000, 'x'));
  peer.Send("never read");
  harness.Sleep(5000);
  ASSERT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kIdle);
}

TEST(DeadlineTest, D6_AConnectionThatIsOwedAReplyIsNotIdle) {
  MockHarness harness(IdleAfter(100));
  harness.handler.owes = true;
  MockPeer peer = harness.Connect();
  peer.Send("a request");
  harness.Settle();
  harness.Sleep(1000);
  EXPECT_EQ(harness.handler.closed(), 0);
  EXPECT_EQ(harness.handler.record(0).idles, 1) << "asked once, until it is answered";
  harness.handler.owes = false;
  harness.loop().RunCommands();
  harness.newest().RestartIdle();
  harness.Sleep(99);
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(2);
  EXPECT_EQ(harness.handler.closed(), 1);
}

TEST(DeadlineTest, D6_APeerThatHasSentNothingIsOwedNothingAndNobodyIsAsked) {
  MockHarness harness(IdleAfter(100));
  harness.handler.owes = true;
  const MockPeer peer = harness.Connect();
  harness.Sleep(101);
  EXPECT_EQ(harness.handler.record(0).idles, 0);
  EXPECT_EQ(harness.handler.closed(), 1);
}

TEST(DeadlineTest, D6_WhatCameWhileTheHandlerWasAskedCounts) {
  MockHarness harness(IdleAfter(100));
  harness.handler.owes = true;
  MockPeer peer = harness.Connect();
  peer.Send("a request");
  harness.Settle();
  harness.Sleep(150);
  ASSERT_EQ(harness.handler.record(0).idles, 1);
  peer.Send("still here");
  harness.Settle();
  harness.handler.owes = false;
  harness.newest().ExpireIdle();
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(99);
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(2);
  EXPECT_EQ(harness.handler.closed(), 1);
}

TEST(DeadlineTest, D6_WhereOnlyReceivedBytesCountAPeerThatIsPushedToIsIdle) {
  auto options = IdleAfter(1000);
  options.connection.idle_on_received = true;
  MockHarness harness(options);
  const MockPeer peer = harness.Connect();
  for (int i = 0; i < 9; ++i) {
    harness.Sleep(100);
    harness.loop().RunCommands();
    SendText(harness.newest(), "tick");
  }
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(101);
  EXPECT_EQ(harness.handler.closed(), 1);
}

TEST(DeadlineTest, D6_OneConnectionMayHaveAnIdleTimeoutOfItsOwn) {
  for (const std::uint64_t common : {0U, 300U}) {
    MockHarness harness(IdleAfter(common));
    const MockPeer quick = harness.Connect();
    harness.newest().SetIdleTimeout(FromMilliseconds(100));
    const MockPeer patient = harness.Connect();
    harness.newest().SetIdleTimeout(0);
    harness.Sleep(99);
    EXPECT_EQ(harness.handler.closed(), 0);
    harness.Sleep(2);
    EXPECT_EQ(harness.handler.closed(), 1);
    harness.Sleep(10'000);
    EXPECT_EQ(harness.handler.closed(), 1);
    EXPECT_FALSE(patient.saw_end());
  }
}

TEST(DeadlineTest, I1_AJumpOfTheClockExpiresEachDeadlineOnce) {
  MockHarness harness(IdleAfter(5000));
  std::vector<MockPeer> peers;
  for (int i = 0; i < 50; ++i) {
    peers.push_back(harness.Connect());
    harness.Sleep(10);
  }
  harness.kernel.AdvanceMilliseconds(std::uint64_t{40} * 365 * 24 * 3600 * 1000);
  harness.Settle();
  EXPECT_EQ(harness.handler.closed(), 50);
  for (const auto& record : harness.handler.records()) EXPECT_EQ(record.closes, 1);
}

TEST(DeadlineTest, I2_AThousandIdleConnectionsCostNoWakeUps) {
  MockHarness harness(IdleAfter(60'000));
  std::vector<MockPeer> peers;
  for (int i = 0; i < 1000; ++i) peers.push_back(harness.kernel.Dial(harness.port));
  harness.Settle();
  const auto before = harness.kernel.calls(test::Call::kEpollWait);
  harness.Sleep(50'000);
  EXPECT_LE(harness.kernel.calls(test::Call::kEpollWait) - before, 20U);
}

// --- closing -------------------------------------------------------------------------------------

TEST(DeadlineTest, W6_TheCloseTimeoutEndsAPeerThatNeverReads) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  SendText(harness.newest(), std::string(1 << 20, 'x'));
  harness.newest().Close(CloseReason::kLocal);
  harness.Sleep(4999);
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(1);
  ASSERT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kLocal);
}

TEST(DeadlineTest, W6_TheCloseTimeoutEndsAPeerThatNeverSendsFin) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  harness.newest().Close(CloseReason::kLocal);
  harness.Settle();
  EXPECT_TRUE(peer.saw_end());
  for (int i = 0; i < 50; ++i) {
    peer.Send("still talking");
    harness.Sleep(99);
  }
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(50);
  EXPECT_EQ(harness.handler.closed(), 1);
}

TEST(DeadlineTest, W6_IdleTimeDoesNotCutAFlushShort) {
  MockHarness harness(IdleAfter(100));
  MockPeer peer = harness.Connect();
  SendText(harness.newest(), std::string(200'000, 'x'));
  harness.newest().Close(CloseReason::kLocal);
  harness.Sleep(4000);
  std::string got;
  for (int i = 0; i < 10; ++i) {
    got += peer.Receive();
    harness.Settle();
  }
  EXPECT_EQ(got.size(), 200'000U);
  EXPECT_TRUE(peer.saw_end());
}

TEST(DeadlineTest, C10_TheHalfCloseTimeoutEndsAConnectionNobodyCloses) {
  MockHarness harness;
  harness.handler.close_on_end = false;
  MockPeer peer = harness.Connect();
  peer.ShutdownWrite();
  harness.Sleep(29'999);
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(1);
  ASSERT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kPeer);
}

// --- incomplete frames ---------------------------------------------------------------------------

/// A loop whose handler takes all that comes for one frame that never ends, and that lets such
/// frames be silent for half a second.
class Frames {
 public:
  explicit Frames(std::size_t budget = 1 << 20) : harness_(Options(budget)) {
    harness_.handler.on_read = [this](reactor::Connection& connection) {
      const std::uint64_t bytes = connection.bytes_received();
      connection.SetKeptInput({.bytes = static_cast<std::size_t>(bytes),
                               .incomplete = true,
                               .begun = known_.insert(connection.slot()).second});
    };
  }

  MockHarness& operator*() { return harness_; }
  MockHarness* operator->() { return &harness_; }

 private:
  static reactor::LoopOptions Options(std::size_t budget) {
    auto options = IdleAfter(60'000);  // the later deadline must not hide the earlier one
    options.connection.incomplete_frame_timeout = FromMilliseconds(500);
    options.max_partial_bytes = budget;
    return options;
  }

  MockHarness harness_;
  std::set<std::uint32_t> known_;
};

TEST(DeadlineTest, R4_AFrameThatStaysIncompleteEndsTheConnection) {
  Frames harness;
  MockPeer peer = harness->Connect();
  for (int i = 0; i < 5; ++i) {
    peer.Send(std::string(1000, 'x'));  // progress restarts the clock
    harness->Sleep(400);
  }
  EXPECT_EQ(harness->handler.closed(), 0);
  harness->Sleep(99);
  EXPECT_EQ(harness->handler.closed(), 0);
  harness->Sleep(1);
  ASSERT_EQ(harness->handler.closed(), 1);
  EXPECT_EQ(harness->handler.record(0).reason, CloseReason::kProtocol);
  EXPECT_EQ(harness->handler.record(0).error, ETIMEDOUT);
}

TEST(DeadlineTest, M2_AFrameThatTakesLongMustComeAtAKibibyteASecond) {
  Frames harness;
  MockPeer slow = harness->Connect();
  MockPeer steady = harness->Connect();
  slow.Send("begin");
  for (int i = 0; i < 20; ++i) {
    slow.Send("x");
    steady.Send(std::string(105, 'x'));
    harness->Sleep(100);
    EXPECT_EQ(harness->handler.record(0).closes, i < 4 ? 0 : 1) << i;
  }
  EXPECT_EQ(harness->handler.record(0).reason, CloseReason::kProtocol);
  EXPECT_EQ(harness->handler.record(0).error, ETIMEDOUT);
  EXPECT_EQ(harness->handler.record(1).closes, 0);
  // What came fast at first is no credit for ever.
  steady.Send(std::string(100'000, 'x'));
  harness->Sleep(100);
  for (int i = 0; i < 10; ++i) {
    steady.Send("x");
    harness->Sleep(100);
  }
  EXPECT_EQ(harness->handler.record(1).closes, 1);
}

TEST(DeadlineTest, M2_AFrameThatNobodyReadsIsNotSlow) {
  Frames harness;
  MockPeer peer = harness->Connect();
  peer.Send("begin");
  harness->Settle();
  harness->newest().Pause();
  peer.Send(std::string(600, 'x'));
  harness->Sleep(5'000);
  harness->newest().Resume();
  harness->Sleep(400);
  EXPECT_EQ(harness->handler.closed(), 0);
  harness->Sleep(1'000);
  EXPECT_EQ(harness->handler.closed(), 1);
}

TEST(DeadlineTest, M2_AboveTheBudgetTheOldestIncompleteFrameIsGivenUp) {
  Frames harness(10'000);
  std::vector<MockPeer> peers;
  for (int i = 0; i < 3; ++i) {
    peers.push_back(harness->Connect());
    peers.back().Send(std::string(3'000, 'x'));
    harness->Settle();
  }
  EXPECT_EQ(harness->loop().partial_frames().bytes(), 9'000U);
  peers[0].Send("x");  // progress makes it no younger
  peers[1].Send(std::string(1'000, 'x'));
  harness->Settle();
  EXPECT_EQ(harness->loop().partial_frames().bytes(), 7'000U);
  EXPECT_EQ(harness->handler.record(0).ends, 1);
  EXPECT_EQ(harness->handler.record(0).drops, 1);
  peers[0].Close();
  harness->Settle();
  ASSERT_EQ(harness->handler.record(0).closes, 1);
  EXPECT_EQ(harness->handler.record(0).reason, CloseReason::kProtocol);
  EXPECT_EQ(harness->handler.record(0).error, ENOBUFS);
  peers[2].Send(std::string(7'000, 'x'));
  harness->Settle();
  peers[1].Close();
  harness->Settle();
  EXPECT_EQ(harness->handler.record(1).error, ENOBUFS);
  EXPECT_EQ(harness->handler.record(2).closes, 0) << "it holds all that is left";
  peers[2].Send("x");
  harness->Settle();
  peers[2].Close();
  harness->Settle();
  EXPECT_EQ(harness->handler.record(2).error, ENOBUFS) << "alone it may hold no more than all";
  EXPECT_EQ(harness->loop().partial_frames().bytes(), 0U);
}

TEST(DeadlineTest, N2_AConnectionWhoseInputIsRefusedEndsWithinTheCloseTimeout) {
  reactor::LoopOptions options;
  options.connection.close_timeout = FromMilliseconds(500);
  MockHarness harness(options);
  harness.handler.protocol_error_at = '!';
  harness.handler.close_on_end = false;
  MockPeer peer = harness.Connect();
  peer.Send("boo!");
  harness.Sleep(400);
  EXPECT_EQ(harness.handler.record(0).ends, 1);
  harness.newest().Close(CloseReason::kLocal);  // no reason for more time
  harness.Sleep(99);
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(1);
  ASSERT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kProtocol);
}

TEST(DeadlineTest, R4_ACompleteFrameStopsTheClock) {
  reactor::LoopOptions options;
  options.connection.incomplete_frame_timeout = FromMilliseconds(500);
  MockHarness harness(options);
  bool incomplete = true;
  harness.handler.on_read = [&](reactor::Connection& connection) {
    connection.SetKeptInput(incomplete ? test::IncompleteFrame(1) : reactor::KeptInput{});
  };
  MockPeer peer = harness.Connect();
  peer.Send("begin");
  harness.Sleep(400);
  incomplete = false;
  peer.Send("end");
  harness.Sleep(10'000);
  EXPECT_EQ(harness.handler.closed(), 0);
}

TEST(DeadlineTest, D2_AConnectionThatLeavesClosesWhenNothingWasReceivedForSoLong) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  harness.loop().RunCommands();
  harness.newest().Leave(FromMilliseconds(500), CloseReason::kShutdown);
  harness.newest().SetIdleTimeout(FromMilliseconds(60'000));  // comes too late
  for (int i = 0; i < 3; ++i) {
    harness.Sleep(400);
    peer.Send("x");
    harness.Settle();
    SendText(harness.newest(), "a reply");
  }
  harness.Sleep(300);
  SendText(harness.newest(), "a push");
  harness.Sleep(199);
  EXPECT_FALSE(peer.unread() == 0 || peer.saw_end());
  (void)peer.Receive();
  harness.Sleep(1);
  EXPECT_TRUE(peer.saw_end());
  peer.ShutdownWrite();
  harness.Settle();
  ASSERT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kShutdown);
}

TEST(DeadlineTest, D2_AConnectionThatLeavesOnlyClosesWhenItIsOwedNothing) {
  MockHarness harness;
  harness.handler.owes = true;
  MockPeer peer = harness.Connect();
  peer.SetWindow(10);
  peer.Send("a request");
  harness.Settle();
  harness.newest().Leave(FromMilliseconds(500), CloseReason::kShutdown);
  harness.Sleep(60'000);
  EXPECT_FALSE(peer.saw_end());
  harness.handler.owes = false;
  SendText(harness.newest(), std::string(20, 'x'));
  harness.newest().RestartIdle();
  harness.Sleep(60'000);
  EXPECT_EQ(peer.Receive().size(), 10U);  // it is still owed the rest
  harness.Settle();
  EXPECT_EQ(peer.Receive().size(), 10U);
  harness.Sleep(499);
  EXPECT_FALSE(peer.saw_end());
  harness.Sleep(1);
  EXPECT_TRUE(peer.saw_end());
}

TEST(DeadlineTest, D3_ClosedForShutdownItWaitsForTheAcknowledgementAndNotForFin) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  peer.HoldAcknowledgements(true);
  SendText(harness.newest(), "the last word");
  harness.newest().Close(CloseReason::kShutdown);
  harness.Sleep(1000);
  EXPECT_EQ(harness.handler.closed(), 0);
  peer.HoldAcknowledgements(false);
  harness.Sleep(100);
  ASSERT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kShutdown);
  EXPECT_EQ(peer.Receive(), "the last word");
  EXPECT_TRUE(peer.saw_end());
  EXPECT_FALSE(peer.saw_reset());
}

TEST(DeadlineTest, D2_TheLastWordCountsHowLongAConnectionThatLeavesMayBeQuiet) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  harness.loop().RunCommands();
  harness.newest().Leave(FromMilliseconds(500), CloseReason::kAge);
  harness.Sleep(400);
  harness.newest().Leave(0, CloseReason::kAge);
  harness.Sleep(60'000);
  EXPECT_FALSE(peer.saw_end());
  harness.newest().Leave(FromMilliseconds(500), CloseReason::kShutdown);
  harness.Sleep(499);
  EXPECT_FALSE(peer.saw_end());
  harness.Sleep(1);
  EXPECT_TRUE(peer.saw_end());
  harness.Sleep(100);
  ASSERT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kShutdown);
}

TEST(DeadlineTest, D3_WhatClosesAlreadyForAnotherReasonIsHastenedByTheShutdown) {
  for (const bool leaves : {true, false}) {
    MockHarness harness;
    MockPeer peer = harness.Connect();
    peer.SetWindow(10);
    MockPeer other = harness.Connect();
    harness.loop().RunCommands();
    harness.newest().Close(CloseReason::kAge);  // FIN is out
    const auto connection = [&harness](std::size_t index) -> reactor::Connection& {
      const test::ConnectionRecord record = harness.handler.record(index);
      return *harness.loop().Find(record.slot, record.generation);
    };
    reactor::Connection& flushing = connection(0);
    SendText(flushing, std::string(20, 'x'));
    flushing.Close(CloseReason::kLocal);
    harness.Sleep(1000);
    EXPECT_EQ(harness.handler.closed(), 0);
    for (const std::size_t index : {0U, 1U}) {
      if (leaves) {
        connection(index).Leave(0, CloseReason::kShutdown);
      } else {
        connection(index).Close(CloseReason::kShutdown);
      }
    }
    harness.Sleep(100);
    EXPECT_EQ(harness.handler.closed(), 1);
    EXPECT_EQ(harness.handler.record(1).reason, CloseReason::kAge);
    EXPECT_EQ(peer.Receive().size(), 10U);
    harness.Settle();
    EXPECT_EQ(peer.Receive().size(), 10U);
    harness.Sleep(100);
    EXPECT_EQ(harness.handler.closed(), 2);
    EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kLocal);
  }
}

TEST(DeadlineTest, D3_WhereTheKernelDoesNotTellOrAnotherReasonIsGivenItWaitsForFin) {
  for (const CloseReason reason : {CloseReason::kShutdown, CloseReason::kLocal}) {
    reactor::LoopOptions options;
    options.connection.close_timeout = FromMilliseconds(3000);
    MockHarness harness(options);
    MockPeer peer = harness.Connect();
    harness.kernel.Fail(test::Call::kUnacknowledged, EOPNOTSUPP, 1000);
    harness.loop().RunCommands();
    harness.newest().Close(reason);
    harness.Sleep(2999);
    EXPECT_EQ(harness.handler.closed(), 0);
    harness.Sleep(1);
    EXPECT_EQ(harness.handler.closed(), 1);
  }
}

}  // namespace
