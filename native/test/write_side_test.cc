#include "reactor/write_side.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/socket_pair.h"

namespace {

using reactor::WriteSide;

class WriteSideTest : public testing::Test {
 protected:
  WriteSideTest() { side_.Open(memory_); }

  [[nodiscard]] int ours() const { return ends_.first.get(); }
  /// As a connection sends: to the kernel first, the rest waits.
  WriteSide::Progress Send(const std::vector<std::string>& texts) {
    std::vector<std::span<const std::byte>> parts;
    std::size_t total = 0;
    for (const std::string& text : texts) {
      parts.push_back(std::as_bytes(std::span(text)));
      total += text.size();
    }
    side_.CountQueued(total);
    const WriteSide::Progress progress = side_.Write(ours(), parts, total);
    EXPECT_TRUE(side_.Keep(parts, progress.written));
    return progress;
  }
  /// Sends more than the kernel takes, and returns it.
  std::string Fill() {
    std::string text(4 * 1024 * 1024, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 / 3);
    EXPECT_EQ(Send({text}).error, EAGAIN);
    return text;
  }
  std::string Received() {
    std::string text;
    std::array<char, 65536> piece{};
    for (ssize_t count = 0;
         (count = ::recv(ends_.second.get(), piece.data(), piece.size(), MSG_DONTWAIT)) > 0;) {
      text.append(piece.data(), static_cast<std::size_t>(count));
    }
    return text;
  }

  reactor::RingMemory memory_;
  WriteSide side_;

 private:
  std::pair<reactor::FileDescriptor, reactor::FileDescriptor> ends_ = test::MakeSocketPair();
};

TEST_F(WriteSideTest, WritesPartsInTheirOrder) {
  const WriteSide::Progress progress = Send({"one ", "", "two ", std::string(10'000, '3')});
  EXPECT_EQ(progress.written, 10'008U);
  EXPECT_EQ(progress.error, 0);
  EXPECT_TRUE(side_.empty());
  EXPECT_EQ(side_.bytes_written(), 10'008U);
  EXPECT_EQ(Received(), "one two " + std::string(10'000, '3'));
}

TEST_F(WriteSideTest, WhatTheKernelDoesNotTakeWaitsUntilThePollerSaysSo) {
  const std::string text = Fill();
  EXPECT_FALSE(side_.writable());
  EXPECT_EQ(side_.waiting(), text.size() - side_.bytes_written());
  std::string got = Received();
  EXPECT_EQ(side_.WriteWaiting(ours()).written, 0U) << "not writable, as far as is known";
  while (!side_.empty()) {
    side_.OnWritable();
    EXPECT_GT(side_.WriteWaiting(ours()).written, 0U);
    got += Received();
  }
  EXPECT_TRUE(got == text);
}

TEST_F(WriteSideTest, FinComesOnceAndBehindTheOutput) {
  Fill();
  side_.WantFin();
  side_.WantFin();
  EXPECT_EQ(side_.state(), WriteSide::State::kFinWanted);
  EXPECT_FALSE(side_.is_open());
  while (!side_.empty()) {
    Received();
    side_.OnWritable();
    side_.WriteWaiting(ours());
  }
  EXPECT_EQ(side_.SendFin(ours()), 0);
  EXPECT_EQ(side_.state(), WriteSide::State::kFinSent);
}

TEST_F(WriteSideTest, TellsOfProgressUntilAllThatWasQueuedThenIsWritten) {
  EXPECT_FALSE(side_.owes_kernel());
  Fill();
  EXPECT_TRUE(side_.owes_kernel());
  side_.AwaitFlush();
  EXPECT_TRUE(side_.TakeFlush());
  EXPECT_TRUE(side_.TakeFlush()) << "it is not written yet";
  while (!side_.empty()) {
    Received();
    side_.OnWritable();
    side_.WriteWaiting(ours());
  }
  EXPECT_TRUE(side_.TakeFlush());
  EXPECT_FALSE(side_.TakeFlush());
}

TEST_F(WriteSideTest, IsFullBetweenTheMarks) {
  EXPECT_FALSE(side_.OnLowWater());
  side_.OnHighWater();
  EXPECT_TRUE(side_.is_full());
  EXPECT_TRUE(side_.OnLowWater());
  EXPECT_FALSE(side_.is_full());
}

TEST_F(WriteSideTest, IsAsNewWhenItIsOpenedAgain) {
  Fill();
  side_.OnHighWater();
  side_.AwaitDrain();
  EXPECT_TRUE(side_.Close());
  EXPECT_EQ(side_.waiting(), 0U);
  side_.Reset();
  side_.Open(memory_);
  EXPECT_TRUE(side_.is_open() && side_.writable() && side_.empty());
  EXPECT_FALSE(side_.is_full() || side_.owes_kernel() || side_.TakeDrain());
  EXPECT_EQ(side_.bytes_written(), 0U);
}

TEST(WriteSideDeathTest, SendsNoFinThatNobodyWants) {
  WriteSide side;
  reactor::RingMemory memory;
  side.Open(memory);
  EXPECT_DEATH(side.SendFin(-1), "kFinWanted");
}

}  // namespace
