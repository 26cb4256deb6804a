// Between accept and the open event.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "reactor/connection.h"
#include "test/support/greeting_step.h"
#include "test/support/mock_harness.h"

namespace {

using reactor::CloseReason;
using reactor::FromMilliseconds;
using reactor::Refusal;
using test::Call;
using test::Greetings;
using test::MockHarness;
using test::MockPeer;

constexpr std::uint64_t kTimeout = 1000;  // ms

reactor::LoopOptions WithHandshakeTimeout(bool start_paused = false) {
  reactor::LoopOptions options;
  options.connection.handshake_timeout = FromMilliseconds(kTimeout);
  options.connection.start_paused = start_paused;
  return options;
}

/// Dials, and lets the loop see it.
MockPeer Dial(MockHarness& harness) {
  MockPeer peer = harness.kernel.Dial(harness.port);
  harness.Settle();
  return peer;
}

TEST(EstablishingTest, E2_OpensOnceAllStepsAreDoneAndWhatIsBehindIsReadAsUsual) {
  MockHarness harness(WithHandshakeTimeout());
  harness.handler.echo = true;
  harness.make_preface = Greetings({{"HELLO", "WELCOME"}, {"THERE", ""}});
  MockPeer peer = Dial(harness);
  EXPECT_EQ(harness.handler.opened(), 0);
  EXPECT_EQ(harness.loop().connection_count(), 1U) << "it counts";
  peer.Send("HELLO");
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 0);
  EXPECT_EQ(peer.Receive(), "WELCOME");
  peer.Send("THEREfirst");
  harness.Settle();
  ASSERT_EQ(harness.handler.opened(), 1);
  EXPECT_EQ(harness.handler.record(0).received, "first");
  EXPECT_EQ(peer.Receive(), "first");
  peer.Send("second");
  harness.Sleep(10 * kTimeout);
  EXPECT_EQ(peer.Receive(), "second") << "no deadline is left behind";
  EXPECT_EQ(harness.handler.closed(), 0);
}

TEST(EstablishingTest, E2_EverySplitOfWhatComesIsTheSame) {
  const std::string_view stream = "HELLOTHEREfirst";
  for (std::size_t split = 0; split <= stream.size(); ++split) {
    MockHarness harness(WithHandshakeTimeout());
    harness.make_preface = Greetings({{"HELLO", ""}, {"THERE", ""}});
    MockPeer peer = Dial(harness);
    peer.Send(stream.substr(0, split));
    harness.Settle();
    peer.Send(stream.substr(split));
    harness.Settle();
    ASSERT_EQ(harness.handler.opened(), 1) << split;
    EXPECT_EQ(harness.handler.record(0).received, "first") << split;
  }
}

TEST(EstablishingTest, E2_OneByteASecondEndsAtTheDeadlineThatBeganWithAccept) {
  MockHarness harness(WithHandshakeTimeout());
  harness.make_preface = Greetings({{std::string(64, 'x'), ""}});
  const auto begun = harness.kernel.now();
  MockPeer peer = Dial(harness);
  while (!peer.saw_end() && harness.kernel.now() < begun + FromMilliseconds(20 * kTimeout)) {
    peer.Send("x");
    harness.Sleep(kTimeout / 10);
  }
  EXPECT_EQ(harness.kernel.now() - begun, FromMilliseconds(kTimeout));
  EXPECT_EQ(harness.handler.opened(), 0) << "nobody heard of it";
  EXPECT_EQ(harness.handler.closed(), 0);
  EXPECT_EQ(harness.loop().connection_count(), 0U);
  EXPECT_EQ(harness.loop().refused(Refusal::kHandshakeTimeout), 1U);
  ASSERT_EQ(harness.handler.refusals().size(), 1U);
  EXPECT_EQ(harness.handler.refusals()[0].detail, "no greeting");
}

TEST(EstablishingTest, E2_TheDeadlineIsOneForTheStepsAndForBeingAdmitted) {
  MockHarness harness(WithHandshakeTimeout(true));
  harness.make_preface = Greetings({{"HELLO", ""}});
  MockPeer peer = Dial(harness);
  harness.Sleep(kTimeout - 100);
  peer.Send("HELLO");
  harness.Settle();
  ASSERT_EQ(harness.handler.opened(), 1);
  harness.Sleep(99);
  EXPECT_EQ(harness.handler.closed(), 0);
  harness.Sleep(1);
  ASSERT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kHandshake);
}

TEST(EstablishingTest, E2_PausedAtFirstItReadsOnlyOnceResumed) {
  MockHarness harness(WithHandshakeTimeout(true));
  harness.make_preface = Greetings({{"HELLO", ""}});
  MockPeer peer = Dial(harness);
  peer.Send("HELLOfirst");
  harness.Settle();
  ASSERT_EQ(harness.handler.opened(), 1);
  EXPECT_EQ(harness.handler.record(0).received, "");
  harness.newest().Resume();
  harness.Settle();
  EXPECT_EQ(harness.handler.record(0).received, "first");
}

TEST(EstablishingTest, E2_AWrongWordAnEndAndAResetCostTheConnectionAndAreCounted) {
  MockHarness harness(WithHandshakeTimeout());
  harness.make_preface = Greetings({{"HELLO", ""}});
  MockPeer wrong = Dial(harness);
  wrong.Send("HELP!");
  MockPeer ends = Dial(harness);
  ends.Send("HEL");
  ends.ShutdownWrite();
  MockPeer resets = Dial(harness);
  resets.Send("HEL");
  harness.Settle();
  resets.Reset();
  MockPeer leaves = Dial(harness);
  leaves.Close();
  harness.Settle();
  EXPECT_TRUE(wrong.saw_end() || wrong.saw_reset());
  EXPECT_EQ(harness.loop().connection_count(), 0U);
  EXPECT_EQ(harness.loop().refused(Refusal::kHandshakeClosed), 4U);
  EXPECT_EQ(harness.handler.opened(), 0);
  EXPECT_EQ(harness.handler.refusals().size(), 1U) << "one report a second and cause";
  harness.Sleep(1000);
  MockPeer later = Dial(harness);
  later.Close();
  harness.Settle();
  ASSERT_EQ(harness.handler.refusals().size(), 2U);
  EXPECT_EQ(harness.handler.refusals()[1].count, 4U) << "all since the last report";
}

TEST(EstablishingTest, E2_NobodyIsAskedWhileNothingComes) {
  MockHarness harness(WithHandshakeTimeout());
  harness.make_preface = Greetings({{"HELLO", ""}});
  MockPeer peer = Dial(harness);
  peer.Send("HEL");
  harness.Settle();
  const int advances = test::GreetingStep::advances;
  const auto waits = harness.kernel.calls(Call::kEpollWait);
  harness.Sleep(kTimeout - 1);
  EXPECT_EQ(test::GreetingStep::advances, advances);
  EXPECT_LE(harness.kernel.calls(Call::kEpollWait) - waits, 20U);
}

TEST(EstablishingTest, E2_WithoutKernelMemoryItTriesAgain) {
  MockHarness harness(WithHandshakeTimeout());
  harness.make_preface = Greetings({{"HELLO", ""}});
  MockPeer peer = Dial(harness);
  harness.kernel.Fail(Call::kReceive, ENOMEM, 3);
  peer.Send("HELLO");
  harness.Sleep(100);
  EXPECT_EQ(harness.handler.opened(), 1);
}

TEST(EstablishingTest, E2_WhatHasItsWholePrefaceOpensWhenAcceptingEndsAndTheRestEnds) {
  for (const bool reads_on : {false, true}) {
    MockHarness harness(WithHandshakeTimeout());
    harness.make_preface = Greetings({{"HELLO", ""}});
    MockPeer half = Dial(harness);
    half.Send("HEL");
    harness.Settle();
    MockPeer whole = harness.kernel.Dial(harness.port);
    whole.Send("HELLOfirst");
    harness.loop().Quiesce(reads_on);
    harness.Settle();
    EXPECT_EQ(harness.handler.quiesced(), 1) << reads_on;
    ASSERT_EQ(harness.handler.opened(), 1) << reads_on;
    EXPECT_EQ(harness.handler.record(0).received, "first");
    EXPECT_EQ(harness.loop().connection_count(), 1U);
    EXPECT_TRUE(half.saw_end() || half.saw_reset());
  }
}

TEST(EstablishingTest, E2_ClosingAndCuttingAllEndsThemToo) {
  for (const bool cut : {false, true}) {
    MockHarness harness(WithHandshakeTimeout());
    harness.make_preface = Greetings({{"HELLO", ""}});
    MockPeer peer = Dial(harness);
    if (cut) {
      harness.loop().AbortAll(CloseReason::kShutdown);
    } else {
      harness.loop().CloseAll(CloseReason::kShutdown);
    }
    harness.Settle();
    EXPECT_TRUE(peer.saw_end());
    EXPECT_EQ(harness.loop().connection_count(), 0U);
    EXPECT_EQ(harness.handler.closed(), 0);
    EXPECT_TRUE(harness.handler.refusals().empty()) << "nobody's fault";
  }
}

TEST(EstablishingTest, E2_ALoopThatGoesAwayLeavesNothing) {
  MockHarness harness(WithHandshakeTimeout());
  harness.make_preface = Greetings({{"HELLO", ""}});
  MockPeer peer = Dial(harness);
  peer.Send("HEL");
  harness.Settle();
}

TEST(EstablishingTest, E2_ADialledOneThatComesToNothingIsAFailedDial) {
  MockHarness harness(WithHandshakeTimeout());
  harness.make_preface = [] { return std::unique_ptr<reactor::Preface>(); };
  MockPeer other = Dial(harness);
  const int fd = reactor::SocketOps::Socket(AF_INET);
  const auto remote = reactor::Endpoint::FromAddress("127.0.0.1", harness.port);
  ASSERT_EQ(reactor::SocketOps::Connect(fd, remote.data(), remote.length()), -EINPROGRESS);
  harness.loop().poller().Add(fd, 0);
  harness.loop().Adopt({.socket = reactor::FileDescriptor(fd),
                        .remote = remote,
                        .dial = 7,
                        .preface = Greetings({{"HELLO", ""}})()});
  harness.Sleep(kTimeout);
  ASSERT_EQ(harness.handler.failed_dials().size(), 1U);
  EXPECT_EQ(harness.handler.failed_dials()[0], (test::DialFailure{7, ETIMEDOUT}));
}

}  // namespace
