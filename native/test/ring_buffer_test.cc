#include "reactor/ring_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/failing_allocations.h"

namespace {

using reactor::RingBuffer;

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string Content(const RingBuffer& buffer) {
  std::string text;
  for (const auto part : buffer.Peek()) {
    text.append(reinterpret_cast<const char*>(part.data()), part.size());
  }
  return text;
}

TEST(RingBufferTest, OwnsNoMemoryUntilSomethingIsAppended) {
  RingBuffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.capacity(), 0U);
  buffer.Append({});
  EXPECT_EQ(buffer.capacity(), 0U);
  EXPECT_EQ(Content(buffer), "");
}

TEST(RingBufferTest, GivesBackBytesInTheOrderTheyCame) {
  RingBuffer buffer;
  buffer.Append(Bytes("hello "));
  buffer.Append(Bytes("world"));
  EXPECT_EQ(Content(buffer), "hello world");
  buffer.Consume(6);
  EXPECT_EQ(Content(buffer), "world");
  EXPECT_EQ(buffer.size(), 5U);
}

TEST(RingBufferTest, WrapsAroundWithoutGrowing) {
  RingBuffer buffer;
  buffer.Append(Bytes(std::string(4000, 'a')));
  const std::size_t capacity = buffer.capacity();
  buffer.Consume(3000);
  buffer.Append(Bytes(std::string(2000, 'b')));
  EXPECT_EQ(buffer.capacity(), capacity);
  EXPECT_FALSE(buffer.Peek()[1].empty());
  EXPECT_EQ(Content(buffer), std::string(1000, 'a') + std::string(2000, 'b'));
}

TEST(RingBufferTest, R7_GrowsAmortised) {
  RingBuffer buffer;
  int growths = 0;
  const std::string piece(100, 'x');
  for (int i = 0; i < 100'000; ++i) {
    const std::size_t before = buffer.capacity();
    buffer.Append(Bytes(piece));
    if (buffer.capacity() != before) ++growths;
  }
  EXPECT_LE(growths, 13) << "10 MB from 4 KiB by doubling";
  EXPECT_LE(buffer.capacity(), 2 * buffer.size());
}

TEST(RingBufferTest, R7_ShrinksAsABurstDrainsAndIsFreeAfterIt) {
  RingBuffer buffer;
  buffer.Append(Bytes(std::string(1 << 20, 'x')));
  buffer.Consume((1 << 20) - 10'000);
  EXPECT_LE(buffer.capacity(), 256U * 1024);
  EXPECT_EQ(Content(buffer), std::string(10'000, 'x'));
  buffer.Consume(10'000);
  EXPECT_EQ(buffer.capacity(), 0U);
}

TEST(RingBufferTest, M5_ARingThatFillsAndEmptiesWithEachMessageIsNotReallocated) {
  reactor::RingMemory memory;
  RingBuffer busy;
  busy.UseMemory(&memory);
  std::set<const std::byte*> places;
  for (int i = 0; i < 100; ++i) {
    busy.Append(Bytes(std::string(100'000, 'x')));
    places.insert(busy.Peek()[0].data());
    busy.Consume(100'000);
    EXPECT_EQ(busy.capacity(), 0U);
  }
  EXPECT_EQ(places.size(), 1U);
}

TEST(RingBufferTest, M5_OfMuchMemoryThatIsGivenBackLittleIsKept) {
  reactor::RingMemory memory;
  for (std::size_t capacity = 4096; capacity <= 64 << 20; capacity *= 2) {
    std::vector<reactor::RingMemory::Block> blocks;
    for (int i = 0; i < 3; ++i) blocks.push_back(memory.Take(capacity));
    const std::byte* const last = blocks.back().get();
    for (auto& block : blocks) memory.Give(std::move(block), capacity);
    if (capacity > reactor::RingMemory::kLargestSpare) continue;
    EXPECT_EQ(memory.Take(capacity).get(), last);
  }
}

TEST(RingBufferTest, R7_ShrinkingLeavesRoomToGrowAgain) {
  RingBuffer buffer;
  buffer.Append(Bytes(std::string(1 << 20, 'x')));
  buffer.Consume((1 << 20) - (1 << 17));  // an eighth is left
  const std::size_t shrunk = buffer.capacity();
  int changes = 0;
  for (int i = 0; i < 1000; ++i) {
    buffer.Append(Bytes("0123456789"));
    buffer.Consume(10);
    if (buffer.capacity() != shrunk) ++changes;
  }
  EXPECT_EQ(changes, 0) << "no flapping at the threshold";
}

TEST(RingBufferTest, ClearDropsEverythingAndCanBeUsedAgain) {
  RingBuffer buffer;
  buffer.Append(Bytes(std::string(10'000, 'x')));
  buffer.Clear();
  EXPECT_EQ(buffer.capacity(), 0U);
  buffer.Append(Bytes("again"));
  EXPECT_EQ(Content(buffer), "again");
}

// The model is a string with an offset, so that comparing the whole content stays cheap.
class Model {
 public:
  void Append(std::string_view bytes) { text_ += bytes; }
  void Consume(std::size_t count) {
    begin_ += count;
    if (begin_ > text_.size() / 2) {
      text_.erase(0, begin_);
      begin_ = 0;
    }
  }
  void Clear() {
    text_.clear();
    begin_ = 0;
  }
  [[nodiscard]] std::string_view content() const { return std::string_view(text_).substr(begin_); }

 private:
  std::string text_;
  std::size_t begin_ = 0;
};

TEST(RingBufferTest, R7_MatchesAReferenceModelUnderAMillionRandomOperations) {
  std::mt19937_64 random(7);
  std::string source(1 << 16, '\0');
  for (char& byte : source) byte = static_cast<char>(random());

  RingBuffer buffer;
  Model model;
  for (int i = 0; i < 1'000'000; ++i) {
    const auto choice = random() % 1000;
    if (choice == 0) {
      buffer.Clear();
      model.Clear();
    } else if (choice < 500 && model.content().size() < 200'000) {
      // Mostly small, now and then a burst.
      const std::size_t size = random() % (random() % 100 == 0 ? source.size() : 128);
      const auto piece = std::string_view(source).substr(random() % (source.size() - size), size);
      buffer.Append(Bytes(piece));
      model.Append(piece);
    } else {
      const std::size_t count = random() % (std::min<std::size_t>(model.content().size(), 400) + 1);
      buffer.Consume(count);
      model.Consume(count);
    }
    const auto expected = model.content();
    ASSERT_EQ(buffer.size(), expected.size()) << "operation " << i;
    ASSERT_GE(buffer.capacity(), buffer.size());
    const auto parts = buffer.Peek();
    ASSERT_EQ(parts[0].size() + parts[1].size(), expected.size());
    if (expected.empty()) continue;
    // Both ends at each step, everything from time to time.
    ASSERT_EQ(static_cast<char>(parts[0].front()), expected.front());
    const auto& last = parts[1].empty() ? parts[0] : parts[1];
    ASSERT_EQ(static_cast<char>(last.back()), expected.back());
    if (i % 1000 == 0) {
      ASSERT_EQ(Content(buffer), expected) << "operation " << i;
    }
  }
}

TEST(RingBufferTest, KeepsItsMemoryWhereThereIsNoneToShrinkTo) {
  constexpr std::size_t kMegabyte = 1024 * 1024;
  RingBuffer buffer;
  const std::string text(kMegabyte, 'x');
  buffer.Append(std::as_bytes(std::span(text)));
  {
    const test::FailingAllocations none(1);
    buffer.Consume(text.size() - 10);
  }
  EXPECT_EQ(buffer.size(), 10U);
  EXPECT_EQ(buffer.capacity(), kMegabyte);
  buffer.Consume(1);
  EXPECT_LT(buffer.capacity(), kMegabyte) << "there is memory again";
}

}  // namespace
