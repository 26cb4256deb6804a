// The assertions themselves: misuse ends the process at the place where it happens.
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "bridge/inbound_stream.h"
#include "bridge/slab.h"
#include "reactor/ledger.h"
#include "reactor/timer_wheel.h"
#include "test/support/loop_harness.h"

#ifndef NDEBUG

namespace {

using reactor::Asset;
using reactor::Ledger;

class AssertionsTest : public testing::Test {
 protected:
  AssertionsTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};
using AssertionsDeathTest = AssertionsTest;

void OnAnotherThread(const std::function<void()>& run) { std::thread(run).join(); }

TEST_F(AssertionsDeathTest, ALoopIsUsedByItsOwnThreadOnly) {
  test::LoopHarness harness;
  harness.loop.Turn(0);
  EXPECT_DEATH(OnAnotherThread([&] { harness.loop.Turn(0); }), "Claim");
  EXPECT_DEATH(OnAnotherThread([&] { harness.loop.Quiesce(); }), "IsCurrent");
}

TEST_F(AssertionsDeathTest, ASlabThatIsGivenBackTwiceHasTwoOwners) {
  std::vector<std::byte> memory(2 * bridge::kSlabSize);
  bridge::InboundStream stream({memory.data(), memory.data() + bridge::kSlabSize});
  stream.Lock();
  ASSERT_TRUE(stream.Reserve(0));
  stream.Append({});
  stream.Unlock();
  const std::int32_t slab = stream.Take();
  EXPECT_DEATH(stream.Release(1 - slab), "owner == from");
  stream.Release(slab);
  EXPECT_DEATH(stream.Release(slab), "owner == from");
}

TEST_F(AssertionsDeathTest, AWheelOutlivesItsNodes) {
  EXPECT_DEATH(
      {
        reactor::TimerNode node;
        const auto wheel = std::make_unique<reactor::TimerWheel>();
        wheel->Arm(node, 10);
      },
      "size_ == 0");
}

TEST_F(AssertionsTest, TheLedgerKnowsWhatAConnectionHolds) {
  const auto descriptors = Ledger::HeldOf(Asset::kDescriptor);
  const auto connections = Ledger::HeldOf(Asset::kConnection);
  {
    test::LoopHarness harness;
    const auto listening = Ledger::HeldOf(Asset::kDescriptor);
    const test::ClientSocket client = harness.Connect();
    EXPECT_EQ(Ledger::HeldOf(Asset::kConnection), connections + 1);
    EXPECT_EQ(Ledger::HeldOf(Asset::kDescriptor), listening + 1);
  }
  EXPECT_EQ(Ledger::HeldOf(Asset::kConnection), connections);
  EXPECT_EQ(Ledger::HeldOf(Asset::kDescriptor), descriptors);
}

}  // namespace

#endif
