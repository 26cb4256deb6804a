#include "reactor/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <vector>

namespace {

using reactor::TimerNode;
using reactor::TimerWheel;

class Firings {
 public:
  explicit Firings(TimerWheel& wheel) : wheel_(wheel) {}
  /// The nodes that expired, in order.
  std::vector<TimerNode*> At(std::uint64_t tick) {
    std::vector<TimerNode*> out;
    wheel_.Advance(tick, [&](TimerNode& node) { out.push_back(&node); });
    return out;
  }

 private:
  TimerWheel& wheel_;
};

TEST(TimerWheelTest, ExpiresAtItsDeadlineAndNotBefore) {
  for (const std::uint64_t start : {0ULL, 1ULL, 63ULL, 64ULL, 4095ULL, 1'000'000'007ULL}) {
    for (const std::uint64_t delay :
         {0ULL, 1ULL, 62ULL, 63ULL, 64ULL, 65ULL, 127ULL, 128ULL, 4095ULL, 4096ULL, 4097ULL,
          262'143ULL, 262'144ULL, 300'000'000ULL}) {
      TimerWheel wheel(start);
      TimerNode node;
      wheel.Arm(node, start + delay);
      Firings firings(wheel);
      if (delay > 0) {
        EXPECT_TRUE(firings.At(start + delay - 1).empty()) << start << " + " << delay;
      }
      EXPECT_EQ(firings.At(start + delay).size(), 1U) << start << " + " << delay;
      EXPECT_FALSE(node.armed());
      EXPECT_EQ(wheel.size(), 0U);
    }
  }
}

TEST(TimerWheelTest, ExpiresAPastDeadlineInTheNextAdvance) {
  TimerWheel wheel(1000);
  TimerNode node;
  wheel.Arm(node, 3);
  EXPECT_EQ(wheel.NextEvent(), 1000U);
  EXPECT_EQ(Firings(wheel).At(1000).size(), 1U);
}

TEST(TimerWheelTest, ExpiresInTheOrderOfDeadlines) {
  TimerWheel wheel;
  std::array<TimerNode, 4> nodes;
  wheel.Arm(nodes[0], 5000);
  wheel.Arm(nodes[1], 70);
  wheel.Arm(nodes[2], 3);
  wheel.Arm(nodes[3], 300'000);
  const std::vector<TimerNode*> expected{&nodes[2], &nodes[1], nodes.data(), &nodes[3]};
  EXPECT_EQ(Firings(wheel).At(1'000'000), expected);
}

TEST(TimerWheelTest, ACancelledNodeNeverExpires) {
  TimerWheel wheel;
  TimerNode node;
  wheel.Arm(node, 100);
  wheel.Cancel(node);
  wheel.Cancel(node);
  EXPECT_FALSE(wheel.NextEvent().has_value());
  EXPECT_TRUE(Firings(wheel).At(1000).empty());
}

TEST(TimerWheelTest, ArmingAgainMovesTheDeadline) {
  TimerWheel wheel;
  TimerNode node;
  wheel.Arm(node, 100);
  wheel.Arm(node, 5000);
  EXPECT_EQ(wheel.size(), 1U);
  EXPECT_TRUE(Firings(wheel).At(4999).empty());
  EXPECT_EQ(Firings(wheel).At(5000).size(), 1U);
}

TEST(TimerWheelTest, ANodeArmedOneRoundAheadInACallbackWaitsForItsRound) {
  // Tick 63 and tick 127 share a slot of the lowest level: the last tick of a round is the trap.
  for (const std::uint64_t tick : {63ULL, 127ULL, 4095ULL, 262'143ULL}) {
    TimerWheel wheel(tick);
    TimerNode node;
    wheel.Arm(node, tick);
    std::vector<std::uint64_t> fired;
    const auto rearm_once = [&](TimerNode& expired) {
      fired.push_back(expired.deadline);
      if (fired.size() == 1) wheel.Arm(expired, tick + 64);
    };
    wheel.Advance(tick, rearm_once);
    EXPECT_EQ(fired.size(), 1U) << "at tick " << tick;
    wheel.Advance(tick + 63, rearm_once);
    EXPECT_EQ(fired.size(), 1U) << "at tick " << tick;
    wheel.Advance(tick + 64, rearm_once);
    EXPECT_EQ(fired.size(), 2U) << "at tick " << tick;
  }
}

TEST(TimerWheelTest, ACallbackMayCancelANodeThatIsDueInTheSameTick) {
  TimerWheel wheel;
  std::array<TimerNode, 3> nodes;
  for (TimerNode& node : nodes) wheel.Arm(node, 10);
  int fired = 0;
  wheel.Advance(10, [&](TimerNode&) {
    ++fired;
    for (TimerNode& other : nodes) wheel.Cancel(other);
  });
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(wheel.size(), 0U);
  EXPECT_FALSE(wheel.NextEvent().has_value());
}

TEST(TimerWheelTest, ANodeThatRearmsForNowDoesNotSpin) {
  TimerWheel wheel(10);
  TimerNode node;
  wheel.Arm(node, 10);
  int fired = 0;
  wheel.Advance(10, [&](TimerNode& expired) {
    ++fired;
    wheel.Arm(expired, 10);
  });
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(Firings(wheel).At(11).size(), 1U);
}

TEST(TimerWheelTest, HoldsDeadlinesBeyondItsHorizon) {
  TimerWheel wheel(12345);
  TimerNode node;
  const std::uint64_t deadline = 12345 + (std::uint64_t{1} << 38U);
  wheel.Arm(node, deadline);
  Firings firings(wheel);
  EXPECT_TRUE(firings.At(deadline - 1).empty());
  EXPECT_EQ(firings.At(deadline).size(), 1U);
}

// --- a reference model ---------------------------------------------------------------------------

class WheelModelTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  static constexpr std::size_t kNodes = 200;

  ~WheelModelTest() override {
    for (TimerNode& node : nodes_) wheel_.Cancel(node);
  }

  std::uint64_t RandomDelay() {
    switch (random_() % 8) {
      case 0:
        return 0;
      case 1:
        return 64;
      case 2:
        return random_() % 64;
      case 3:
        return random_() % 5000;
      case 4:
        return random_() % 300'000;
      case 5:
        return random_() % 20'000'000;
      case 6:
        return random_() % (std::uint64_t{1} << 36U);
      default:
        return random_() % (std::uint64_t{1} << 40U);
    }
  }

  void Arm(std::size_t index, std::uint64_t deadline) {
    Cancel(index);
    wheel_.Arm(nodes_[index], deadline);
    model_.emplace(deadline, index);
  }

  void Cancel(std::size_t index) {
    wheel_.Cancel(nodes_[index]);
    std::erase_if(model_, [index](const auto& entry) { return entry.second == index; });
  }

  void OnExpired(TimerNode& node, std::uint64_t now) {
    const auto index = static_cast<std::size_t>(&node - nodes_.data());
    const auto it =
        std::ranges::find(model_, index, [](const auto& entry) { return entry.second; });
    ASSERT_NE(it, model_.end()) << "expired without being armed";
    ASSERT_LE(it->first, now) << "expired early";
    model_.erase(it);
    // The callback arms and cancels: itself and others, one round ahead and now.
    if (random_() % 4 == 0) Arm(index, now + RandomDelay());
    if (random_() % 4 == 0) Arm(random_() % kNodes, now + 1 + random_() % 130);
    if (random_() % 8 == 0) Cancel(random_() % kNodes);
  }

  std::mt19937_64 random_{GetParam()};
  std::uint64_t now_ = random_() % (std::uint64_t{1} << 41U);
  TimerWheel wheel_{now_};
  std::array<TimerNode, kNodes> nodes_;
  std::multimap<std::uint64_t, std::size_t> model_;  // deadline → node
};

TEST_P(WheelModelTest, MatchesAReferenceModelOverLongSpans) {
  for (int step = 0; step < 20'000; ++step) {
    for (int i = 0; i < 3; ++i) {
      const std::size_t index = random_() % kNodes;
      if (random_() % 4 == 0) {
        Cancel(index);
      } else {
        Arm(index, now_ + RandomDelay());
      }
    }
    ASSERT_EQ(wheel_.size(), model_.size());
    const auto next = wheel_.NextEvent();
    ASSERT_EQ(next.has_value(), !model_.empty());
    if (!model_.empty()) {
      ASSERT_LE(*next, std::max(model_.begin()->first, now_ + 1)) << "the wheel would oversleep";
    }
    // As a loop would (to the next event), a little, or a long way.
    const auto choice = random_() % 8;
    const std::uint64_t target = choice < 4 && next ? std::max(*next, now_)
                                 : choice < 7       ? now_ + random_() % 200
                                                    : now_ + RandomDelay();
    now_ = target;
    wheel_.Advance(now_, [this](TimerNode& node) { OnExpired(node, now_); });
    if (HasFatalFailure()) return;
    // What a callback armed for "now" is due in the next tick.
    wheel_.Advance(++now_, [this](TimerNode& node) { OnExpired(node, now_); });
    if (HasFatalFailure()) return;
    if (!model_.empty()) {
      ASSERT_GE(model_.begin()->first, now_) << "overdue at step " << step;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, WheelModelTest, testing::Range<std::uint64_t>(1, 6));

}  // namespace
