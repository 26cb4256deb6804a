#include "reactor/timer_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "test/support/mock_harness.h"

namespace {

using reactor::FromMilliseconds;
using test::MockHarness;

class TimerQueueTest : public testing::Test {
 protected:
  TimerQueueTest() : start_(harness_.kernel.now()) {}

  void Start(reactor::TimerId id, std::uint64_t delay, std::uint64_t interval = 0) {
    harness_.loop().timers().Start(id, FromMilliseconds(delay), FromMilliseconds(interval));
  }
  /// Acknowledges each tick as it comes.
  void AcknowledgeAll() {
    harness_.handler.on_timer = [this](reactor::TimerId id) {
      harness_.loop().timers().Acknowledge(id);
    };
  }
  struct Tick {
    reactor::TimerId id;
    std::uint64_t at;  // milliseconds
    std::uint32_t skipped;
    bool operator==(const Tick&) const = default;
  };
  std::vector<Tick> ticks() {
    std::vector<Tick> out;
    for (const auto& timer : harness_.handler.timers()) {
      out.push_back(
          {timer.id, (timer.at - start_) / reactor::kNanosecondsPerMillisecond, timer.skipped});
    }
    return out;
  }
  using Ticks = std::vector<Tick>;

  MockHarness harness_;
  std::uint64_t start_;
};

TEST_F(TimerQueueTest, T1_RunsOnceAtItsTime) {
  Start(1, 250);
  harness_.Sleep(10'000);
  EXPECT_EQ(ticks(), (Ticks{{1, 250, 0}}));
}

TEST_F(TimerQueueTest, T1_RepeatsAtAFixedRate) {
  AcknowledgeAll();
  Start(1, 100, 100);
  harness_.Sleep(1000);
  ASSERT_EQ(ticks().size(), 10U);
  EXPECT_EQ(ticks().back(), (Tick{1, 1000, 0}));
}

TEST_F(TimerQueueTest, T1_ADelayedTickDoesNotShiftTheOnesAfterIt) {
  AcknowledgeAll();
  Start(1, 100, 100);
  harness_.kernel.AdvanceMilliseconds(130);  // a long turn
  harness_.Settle();
  harness_.Sleep(170);
  EXPECT_EQ(ticks(), (Ticks{{1, 130, 0}, {1, 200, 0}, {1, 300, 0}}));
}

TEST_F(TimerQueueTest, T1_AnIntervalOfSixtyFourTicksIsNeverEarly) {
  AcknowledgeAll();
  for (std::uint64_t delay = 1; delay <= 64; ++delay) {
    Start(static_cast<reactor::TimerId>(delay), delay, 64);
  }
  harness_.Sleep(640);
  std::map<reactor::TimerId, std::uint64_t> count;
  for (const Tick& tick : ticks()) EXPECT_EQ(tick.at, tick.id + 64 * count[tick.id]++);
  EXPECT_EQ(ticks().size(), 640U);
}

TEST_F(TimerQueueTest, T2_TicksAreSkippedAndCountedUntilTheLastOneIsAcknowledged) {
  Start(1, 100, 100);
  harness_.Sleep(350);
  EXPECT_EQ(ticks(), (Ticks{{1, 100, 0}}));
  harness_.loop().timers().Acknowledge(1);
  harness_.Sleep(50);
  EXPECT_EQ(ticks(), (Ticks{{1, 100, 0}, {1, 400, 2}}));
  harness_.loop().timers().Acknowledge(1);
  harness_.Sleep(100);
  EXPECT_EQ(ticks().back(), (Tick{1, 500, 0}));
}

TEST_F(TimerQueueTest, T2_AfterAJumpOfTheClockThereIsOneTickAndNoBurst) {
  AcknowledgeAll();
  Start(1, 100, 100);
  harness_.kernel.AdvanceMilliseconds(1050);
  harness_.Settle();
  EXPECT_EQ(ticks(), (Ticks{{1, 1050, 9}}));
  harness_.Sleep(50);
  EXPECT_EQ(ticks().back(), (Tick{1, 1100, 0}));
}

TEST_F(TimerQueueTest, ATickWithoutRoomWaitsAndIsWorkOnceThereIsRoom) {
  Start(1, 100);
  harness_.handler.SetRoom(0);
  harness_.Sleep(250);
  EXPECT_TRUE(ticks().empty());
  EXPECT_FALSE(harness_.loop().HasWork());
  harness_.handler.SetRoom(1);
  EXPECT_TRUE(harness_.loop().HasWork()) << "or the loop would sleep on it";
  harness_.Settle();
  EXPECT_EQ(ticks(), (Ticks{{1, 250, 0}}));
}

TEST_F(TimerQueueTest, T3_ACancelledTimerNeverComes) {
  AcknowledgeAll();
  Start(1, 100);
  Start(2, 100, 100);
  harness_.Sleep(50);
  harness_.loop().timers().Cancel(1);
  harness_.Sleep(200);
  harness_.loop().timers().Cancel(2);
  harness_.loop().timers().Cancel(2);
  harness_.loop().timers().Cancel(77);
  harness_.Sleep(1000);
  EXPECT_EQ(ticks(), (Ticks{{2, 100, 0}, {2, 200, 0}}));
  EXPECT_FALSE(harness_.loop().NextDeadline());
}

TEST_F(TimerQueueTest, T3_ATimerCancelledWhileItsTickWaitsForRoomNeverComes) {
  Start(1, 100);
  harness_.handler.SetRoom(0);
  harness_.Sleep(200);
  harness_.loop().timers().Cancel(1);
  harness_.handler.SetRoom(10);
  harness_.Settle();
  EXPECT_TRUE(ticks().empty());
}

TEST_F(TimerQueueTest, T3_ATimerMayCancelItselfAndOthersInItsTick) {
  for (reactor::TimerId id = 1; id <= 4; ++id) Start(id, 100, 100);
  harness_.handler.on_timer = [this](reactor::TimerId) {
    for (reactor::TimerId id = 1; id <= 4; ++id) harness_.loop().timers().Cancel(id);
  };
  harness_.Sleep(1000);
  EXPECT_EQ(ticks().size(), 1U);
}

TEST_F(TimerQueueTest, AnIdCanBeUsedAgainAfterItsEnd) {
  AcknowledgeAll();
  Start(1, 100);
  harness_.Sleep(100);
  Start(1, 100);
  harness_.Sleep(100);
  EXPECT_EQ(ticks(), (Ticks{{1, 100, 0}, {1, 200, 0}}));
}

TEST_F(TimerQueueTest, ManyTimersComeInTheOrderOfTheirDeadlines) {
  for (reactor::TimerId id = 0; id < 2000; ++id) Start(id, 1 + id * 7919 % 5000);
  harness_.Sleep(6000);
  const auto all = ticks();
  ASSERT_EQ(all.size(), 2000U);
  for (const Tick& tick : all) EXPECT_EQ(tick.at, 1 + tick.id * 7919 % 5000);
}

}  // namespace
