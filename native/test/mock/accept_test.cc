// Accepting while descriptors or memory have run out.
#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "test/support/mock_harness.h"

namespace {

using test::Call;
using test::MockHarness;
using test::MockPeer;

std::vector<MockPeer> DialMany(MockHarness& harness, int count) {
  std::vector<MockPeer> peers;
  for (int i = 0; i < count; ++i) peers.push_back(harness.kernel.Dial(harness.port));
  return peers;
}

TEST(MockAcceptTest, S9_WithoutDescriptorsWaitingClientsAreHungUpOn) {
  MockHarness harness;
  harness.handler.echo = true;
  harness.kernel.SetDescriptorLimit(harness.kernel.open_descriptors() + 3);
  auto peers = DialMany(harness, 10);
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 3);
  EXPECT_EQ(harness.loop().refused(reactor::Refusal::kDescriptors), 7U);
  for (std::size_t i = 0; i < peers.size(); ++i) EXPECT_EQ(peers[i].saw_end(), i >= 3);
  peers[0].Send("still served");
  harness.Settle();
  EXPECT_EQ(peers[0].Receive(), "still served");
}

TEST(MockAcceptTest, S9_ExhaustedItTriesTenTimesASecondAndLogsOnce) {
  MockHarness harness;
  harness.kernel.SetDescriptorLimit(harness.kernel.open_descriptors());
  auto peers = DialMany(harness, 5);
  harness.Settle();
  const auto accepts = harness.kernel.calls(Call::kAccept);
  const auto waits = harness.kernel.calls(Call::kEpollWait);
  harness.Sleep(10'000);
  EXPECT_LE(harness.kernel.calls(Call::kAccept) - accepts, 250U);
  EXPECT_LE(harness.kernel.calls(Call::kEpollWait) - waits, 1000U);
  EXPECT_GE(harness.handler.failures().size(), 9U);
  EXPECT_LE(harness.handler.failures().size(), 11U);
}

TEST(MockAcceptTest, S9_ItRecoversWithinASecondOfDescriptorsComingFree) {
  for (const int error : {EMFILE, ENFILE, ENOMEM, ENOBUFS}) {
    MockHarness harness;
    harness.kernel.Fail(Call::kAccept, error, 1'000'000);
    auto peers = DialMany(harness, 5);
    harness.Sleep(5'000);
    EXPECT_EQ(harness.handler.opened(), 0);
    harness.kernel.ClearScript(Call::kAccept);
    harness.Sleep(200);
    EXPECT_EQ(harness.handler.opened(), 5) << "those who wait are served, error " << error;
  }
}

TEST(MockAcceptTest, S9_ASlotFreedByOneClientServesTheNext) {
  MockHarness harness;
  harness.kernel.SetDescriptorLimit(harness.kernel.open_descriptors() + 2);
  auto peers = DialMany(harness, 4);
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 2);
  peers[0].Close();
  harness.Sleep(200);
  const MockPeer next = harness.Connect();
  EXPECT_EQ(harness.handler.opened(), 3);
}

TEST(MockAcceptTest, S9_WithoutASpareDescriptorItStillBacksOff) {
  test::MockKernel* kernel = nullptr;
  MockHarness harness([&](test::MockKernel& k) {
    kernel = &k;
    k.Fail(Call::kOpenSpare, EMFILE);
  });
  kernel->SetDescriptorLimit(kernel->open_descriptors());
  auto peers = DialMany(harness, 3);
  harness.Sleep(500);
  EXPECT_EQ(harness.handler.opened(), 0);
  kernel->SetDescriptorLimit(1024);
  harness.Sleep(200);
  EXPECT_EQ(harness.handler.opened(), 3);
}

TEST(MockAcceptTest, InterruptedAndAbortedAcceptsGoOnWithTheNext) {
  MockHarness harness;
  harness.kernel.Fail(Call::kAccept, EINTR, 2);
  harness.kernel.Fail(Call::kAccept, ECONNABORTED, 1);
  auto peers = DialMany(harness, 3);
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 2);
  EXPECT_TRUE(peers[0].saw_reset());
  EXPECT_TRUE(harness.handler.failures().empty());
}

// accept(2): errors of the network that wait on the new socket, and what a firewall forbids.
TEST(MockAcceptTest, S9_AnErrorOfOneClientHoldsNobodyUp) {
  for (const int error : {ECONNABORTED, EPROTO, EPERM, ENETDOWN, ENETUNREACH, EHOSTDOWN,
                          EHOSTUNREACH, ENOPROTOOPT, EOPNOTSUPP, ETIMEDOUT}) {
    MockHarness harness;
    harness.kernel.Fail(Call::kAccept, error, 3);
    auto peers = DialMany(harness, 5);
    harness.Turn();
    EXPECT_GE(harness.handler.opened(), 2) << "error " << error;
    EXPECT_TRUE(harness.handler.failures().empty()) << "error " << error;
  }
}

TEST(MockAcceptTest, S9_AcceptsThatAllFailDoNotSpin) {
  MockHarness harness;
  harness.kernel.Fail(Call::kAccept, EPERM, 1'000'000);
  auto peers = DialMany(harness, 5);
  harness.Settle();
  const auto accepts = harness.kernel.calls(Call::kAccept);
  harness.Sleep(1000);
  EXPECT_LE(harness.kernel.calls(Call::kAccept) - accepts, 2000U);
  ASSERT_FALSE(harness.handler.failures().empty());
  EXPECT_EQ(harness.handler.failures().front().second, EPERM);
  harness.kernel.ClearScript(Call::kAccept);
  harness.Sleep(200);
  EXPECT_EQ(harness.handler.opened(), 5);
}

TEST(MockAcceptTest, OneTurnAcceptsABoundedNumber) {
  MockHarness harness;
  auto peers = DialMany(harness, 500);
  harness.Turn();
  EXPECT_EQ(harness.handler.opened(), 128);
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 500);
}

TEST(MockAcceptTest, S8_QuiesceAcceptsTheRestAndClosesTheListener) {
  MockHarness harness;
  auto peers = DialMany(harness, 300);
  harness.loop().Quiesce();
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 300);
  EXPECT_EQ(harness.handler.quiesced(), 1);
  EXPECT_THROW(harness.kernel.Dial(harness.port), std::logic_error);
}

TEST(MockAcceptTest, D1_ALoopThatStopsAcceptingAnnouncesTheRestBeforeItSaysSoAndReadsOn) {
  MockHarness harness;
  auto peers = DialMany(harness, 300);
  harness.handler.SetRoom(10);
  harness.loop().Quiesce(/*reads_on=*/true);
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 10);
  EXPECT_EQ(harness.handler.quiesced(), 0);
  harness.handler.SetRoom(test::RecordingHandler::kUnlimited);
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 300);
  EXPECT_EQ(harness.handler.quiesced(), 1);
  EXPECT_THROW(harness.kernel.Dial(harness.port), std::logic_error);
  peers[7].Send("still heard");
  harness.Settle();
  EXPECT_EQ(harness.handler.received(), 11U);
}

TEST(MockAcceptTest, S8_QuiesceWhileExhaustedLeavesNoDeadlineBehind) {
  MockHarness harness;
  harness.kernel.SetDescriptorLimit(harness.kernel.open_descriptors());
  auto peers = DialMany(harness, 3);
  harness.Settle();
  harness.loop().Quiesce();
  harness.Settle();
  EXPECT_FALSE(harness.loop().NextDeadline());
  EXPECT_EQ(harness.handler.quiesced(), 1);
}

}  // namespace
