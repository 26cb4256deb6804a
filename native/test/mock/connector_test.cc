// Dialling while the kernel is slow, short of everything, or wrong.
#include "reactor/connector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "test/support/mock_harness.h"

namespace {

using reactor::CloseReason;
using reactor::DialToken;
using reactor::Endpoint;
using reactor::FromMilliseconds;
using test::Call;
using test::DialFailure;
using test::MockHarness;

using Failures = std::vector<DialFailure>;

constexpr std::uint16_t kNobody = 9;

/// A harness that dials, itself among others.
class Dialler : public MockHarness {
 public:
  using MockHarness::MockHarness;

  void Dial(DialToken token, std::uint16_t to, std::uint64_t timeout_ms = 10'000) {
    loop().connector().Dial(token, Endpoint::FromAddress("127.0.0.1", to),
                            FromMilliseconds(timeout_ms));
  }
  /// Connections of this loop that were dialled.
  [[nodiscard]] std::vector<DialToken> dialled() const {
    std::vector<DialToken> out;
    for (const auto& record : handler.records()) {
      if (record.dial != 0) out.push_back(record.dial);
    }
    return out;
  }
};

using Tokens = std::vector<DialToken>;

TEST(MockConnectorTest, ADialInProgressOpensWhenTheHandshakeEnds) {
  Dialler harness;
  harness.kernel.HoldHandshakes();
  harness.Dial(5, harness.port);
  harness.Settle();
  harness.Sleep(100);
  EXPECT_EQ(harness.handler.opened(), 0);
  EXPECT_EQ(harness.handler.failed_dials(), Failures{});
  harness.kernel.FinishHandshakes();
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 2) << "both ends are here";
  EXPECT_EQ(harness.dialled(), Tokens{5});
  EXPECT_EQ(harness.kernel.calls(Call::kConnect), 1U);
  EXPECT_FALSE(harness.loop().NextDeadline());
}

TEST(MockConnectorTest, AnInterruptedConnectGoesOn) {
  Dialler harness;
  harness.kernel.Fail(Call::kConnect, EINTR);
  harness.Dial(5, harness.port);
  harness.Settle();
  EXPECT_EQ(harness.dialled(), Tokens{5});
}

TEST(MockConnectorTest, ALateFailureIsTold) {
  for (const int error : {ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT, ECONNRESET}) {
    Dialler harness;
    harness.kernel.HoldHandshakes();
    harness.Dial(1, harness.port);
    harness.Sleep(500);
    harness.kernel.FinishHandshakes(error);
    harness.Settle();
    EXPECT_EQ(harness.handler.failed_dials(), (Failures{{1, error}}));
    EXPECT_EQ(harness.handler.opened(), 0);
    EXPECT_FALSE(harness.loop().NextDeadline());
  }
}

TEST(MockConnectorTest, EveryCallThatFailsFailsTheDialWithItsError) {
  struct Case {
    Call call;
    int error;
  };
  for (const auto& [call, error] :
       {Case{Call::kSocket, EMFILE}, Case{Call::kSocket, ENOMEM}, Case{Call::kConnect, ENETUNREACH},
        Case{Call::kConnect, EAGAIN}, Case{Call::kConnect, EADDRNOTAVAIL},
        Case{Call::kEpollControl, ENOSPC}, Case{Call::kGetOption, ENOBUFS}}) {
    Dialler harness;
    const std::size_t before = harness.kernel.open_descriptors();
    harness.kernel.Fail(call, error);
    harness.Dial(1, kNobody);
    EXPECT_EQ(harness.handler.failed_dials(), Failures{}) << "an event belongs into a turn";
    harness.Settle();
    EXPECT_EQ(harness.handler.failed_dials(), (Failures{{1, error}}));
    EXPECT_EQ(harness.kernel.open_descriptors(), before);
  }
}

TEST(MockConnectorTest, WithoutDescriptorsItFailsAndTheNextOneSucceedsWhenThereAreSome) {
  Dialler harness;
  harness.Settle();
  const std::size_t limit = harness.kernel.open_descriptors();
  harness.kernel.SetDescriptorLimit(limit);
  harness.Dial(1, harness.port);
  harness.Settle();
  EXPECT_EQ(harness.handler.failed_dials(), (Failures{{1, EMFILE}}));
  EXPECT_TRUE(harness.handler.failures().empty()) << "it is the dial's own business";
  harness.kernel.SetDescriptorLimit(limit + 2);
  harness.Dial(2, harness.port);
  harness.Settle();
  EXPECT_EQ(harness.dialled(), Tokens{2});
}

TEST(MockConnectorTest, AConnectionThatCannotBeWatchedOpensAndCloses) {
  Dialler harness;
  harness.Dial(3, harness.port);
  harness.kernel.Fail(Call::kEpollControl, ENOMEM, 1, 1);  // after that of the accepted end
  harness.Settle();
  ASSERT_EQ(harness.dialled(), Tokens{3});
  const auto records = harness.handler.records();
  const auto record = std::ranges::find(records, DialToken{3}, &test::ConnectionRecord::dial);
  EXPECT_EQ(record->closes, 1);
  EXPECT_EQ(record->reason, CloseReason::kError);
  EXPECT_EQ(record->error, ENOMEM);
}

TEST(MockConnectorTest, ASocketThatConnectsToItselfIsRefused) {
  Dialler harness;
  harness.kernel.SetNextPort(kNobody);
  harness.Dial(1, kNobody);
  harness.Settle();
  EXPECT_EQ(harness.handler.failed_dials(), (Failures{{1, ECONNREFUSED}}));
  EXPECT_EQ(harness.handler.opened(), 0);
}

TEST(MockConnectorTest, ItsTimeoutEndsADialOnTheTickAndNotBefore) {
  Dialler harness;
  harness.kernel.HoldHandshakes();
  harness.Dial(1, harness.port, 250);
  harness.Dial(2, harness.port, 0);
  harness.Sleep(249);
  EXPECT_EQ(harness.handler.failed_dials(), Failures{});
  harness.Sleep(2);
  EXPECT_EQ(harness.handler.failed_dials(), (Failures{{1, ETIMEDOUT}}));
  harness.Sleep(1'000'000);
  EXPECT_EQ(harness.handler.failed_dials().size(), 1U) << "0: as long as the kernel tries";
  harness.kernel.FinishHandshakes();
  harness.Settle();
  EXPECT_EQ(harness.dialled(), Tokens{2});
}

TEST(MockConnectorTest, AStaleEventOfACancelledDialFindsNothing) {
  Dialler harness;
  harness.Dial(1, harness.port);  // has connected, and the poller knows
  harness.handler.Do(harness.loop(), [&] {
    harness.loop().connector().Cancel(1);
    harness.kernel.HoldHandshakes();
    harness.Dial(1, harness.port);  // the same token, number of the descriptor and all
  });
  harness.Settle();
  EXPECT_EQ(harness.dialled(), Tokens{});
  EXPECT_EQ(harness.handler.failed_dials(), (Failures{{1, ECANCELED}}));
  harness.kernel.FinishHandshakes();
  harness.Settle();
  EXPECT_EQ(harness.dialled(), Tokens{1});
}

TEST(MockConnectorTest, WithoutRoomFailuresWaitInOrderAndTheLoopSleeps) {
  Dialler harness;
  harness.handler.SetRoom(0);
  for (DialToken token = 1; token <= 4; ++token) harness.Dial(token, kNobody);
  harness.Settle();  // fails if the loop spins
  EXPECT_EQ(harness.handler.failed_dials(), Failures{});
  harness.handler.SetRoom(2);
  EXPECT_TRUE(harness.loop().HasWork());
  harness.Settle();
  EXPECT_EQ(harness.handler.failed_dials(), (Failures{{1, ECONNREFUSED}, {2, ECONNREFUSED}}));
  harness.handler.SetRoom(test::RecordingHandler::kUnlimited);
  harness.Settle();
  EXPECT_EQ(harness.handler.failed_dials().size(), 4U);
  EXPECT_EQ(harness.handler.failed_dials().back().token, 4U);
}

TEST(MockConnectorTest, WithoutRoomAnOpenedDialWaitsAndKeepsItsToken) {
  Dialler harness;
  harness.handler.SetRoom(0);
  harness.Dial(6, harness.port);
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), 0);
  harness.handler.SetRoom(test::RecordingHandler::kUnlimited);
  harness.Settle();
  EXPECT_EQ(harness.dialled(), Tokens{6});
}

TEST(MockConnectorTest, AFullBacklogHoldsADialUpUntilItsTimeout) {
  Dialler harness;
  auto deaf = reactor::ListenOn(Endpoint::FromAddress("127.0.0.1", 0), {.backlog = 2});
  const std::uint16_t port = Endpoint::LocalOf(deaf.get()).port();
  for (DialToken token = 1; token <= 4; ++token) harness.Dial(token, port, 100 * token);
  harness.Sleep(50);
  EXPECT_EQ(harness.dialled(), (Tokens{1, 2}));
  harness.Sleep(1000);
  EXPECT_EQ(harness.handler.failed_dials(), (Failures{{3, ETIMEDOUT}, {4, ETIMEDOUT}}));
}

TEST(MockConnectorTest, AQuiescedLoopReadsADialledConnectionOnceMore) {
  Dialler harness;
  harness.kernel.HoldHandshakes();
  harness.Dial(1, kNobody);
  harness.loop().Quiesce();
  harness.Settle();
  EXPECT_EQ(harness.handler.quiesced(), 1) << "dials hold up nobody";
  harness.loop().CloseAll(CloseReason::kShutdown);
  harness.Settle();
  EXPECT_EQ(harness.handler.failed_dials(), (Failures{{1, ECANCELED}}));
}

/// Socket, connect, epoll_ctl and getsockopt fail now and then, as a seed says.
class DialFaults final : public test::FaultSource {
 public:
  explicit DialFaults(std::uint64_t seed) : random_(seed), rate_(seed % 4 * 40) {}
  int ErrorFor(Call call) override {
    const bool strikes = random_() % 1000 < rate_;
    if (!strikes) return 0;
    switch (call) {
      case Call::kSocket:
        return EMFILE;
      case Call::kConnect:
        return random_() % 2 == 0 ? EINTR : EAGAIN;
      case Call::kEpollControl:
        return ENOMEM;
      case Call::kGetOption:
        return ENOBUFS;
      default:
        return 0;
    }
  }
  std::size_t Limit(Call /*call*/, std::size_t size) override { return size; }

 private:
  std::mt19937_64 random_;
  std::uint64_t rate_;
};

class DialModelTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(DialModelTest, EveryDialHasExactlyOneOutcomeWhateverHappens) {
  std::mt19937_64 random(GetParam());
  DialFaults faults(GetParam());
  Dialler harness;
  harness.kernel.SetFaults(&faults);
  DialToken last = 0;
  for (int step = 0; step < 400; ++step) {
    switch (random() % 8) {
      case 0:
      case 1:
      case 2:
        harness.Dial(++last, random() % 4 == 0 ? kNobody : harness.port, random() % 3 * 20);
        break;
      case 3:
        if (last > 0) {
          harness.loop().connector().Cancel(static_cast<DialToken>(1 + random() % last));
        }
        break;
      case 4:
        harness.kernel.HoldHandshakes();
        break;
      case 5:
        harness.kernel.FinishHandshakes(random() % 4 == 0 ? EHOSTUNREACH : 0);
        break;
      case 6:
        harness.handler.SetRoom(static_cast<int>(random() % 4));
        break;
      default:
        harness.kernel.AdvanceMilliseconds(random() % 30);
        break;
    }
    if (random() % 2 == 0) harness.Turn();
    if (random() % 50 == 0) {
      harness.handler.SetRoom(test::RecordingHandler::kUnlimited);
      harness.loop().AbortAll(CloseReason::kShutdown);
    }
  }
  harness.kernel.SetFaults(nullptr);
  harness.handler.SetRoom(test::RecordingHandler::kUnlimited);
  harness.loop().connector().CancelAll();
  harness.Settle();
  std::map<DialToken, int> outcomes;
  for (const DialToken token : harness.dialled()) ++outcomes[token];
  for (const auto& failure : harness.handler.failed_dials()) ++outcomes[failure.token];
  EXPECT_EQ(outcomes.size(), last);
  for (const auto& [token, count] : outcomes) EXPECT_EQ(count, 1) << "token " << token;
  harness.loop().AbortAll(CloseReason::kShutdown);
  harness.Settle();
  EXPECT_EQ(harness.handler.opened(), harness.handler.closed());
  EXPECT_FALSE(harness.loop().NextDeadline());
}

INSTANTIATE_TEST_SUITE_P(Seeds, DialModelTest, testing::Range<std::uint64_t>(1, 31));

}  // namespace
