#include "reactor/read_side.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "test/support/socket_pair.h"

namespace {

using reactor::ReadSide;

class ReadSideTest : public testing::Test {
 protected:
  ReadSideTest() { side_.Open(/*paused=*/false, /*stops_short=*/false); }

  void Send(std::string_view bytes) {
    EXPECT_EQ(::send(theirs(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  ssize_t Receive() { return side_.Receive(ends_.first.get(), room_); }
  [[nodiscard]] int theirs() const { return ends_.second.get(); }
  [[nodiscard]] bool IsDue() const { return side_.IsDue(/*output_full=*/false); }

  ReadSide side_;

 private:
  std::pair<reactor::FileDescriptor, reactor::FileDescriptor> ends_ = test::MakeSocketPair();
  std::array<std::byte, 16> room_{};
};

TEST_F(ReadSideTest, IsDueFromAnEdgeUntilAReadThatIsShort) {
  EXPECT_FALSE(IsDue());
  side_.OnEdge();
  EXPECT_TRUE(IsDue());
  EXPECT_TRUE(side_.is_announced());
  Send("twenty bytes of input");
  EXPECT_EQ(Receive(), 16);
  EXPECT_TRUE(IsDue());
  EXPECT_FALSE(side_.is_announced());
  EXPECT_EQ(Receive(), 5);
  EXPECT_FALSE(IsDue());
}

TEST_F(ReadSideTest, AShortReadIsNoEndWhereACallMayLeaveBytesBehind) {
  side_.OnUrgentData();
  side_.OnEdge();
  Send("short");
  EXPECT_EQ(Receive(), 5);
  EXPECT_TRUE(IsDue());
  EXPECT_EQ(Receive(), -EAGAIN);
  EXPECT_FALSE(IsDue());
}

TEST_F(ReadSideTest, AfterAHangUpNoEdgeIsAwaited) {
  side_.OnEdge();
  side_.OnHangup();
  Send("last");
  ::shutdown(theirs(), SHUT_WR);
  EXPECT_EQ(Receive(), 4);
  EXPECT_TRUE(IsDue());
  EXPECT_EQ(Receive(), 0);
  EXPECT_FALSE(IsDue());
}

TEST_F(ReadSideTest, IsNotDueWhilePausedOrWhileThePeerDoesNotRead) {
  side_.OnEdge();
  EXPECT_FALSE(side_.IsDue(/*output_full=*/true));
  side_.Pause();
  EXPECT_FALSE(IsDue());
  side_.Resume();
  EXPECT_TRUE(IsDue());
}

TEST_F(ReadSideTest, WhatIsDroppedIsReadEvenSo) {
  side_.Pause();
  side_.Enter(ReadSide::State::kDropping);
  EXPECT_FALSE(IsDue());
  side_.OnEdge();
  EXPECT_TRUE(side_.IsDue(/*output_full=*/true));
}

TEST_F(ReadSideTest, WhatTheHandlerKeptIsDueWithoutAnEdge) {
  side_.KeepUnparsed();
  EXPECT_TRUE(IsDue());
  side_.ClearUnparsed();
  side_.Enter(ReadSide::State::kDropping);
  side_.KeepUnparsed();
  EXPECT_FALSE(side_.unparsed()) << "nobody wants it any more";
}

TEST_F(ReadSideTest, AFinalReadEndsWithItsLastByteOrWithTheState) {
  side_.BeginFinalRead(10);
  EXPECT_TRUE(IsDue()) << "the edge may not have been polled yet";
  EXPECT_TRUE(side_.CountFinalRead(9));
  EXPECT_FALSE(side_.Enter(ReadSide::State::kEnding)) << "it goes on";
  EXPECT_FALSE(side_.CountFinalRead(1));
  EXPECT_TRUE(side_.Enter(ReadSide::State::kStopped)) << "now it has ended";
  EXPECT_FALSE(side_.in_final_read());
  side_.OnEdge();
  EXPECT_FALSE(IsDue());
  EXPECT_FALSE(side_.Enter(ReadSide::State::kDropping)) << "it has ended before";
  EXPECT_TRUE(IsDue());
}

TEST_F(ReadSideTest, IsAsNewWhenItIsOpenedAgain) {
  side_.OnEdge();
  side_.OnHangup();
  side_.OnUrgentData();
  side_.CountReceived(7);
  side_.KeepUnparsed();
  side_.Close();
  EXPECT_FALSE(IsDue());
  side_.Reset();
  side_.Open(/*paused=*/true, /*stops_short=*/false);
  EXPECT_EQ(side_.bytes_received(), 0U);
  EXPECT_FALSE(side_.hung_up());
  EXPECT_TRUE(side_.paused());
  EXPECT_EQ(side_.state(), ReadSide::State::kOpen);
}

TEST(ReadSideDeathTest, RefusesTransitionsThatAreNoneOfItsPicture) {
  ReadSide side;
  side.Open(false, false);
  side.Enter(ReadSide::State::kEnded);
  EXPECT_DEATH(side.Enter(ReadSide::State::kOpen), "IsTransition");
  EXPECT_DEATH(side.Enter(ReadSide::State::kDropping), "IsTransition");
  EXPECT_DEATH(side.BeginFinalRead(1), "delivers");
}

}  // namespace
