// The hand-over of slabs between two threads: rings, the inbound stream and the mailbox. Under TSan
// these tests prove that a slab has one owner at a time.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "bridge/doorbell.h"
#include "bridge/frame_buffer.h"
#include "bridge/inbound_stream.h"
#include "bridge/large_frames.h"
#include "bridge/mailbox.h"
#include "bridge/slab.h"
#include "bridge/spsc_ring.h"
#include "reactor/output_budget.h"

namespace bridge {
namespace {

class Slabs {
 public:
  explicit Slabs(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      memory_.push_back(std::make_unique<std::byte[]>(kSlabSize));
      pointers_.push_back(memory_.back().get());
    }
  }
  [[nodiscard]] const std::vector<std::byte*>& pointers() const { return pointers_; }
  [[nodiscard]] std::byte* at(std::int32_t index) const {
    return pointers_[static_cast<std::size_t>(index)];
  }

 private:
  std::vector<std::unique_ptr<std::byte[]>> memory_;
  std::vector<std::byte*> pointers_;
};

EventDescriptor DescriptorAt(const std::byte* slab, std::size_t index) {
  EventDescriptor out{};
  std::memcpy(&out, slab + kSlabHeader + index * kDescriptorSize, sizeof out);
  return out;
}

/// What JavaScript does to append a record without a payload.
void WriteCommand(std::byte* slab, std::uint32_t slot) {
  const auto used = static_cast<std::size_t>(LoadWord(slab));
  const Record record{static_cast<std::int32_t>(Operation::kPause), slot, 0, 0};
  std::memcpy(slab + used, &record, sizeof record);
  StoreWord(slab, static_cast<std::int32_t>(used + kRecordHeader));
}

TEST(SpscRingTest, IsBoundedAndFirstInFirstOut) {
  SpscRing<4> ring;
  EXPECT_TRUE(ring.Empty());
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.Push(i));
  EXPECT_FALSE(ring.Push(4));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ring.Pop(), i);
  EXPECT_EQ(ring.Pop(), -1);
}

TEST(SpscRingTest, HandsEveryValueOverOnceBetweenTwoThreads) {
  constexpr int kValues = 100'000;
  SpscRing<8> ring;
  std::thread producer([&ring] {
    for (int i = 0; i < kValues; ++i) {
      while (!ring.Push(i)) std::this_thread::yield();
    }
  });
  for (int expected = 0; expected < kValues;) {
    const std::int32_t value = ring.Pop();
    if (value < 0) {
      std::this_thread::yield();
    } else {
      ASSERT_EQ(value, expected++);
    }
  }
  producer.join();
  EXPECT_TRUE(ring.Empty());
}

TEST(InboundStreamTest, RunsOutOfRoomAndRecoversWhenASlabComesBack) {
  const Slabs slabs(2);
  InboundStream stream(slabs.pointers());
  stream.Lock();
  std::uint32_t written = 0;
  while (stream.Reserve(0)) stream.Append({EventKind::kEnd, written++, 0, 0, 0, 0, 0, 0});
  stream.Unlock();
  EXPECT_EQ(written, 2 * kDescriptorCapacity);
  EXPECT_FALSE(stream.HasRoom());
  const std::int32_t slab = stream.Take();
  ASSERT_GE(slab, 0);
  EXPECT_EQ(LoadWord(slabs.at(slab)), static_cast<std::int32_t>(kDescriptorCapacity));
  EXPECT_TRUE(stream.Release(slab)) << "the loop waits for room and must be woken";
  EXPECT_TRUE(stream.HasRoom());
  EXPECT_FALSE(stream.Release(stream.Take())) << "once is enough";
}

TEST(InboundStreamTest, KeepsTheOrderWhileOneSideWritesAndTheOtherTakes) {
  constexpr std::uint32_t kEvents = 200'000;
  const Slabs slabs(4);
  InboundStream stream(slabs.pointers());
  std::atomic<bool> failed{false};
  std::thread loop([&] {
    for (std::uint32_t next = 0; next < kEvents && !failed;) {
      stream.Lock();
      for (int i = 0; i < 37 && next < kEvents && stream.Reserve(8); ++i) {
        std::array<std::byte, 8> payload{};
        std::memcpy(payload.data(), &next, sizeof next);
        const std::uint32_t offset = stream.CopyData(payload);
        stream.Append({EventKind::kMessage, next, 0, offset, 8, 0, 0, 0});
        ++next;
      }
      stream.Unlock();
    }
  });
  for (std::uint32_t expected = 0; expected < kEvents;) {
    const std::int32_t slab = stream.Take();
    if (slab < 0) {
      std::this_thread::yield();
      continue;
    }
    const auto count = static_cast<std::size_t>(LoadWord(slabs.at(slab)));
    for (std::size_t i = 0; i < count; ++i, ++expected) {
      const EventDescriptor event = DescriptorAt(slabs.at(slab), i);
      std::uint32_t payload = 0;
      std::memcpy(&payload, slabs.at(slab) + event.offset, sizeof payload);
      if (event.subject != expected || payload != expected) failed = true;
    }
    stream.Release(slab);
    if (failed) break;
  }
  loop.join();
  EXPECT_FALSE(failed);
}

TEST(MailboxTest, SpillsInsteadOfWaitingAndKeepsTheOrder) {
  const Slabs slabs(3);
  Mailbox mailbox(slabs.pointers());
  constexpr std::uint32_t kRecords = 50;
  for (std::uint32_t i = 0; i < kRecords; ++i) {
    WriteCommand(slabs.at(mailbox.open()), i);
    EXPECT_TRUE(mailbox.Publish());
  }
  EXPECT_FALSE(mailbox.Publish()) << "nothing was written";
  EXPECT_FALSE(mailbox.Empty());
  std::uint32_t expected = 0;
  mailbox.Drain([&expected](std::span<std::byte> records) {
    for (; !records.empty(); records = records.subspan(kRecordHeader)) {
      Record record{};
      std::memcpy(&record, records.data(), sizeof record);
      EXPECT_EQ(record.subject, expected++);
    }
  });
  EXPECT_EQ(expected, kRecords);
  EXPECT_TRUE(mailbox.Empty());
}

TEST(MailboxTest, M3_WhatIsSpilledCountsTowardsTheBudgetOfOutput) {
  const Slabs slabs(2);
  reactor::OutputBudget budget(2 * kRecordHeader);
  Mailbox mailbox(slabs.pointers());
  mailbox.CountIn(&budget);
  for (std::uint32_t i = 0; i < 4; ++i) {
    WriteCommand(slabs.at(mailbox.open()), i);
    mailbox.Publish();
    EXPECT_EQ(budget.waiting(), i * kRecordHeader);  // the first one has a slab
  }
  EXPECT_TRUE(budget.exceeded());
  mailbox.Drain([](std::span<std::byte>) {});
  EXPECT_EQ(budget.waiting(), 0U);
}

TEST(MailboxTest, KeepsTheOrderBetweenTwoThreadsThroughSlabsAndSpills) {
  constexpr std::uint32_t kRecords = 200'000;
  const Slabs slabs(4);
  Mailbox mailbox(slabs.pointers());
  std::atomic<bool> failed{false};
  std::thread loop([&] {
    std::uint32_t expected = 0;
    while (expected < kRecords && !failed) {
      mailbox.Drain([&](std::span<std::byte> records) {
        for (; !records.empty(); records = records.subspan(kRecordHeader)) {
          Record record{};
          std::memcpy(&record, records.data(), sizeof record);
          if (record.subject != expected++) failed = true;
        }
      });
    }
  });
  for (std::uint32_t i = 0; i < kRecords && !failed; ++i) {
    WriteCommand(slabs.at(mailbox.open()), i);
    if (i % 5 == 4 || i + 1 == kRecords) mailbox.Publish();
  }
  loop.join();
  EXPECT_FALSE(failed);
}

LargeFrame Large(std::span<const std::byte> bytes) {
  FrameBuffer buffer;
  buffer.Append(bytes);
  return LargeFrame(buffer, 0, bytes.size(), bytes.size());
}

TEST(LargeFramesTest, RefusesMoreThanItsCapacityUntilEnoughWasTaken) {
  LargeFrames frames;
  const std::vector<std::byte> frame(LargeFrames::kCapacity / 4 + 1, std::byte{7});
  std::vector<std::uint32_t> tickets;
  while (frames.Admits(frame.size())) tickets.push_back(frames.Put(Large(frame)));
  ASSERT_EQ(tickets.size(), 3U);
  EXPECT_FALSE(frames.HasRoom());
  const LargeFrame taken = frames.Take(tickets[1]);
  EXPECT_TRUE(std::ranges::equal(taken.bytes(), frame));
  EXPECT_EQ(frames.Take(tickets[1]).size, 0U) << "once only";
  EXPECT_TRUE(frames.HasRoom());
  EXPECT_TRUE(frames.Admits(frame.size()));
}

TEST(LargeFramesTest, TakesAFrameLongerThanItsCapacityWhenItIsAlone) {
  LargeFrames frames;
  const std::vector<std::byte> huge(LargeFrames::kCapacity + 1);
  ASSERT_TRUE(frames.Admits(1));
  const auto ticket = frames.Put(Large(std::span(huge).first(1)));
  EXPECT_FALSE(frames.Admits(huge.size()));
  EXPECT_FALSE(frames.HasRoom());
  frames.Take(ticket);
  EXPECT_TRUE(frames.HasRoom());
  EXPECT_TRUE(frames.Admits(huge.size()));
}

TEST(LargeFramesTest, TakesTheMemoryOfAFrameAndLeavesWhatIsBehindIt) {
  FrameBuffer buffer;
  std::vector<std::byte> stream(300'010);
  for (std::size_t i = 0; i < stream.size(); ++i) stream[i] = static_cast<std::byte>(i * 7);
  buffer.Append(stream);
  buffer.Consume(5);
  const std::byte* const payload = buffer.bytes().data() + 4;
  LargeFrames frames;
  ASSERT_TRUE(frames.Admits(250'000));
  const LargeFrame taken = frames.Take(frames.Put(LargeFrame(buffer, 4, 250'000, 250'006)));
  EXPECT_EQ(taken.bytes().data(), payload) << "it was copied";
  EXPECT_TRUE(std::ranges::equal(taken.bytes(), std::span(stream).subspan(9, 250'000)));
  EXPECT_TRUE(std::ranges::equal(buffer.bytes(), std::span(stream).subspan(250'011)));
  const LargeFrame last(buffer, 0, buffer.size(), buffer.size());
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(last.size, 49'999U);
}

class CountingDoorbell final : public Doorbell {
 public:
  std::atomic<int> wake_ups{0};

 protected:
  void WakeUp() noexcept override { ++wake_ups; }
};

TEST(DoorbellTest, WakesOnceHoweverOftenItRings) {
  CountingDoorbell doorbell;
  for (int i = 0; i < 10; ++i) doorbell.Ring();
  EXPECT_EQ(doorbell.wake_ups, 1);
  doorbell.BeginRound();
  EXPECT_TRUE(doorbell.TryIdle());
  doorbell.Ring();
  EXPECT_EQ(doorbell.wake_ups, 2);
}

TEST(DoorbellTest, ARingDuringARoundAsksForAnotherLook) {
  CountingDoorbell doorbell;
  doorbell.Ring();
  doorbell.BeginRound();
  doorbell.Ring();
  EXPECT_EQ(doorbell.wake_ups, 1);
  EXPECT_FALSE(doorbell.TryIdle());
  doorbell.BeginRound();
  EXPECT_TRUE(doorbell.TryIdle());
}

TEST(FrameBufferTest, KeepsItsBytesThroughGrowthAndConsumption) {
  FrameBuffer buffer;
  std::vector<std::byte> model;
  std::uint8_t next = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::byte> piece(static_cast<std::size_t>(round * 7 % 301));
    for (std::byte& byte : piece) byte = static_cast<std::byte>(next++);
    buffer.Append(piece);
    model.insert(model.end(), piece.begin(), piece.end());
    const std::size_t drop = static_cast<std::size_t>(round * 13 % 290) % (model.size() + 1);
    buffer.Consume(drop);
    model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(drop));
    ASSERT_EQ(buffer.size(), model.size());
    ASSERT_TRUE(std::ranges::equal(buffer.bytes(), model));
  }
}

TEST(FrameBufferTest, IsMadeAsLargeAsTheFrameButBelievesNoClaimBeyondEightTimesWhatCame) {
  const std::vector<std::byte> piece(10'000);
  FrameBuffer honest;
  honest.Append(piece, 60'000);
  EXPECT_EQ(honest.capacity(), 65'536U);
  FrameBuffer claimed;
  claimed.Append(piece, std::size_t{1} << 40U);
  EXPECT_EQ(claimed.capacity(), 131'072U);
  FrameBuffer unknown;
  unknown.Append(piece);
  EXPECT_EQ(unknown.capacity(), 16'384U);
}

// On the heap, as a mapping, as a greater one.
TEST(FrameBufferTest, KeepsItsBytesWhenItsMemoryMoves) {
  FrameBuffer buffer;
  std::vector<std::byte> model;
  for (std::size_t size : {1000U, 60'000U, 100'000U, 1'000'000U, 10U, 3'000'000U}) {
    std::vector<std::byte> piece(size);
    for (std::size_t i = 0; i < size; ++i) piece[i] = static_cast<std::byte>(i * 7 + size);
    buffer.Append(piece);
    model.insert(model.end(), piece.begin(), piece.end());
    buffer.Consume(size / 3);
    model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(size / 3));
    ASSERT_TRUE(std::ranges::equal(buffer.bytes(), model));
  }
  buffer.Consume(model.size());
  EXPECT_TRUE(buffer.empty());
  buffer.Append(std::vector<std::byte>(10, std::byte{1}));
  EXPECT_EQ(buffer.size(), 10U);
}

}  // namespace
}  // namespace bridge
