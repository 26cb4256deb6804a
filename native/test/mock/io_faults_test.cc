// Reading and writing while the kernel gives little, late, or nothing.
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <string>
#include <system_error>
#include <vector>

#include "reactor/connection.h"
#include "test/support/mock_harness.h"

namespace {

using reactor::CloseReason;
using reactor::Connection;
using test::Call;
using test::MockHarness;
using test::MockPeer;
using test::RandomFaults;
using test::SendText;

std::string Text(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('!' + i * 7 % 90);
  return text;
}

/// Sends `bytes` as fast as the server takes them; returns what came back.
std::string Echo(MockHarness& harness, MockPeer& peer, const std::string& bytes) {
  std::string got;
  std::size_t sent = 0;
  for (int i = 0; i < 100'000 && got.size() < bytes.size(); ++i) {
    sent += peer.Send(std::string_view(bytes).substr(sent));
    harness.Turn();
    got += peer.Receive();
    if (!harness.loop().HasWork()) harness.kernel.AdvanceMilliseconds(1);  // retries, no deadlock
  }
  return got;
}

struct FaultCase {
  const char* name;
  RandomFaults::Rates rates;
};

class EchoUnderFaultsTest : public testing::TestWithParam<FaultCase> {};

TEST_P(EchoUnderFaultsTest, W3_TheResultIsIdentical) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    MockHarness harness;
    harness.handler.echo = true;
    RandomFaults faults(seed, GetParam().rates);
    harness.kernel.SetFaults(&faults);
    MockPeer peer = harness.kernel.Dial(harness.port);
    peer.SetWindow(seed % 2 == 0 ? 100 : 65536);
    const std::string bytes = Text(30'000);
    EXPECT_TRUE(Echo(harness, peer, bytes) == bytes) << "seed " << seed;
    harness.kernel.SetFaults(nullptr);
    peer.ShutdownWrite();
    harness.Settle();
    EXPECT_TRUE(peer.saw_end());
    EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kPeer);
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, EchoUnderFaultsTest,
                         testing::Values(FaultCase{"Interrupted", {.interrupted = 500}},
                                         FaultCase{"WouldBlock", {.would_block = 500}},
                                         FaultCase{"ShortReadsAndWrites", {.short_io = 900}},
                                         FaultCase{"NoMemory", {.no_memory = 300}},
                                         FaultCase{"AllAtOnce",
                                                   {.interrupted = 200,
                                                    .would_block = 200,
                                                    .short_io = 500,
                                                    .no_memory = 100}}),
                         [](const auto& instance) { return std::string(instance.param.name); });

// --- the kernel's small print --------------------------------------------------------------------

TEST(IoFaultsTest, AShortReadEndsTheReadingOfATurnWithoutAnotherCall) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  const auto before = harness.kernel.calls(Call::kReceive);
  peer.Send("short");
  harness.Settle();
  EXPECT_EQ(harness.kernel.calls(Call::kReceive), before + 1);
}

TEST(IoFaultsTest, AnEdgeThatBringsNothingIsAskedForAgain) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  peer.Send("there it is");
  harness.kernel.Fail(Call::kReceive, EAGAIN);
  harness.Settle();
  EXPECT_EQ(harness.handler.received(), 11U);
}

TEST(IoFaultsTest, W8_TheRepliesOfATurnGoOutInOneCall) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  const std::string reply = "reply";
  const std::vector<std::span<const std::byte>> parts(
      100, std::as_bytes(std::span(reply.data(), reply.size())));
  const auto before = harness.kernel.calls(Call::kSend);
  harness.newest().Send(parts);
  EXPECT_EQ(harness.kernel.calls(Call::kSend), before + 1);
  EXPECT_EQ(peer.unread(), 500U);
}

TEST(IoFaultsTest, NothingIsWrittenToAFullSocketUntilItHasRoom) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  peer.SetWindow(1000);
  SendText(harness.newest(), Text(3000));
  const auto before = harness.kernel.calls(Call::kSend);
  for (int i = 0; i < 10; ++i) SendText(harness.newest(), "more");
  harness.Settle();
  EXPECT_EQ(harness.kernel.calls(Call::kSend), before);
  EXPECT_EQ(harness.newest().buffered(), 2040U);
  EXPECT_EQ(peer.Receive(), Text(3000).substr(0, 1000));
  harness.Settle();
  EXPECT_EQ(harness.newest().buffered(), 1040U);
  EXPECT_EQ(harness.kernel.calls(Call::kSend), before + 2) << "only EAGAIN says that it is full";
}

TEST(IoFaultsTest, ShortOfMemoryItWaitsInsteadOfSpinningOrClosing) {
  for (const int error : {ENOBUFS, ENOMEM}) {
    MockHarness harness;
    MockPeer peer = harness.Connect();
    harness.kernel.Fail(Call::kSend, error, 3);
    SendText(harness.newest(), "hello");
    const auto waits = harness.kernel.calls(Call::kEpollWait);
    harness.Sleep(100);
    EXPECT_EQ(peer.Receive(), "hello");
    EXPECT_EQ(harness.kernel.calls(Call::kSend), 4U);

    harness.kernel.Fail(Call::kReceive, error, 3);
    peer.Send("world");
    harness.Sleep(100);
    EXPECT_EQ(harness.handler.record(0).received, "world");
    EXPECT_LE(harness.kernel.calls(Call::kEpollWait) - waits, 60U);
    EXPECT_EQ(harness.handler.closed(), 0);
  }
}

TEST(IoFaultsTest, W6_PauseAndCloseInsideACallbackHoldAtOnce) {
  MockHarness harness;
  harness.handler.read_size = 10;
  MockPeer peer = harness.Connect();
  harness.handler.on_read = [](Connection& connection) { connection.Pause(); };
  peer.Send(std::string(100, 'x'));
  harness.Settle();
  EXPECT_EQ(harness.handler.received(), 10U);
  harness.handler.on_read = [](Connection& connection) { connection.Close(CloseReason::kLocal); };
  harness.newest().Resume();
  harness.Settle();
  EXPECT_EQ(harness.handler.received(), 20U);
  EXPECT_TRUE(peer.saw_end());
}

TEST(IoFaultsTest, AnUnknownErrorEndsTheConnectionWithItsNumber) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  harness.kernel.Fail(Call::kReceive, EIO);
  peer.Send("x");
  harness.Settle();
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kError);
  EXPECT_EQ(harness.handler.record(0).error, EIO);
}

TEST(IoFaultsTest, R6_OneTurnReadsABoundedAmount) {
  MockHarness harness;
  harness.handler.read_size = 1024;
  MockPeer peer = harness.Connect();
  peer.Send(std::string(65536, 'x'));
  std::size_t most = 0;
  for (int i = 0; i < 100; ++i) {
    const auto before = harness.handler.received();
    harness.Turn();
    peer.Send(std::string(65536, 'x'));
    most = std::max(most, harness.handler.received() - before);
  }
  EXPECT_LE(most, 256U << 10U);
  EXPECT_GE(most, 32U << 10U);
}

// --- a reset in every state ----------------------------------------------------------------------

struct StateCase {
  const char* name;
  std::function<void(MockHarness&, MockPeer&)> prepare;
  CloseReason reason = CloseReason::kReset;
};

class ResetTest : public testing::TestWithParam<StateCase> {};

TEST_P(ResetTest, C5_EndsTheConnectionOnceWithoutSpinning) {
  MockHarness harness;
  harness.handler.close_on_end = false;
  MockPeer peer = harness.Connect();
  GetParam().prepare(harness, peer);
  harness.Settle();
  ASSERT_EQ(harness.handler.closed(), 0);
  peer.Reset();
  harness.Settle();
  EXPECT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, GetParam().reason);
  EXPECT_EQ(harness.loop().connection_count(), 0U);
  EXPECT_FALSE(harness.loop().NextDeadline()) << "a dead connection's deadline";
}

INSTANTIATE_TEST_SUITE_P(
    States, ResetTest,
    testing::Values(
        StateCase{"Open", [](MockHarness&, MockPeer&) {}},
        StateCase{"Paused", [](MockHarness& h, MockPeer&) { h.newest().Pause(); }},
        StateCase{"PausedWithUnreadBytes",
                  [](MockHarness& h, MockPeer& p) {
                    h.newest().Pause();
                    p.Send("unread");
                  }},
        StateCase{"OutputWaiting",
                  [](MockHarness& h, MockPeer&) { SendText(h.newest(), Text(200'000)); }},
        StateCase{"AboveHighWater",
                  [](MockHarness& h, MockPeer&) { SendText(h.newest(), Text(2 << 20)); }},
        StateCase{"HalfClosedByPeer", [](MockHarness&, MockPeer& p) { p.ShutdownWrite(); }},
        StateCase{"HalfClosedByUs", [](MockHarness& h, MockPeer&) { h.newest().ShutdownWrite(); }},
        StateCase{"Flushing",
                  [](MockHarness& h, MockPeer&) {
                    SendText(h.newest(), Text(200'000));
                    h.newest().Close(CloseReason::kLocal);
                  }},
        StateCase{"FlushingAfterTheirFin",
                  [](MockHarness& h, MockPeer& p) {
                    p.ShutdownWrite();
                    h.Settle();
                    SendText(h.newest(), Text(200'000));
                    h.newest().Close(CloseReason::kPeer);
                  }},
        StateCase{"FinSent",
                  [](MockHarness& h, MockPeer&) { h.newest().Close(CloseReason::kLocal); },
                  CloseReason::kLocal}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(IoFaultsTest, C5_AResetBeforeTheFirstReadGivesOpenAndClose) {
  MockHarness harness;
  MockPeer peer = harness.kernel.Dial(harness.port);
  peer.Reset();
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 1);
  EXPECT_EQ(harness.handler.closed(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kReset);
}

TEST(IoFaultsTest, C5_BrokenPipesAndResetsOfACallEndTheConnection) {
  for (const int error : {EPIPE, ECONNRESET, ETIMEDOUT, EHOSTUNREACH}) {
    MockHarness harness;
    MockPeer peer = harness.Connect();
    harness.kernel.Fail(Call::kSend, error);
    SendText(harness.newest(), "x");
    harness.Settle();
    EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kReset);
    EXPECT_EQ(harness.handler.record(0).error, error);
  }
}

TEST(IoFaultsTest, AShutdownThatFailsEndsTheConnection) {
  MockHarness harness;
  MockPeer peer = harness.Connect();
  harness.kernel.Fail(Call::kShutdown, ENOTCONN);
  harness.newest().Close(CloseReason::kLocal);
  harness.Settle();
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kReset);

  harness.handler.close_on_end = false;
  MockPeer other = harness.Connect();
  other.ShutdownWrite();
  harness.Settle();
  harness.kernel.Fail(Call::kShutdown, ENOTCONN);
  harness.newest().ShutdownWrite();
  harness.Settle();
  EXPECT_EQ(harness.handler.record(1).reason, CloseReason::kPeer) << "the peer had ended already";
}

// --- set-up that fails ---------------------------------------------------------------------------

TEST(IoFaultsTest, S1_EachSystemCallThatFailsAtSetUpThrowsAndLeaksNothing) {
  for (const Call call : {Call::kEpollCreate, Call::kEventFd, Call::kEpollControl}) {
    test::MockKernel kernel;
    test::RecordingHandler handler;
    kernel.Fail(call, ENOMEM);
    EXPECT_THROW(reactor::EventLoop({}, handler), std::system_error);
    EXPECT_EQ(kernel.open_descriptors(), 0U);
  }
  for (const Call call : {Call::kSocket, Call::kSetOption, Call::kBind, Call::kListen}) {
    test::MockKernel kernel;
    kernel.Fail(call, EACCES);
    EXPECT_THROW(reactor::ListenOn(reactor::Endpoint::FromAddress("127.0.0.1", 0), {}),
                 std::system_error);
    EXPECT_EQ(kernel.open_descriptors(), 0U);
  }
}

TEST(IoFaultsTest, ASocketThePollerRefusesIsReportedAndClosed) {
  MockHarness harness;
  MockPeer peer = harness.kernel.Dial(harness.port);
  harness.kernel.Fail(Call::kEpollControl, ENOSPC);
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 1);
  EXPECT_EQ(harness.handler.record(0).reason, CloseReason::kError);
  EXPECT_EQ(harness.handler.record(0).error, ENOSPC);
  ASSERT_EQ(harness.handler.failures().size(), 1U);
  EXPECT_EQ(harness.handler.failures()[0].first, reactor::LoopFailure::kPoll);
}

}  // namespace
