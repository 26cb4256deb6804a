#include "reactor/frame_pace.h"

#include <gtest/gtest.h>

namespace {

using reactor::FramePace;
using reactor::FromMilliseconds;
using reactor::Nanoseconds;

constexpr Nanoseconds kTimeout = FromMilliseconds(1000);
constexpr Nanoseconds kBegin = FromMilliseconds(50'000);

TEST(FramePaceTest, AFrameThatIsSilentForTheTimeoutIsTooSlow) {
  FramePace pace;
  EXPECT_FALSE(pace.running());
  pace.Progress(kBegin, true, 5000, 5000);
  EXPECT_TRUE(pace.running());
  EXPECT_EQ(pace.Deadline(kTimeout), kBegin + kTimeout);
  EXPECT_FALSE(pace.IsTooSlow(kBegin + kTimeout - 1, kTimeout, 5000));
  EXPECT_TRUE(pace.IsTooSlow(kBegin + kTimeout, kTimeout, 5000));
}

TEST(FramePaceTest, OneThatTricklesIsTooSlowThoughNeverSilent) {
  FramePace pace;
  pace.Progress(kBegin, true, 1, 1);
  std::uint64_t received = 1;
  for (int i = 1; i <= 10; ++i) {
    pace.Progress(kBegin + FromMilliseconds(100) * static_cast<unsigned>(i), false, ++received, 1);
  }
  EXPECT_TRUE(pace.IsTooSlow(kBegin + kTimeout, kTimeout, received));
}

TEST(FramePaceTest, OneThatKeepsThePaceMayTakeAsLongAsItLikes) {
  FramePace pace;
  std::uint64_t received = FramePace::kMinimumPace;
  Nanoseconds now = kBegin;
  pace.Progress(now, true, received, FramePace::kMinimumPace);
  for (int second = 0; second < 100; ++second) {
    now += kTimeout;
    EXPECT_EQ(pace.Deadline(kTimeout), now);
    received += FramePace::kMinimumPace;
    pace.Progress(now, false, received, FramePace::kMinimumPace);
    EXPECT_FALSE(pace.IsTooSlow(now, kTimeout, received)) << "in second " << second;
  }
}

TEST(FramePaceTest, TimeInWhichNobodyReadDoesNotCount) {
  FramePace pace;
  pace.Restart(kBegin, 10);
  EXPECT_FALSE(pace.running()) << "there is no frame";
  pace.Progress(kBegin, true, 10, 10);
  pace.Restart(kBegin + kTimeout, 10);
  EXPECT_FALSE(pace.IsTooSlow(kBegin + kTimeout, kTimeout, 10));
  EXPECT_EQ(pace.Deadline(kTimeout), kBegin + 2 * kTimeout);
  pace.Stop();
  EXPECT_FALSE(pace.running());
}

}  // namespace
