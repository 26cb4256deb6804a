// What waits for all peers together, and who is hung up on when it is too much.
#include "reactor/output_budget.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "reactor/connection.h"
#include "test/support/mock_harness.h"

namespace {

using reactor::CloseReason;
using reactor::OutputBudget;
using test::MockHarness;
using test::MockPeer;
using test::SendText;

constexpr std::size_t kMiB = 1024 * 1024;

class OutputBudgetTest : public testing::Test {
 protected:
  reactor::Connection& ConnectionOf(std::size_t index) {
    const auto record = harness_.handler.record(index);
    return *harness_.loop().Find(record.slot, record.generation);
  }
  void Connect(int count) {
    while (count-- > 0) peers_.push_back(harness_.Connect());
  }
  void Send(std::size_t index, std::size_t bytes) {
    harness_.loop().RunCommands();  // the turn is this thread's
    SendText(ConnectionOf(index), std::string(bytes, 'x'));
  }
  void ExpectShed(const std::vector<std::size_t>& indices) {
    harness_.Settle();
    ASSERT_EQ(harness_.handler.closed(), static_cast<int>(indices.size()));
    for (const std::size_t index : indices) {
      EXPECT_EQ(harness_.handler.record(index).reason, CloseReason::kBackpressure) << index;
      EXPECT_EQ(harness_.handler.record(index).error, ENOBUFS) << index;
    }
  }

  OutputBudget budget_{16 * kMiB};
  MockHarness harness_{Options(budget_)};
  std::vector<MockPeer> peers_;

 private:
  static reactor::LoopOptions Options(OutputBudget& budget) {
    reactor::LoopOptions options;
    options.output_budget = &budget;
    return options;
  }
};

TEST_F(OutputBudgetTest, M3_AboveTheLimitTheConnectionWithMostIsClosed) {
  Connect(4);
  Send(0, 3 * kMiB);
  Send(1, 7 * kMiB);
  Send(2, 5 * kMiB);
  ExpectShed({});
  Send(3, 3 * kMiB);
  ExpectShed({1});
  Send(0, 6 * kMiB);
  ExpectShed({1, 0});
}

TEST_F(OutputBudgetTest, M3_OneThatExceedsItAloneIsClosedItself) {
  Connect(2);
  Send(0, 1000 * 1000);
  Send(1, 17 * kMiB);
  ExpectShed({1});
}

TEST_F(OutputBudgetTest, M3_WhatPeersHaveReadWaitsNoMore) {
  Connect(3);
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < peers_.size(); ++i) Send(i, 5 * kMiB);
    EXPECT_GT(budget_.waiting(), 14 * kMiB);
    for (auto& peer : peers_) {
      while (!peer.Receive(kMiB).empty()) harness_.Settle();
    }
    EXPECT_EQ(budget_.waiting(), 0U);
  }
  ExpectShed({});
}

TEST_F(OutputBudgetTest, M3_ManyWithLittleEachAreBoundedToo) {
  constexpr std::size_t kPeers = 900;
  constexpr std::size_t kEach = 64 * 1024 + 40'000;  // what the kernel takes, and some
  Connect(kPeers);
  for (std::size_t i = 0; i < kPeers; ++i) {
    Send(i, kEach);
    ASSERT_LE(budget_.waiting(), 16 * kMiB);
  }
  harness_.Settle();
  EXPECT_GT(harness_.handler.closed(), 0);
  EXPECT_GT(budget_.waiting(), 15 * kMiB) << "no more than needed";
}

// Loops that only know each other by what they report.
TEST(OutputBudgetAlone, M3_TheLoopThatHasTheConnectionWithMostIsAskedToCloseIt) {
  OutputBudget budget(100);
  std::vector<int> asked(3);
  for (std::size_t i = 0; i < asked.size(); ++i) budget.Join([&asked, i] { ++asked[i]; });
  budget.Add(101);
  EXPECT_TRUE(budget.exceeded());
  budget.ReportHighest(0, 13);
  budget.ReportHighest(1, 20);
  EXPECT_FALSE(budget.IsTurnOf(0));
  EXPECT_FALSE(budget.IsTurnOf(2));
  EXPECT_EQ(asked, (std::vector{0, 1, 0})) << "once, until it has answered";
  EXPECT_TRUE(budget.IsTurnOf(1));
  budget.Answer(1);
  EXPECT_FALSE(budget.IsTurnOf(0));
  EXPECT_EQ(asked, (std::vector{0, 2, 0}));
  budget.Add(-1);
  EXPECT_FALSE(budget.exceeded());
}

}  // namespace
