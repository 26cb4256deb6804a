#include "bridge/record_reader.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "bridge/mailbox.h"
#include "bridge/slab.h"

namespace bridge {
namespace {

bool Within(std::span<const std::byte> outer, std::span<const std::byte> inner) {
  return inner.empty() || (inner.data() >= outer.data() &&
                           inner.data() + inner.size() <= outer.data() + outer.size());
}

void Write(std::vector<std::byte>& memory, std::size_t at, const Record& record) {
  std::memcpy(memory.data() + at, &record, sizeof record);
}

TEST(RecordReaderTest, ReadsRecordsInTurn) {
  std::vector<std::byte> memory(kRecordHeader + 4 + kRecordHeader + 4 + 2 * 8);
  Write(memory, 0, {static_cast<std::int32_t>(Operation::kSend) | 3 << 8, 7, 8, 3});
  Write(memory, 20, {static_cast<std::int32_t>(Operation::kMulticast), 2, 0, 4});
  RecordReader reader(memory);
  const auto send = reader.Next();
  ASSERT_TRUE(send);
  EXPECT_EQ(send->operation, Operation::kSend);
  EXPECT_EQ(send->argument, 3);
  EXPECT_EQ(send->subject, 7U);
  EXPECT_EQ(send->generation, 8U);
  EXPECT_EQ(send->payload.size(), 3U);
  const auto multicast = reader.Next();
  ASSERT_TRUE(multicast);
  EXPECT_EQ(multicast->payload.size(), 4U);
  EXPECT_EQ(multicast->receivers.size(), 16U);
  EXPECT_FALSE(reader.Next());
}

TEST(RecordReaderTest, M6_DoesNotBelieveALengthThatLeadsOutOfTheMemory) {
  for (const std::uint32_t length :
       {5U, 16U, std::numeric_limits<std::uint32_t>::max() - 3, 0xffffffffU, 0x80000000U}) {
    std::vector<std::byte> memory(kRecordHeader + 4);
    Write(memory, 0, {static_cast<std::int32_t>(Operation::kSend), 0, 0, length});
    EXPECT_FALSE(RecordReader(memory).Next()) << length;
  }
  for (const std::uint32_t receivers : {2U, 0x20000000U, 0xffffffffU}) {
    std::vector<std::byte> memory(kRecordHeader + 8);
    Write(memory, 0, {static_cast<std::int32_t>(Operation::kMulticast), receivers, 0, 0});
    EXPECT_FALSE(RecordReader(memory).Next()) << receivers;
  }
}

TEST(RecordReaderTest, M6_StaysWithinTheMemoryWhateverIsInIt) {
  std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same bytes each time
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> memory(random() % 200);
    for (std::byte& byte : memory) byte = static_cast<std::byte>(random() % 3 == 0 ? random() : 0);
    RecordReader reader(memory);
    while (const auto record = reader.Next()) {
      ASSERT_TRUE(Within(memory, record->payload));
      ASSERT_TRUE(Within(memory, record->receivers));
    }
  }
}

TEST(MailboxTest, M6_ClampsTheUsedBytesOfASlabToTheSlab) {
  std::array<std::unique_ptr<std::byte[]>, 2> memory{};
  std::vector<std::byte*> slabs;
  for (auto& slab : memory) {
    slab = std::make_unique<std::byte[]>(kSlabSize);
    slabs.push_back(slab.get());
  }
  Mailbox mailbox(slabs);
  // The first is a slab that travels, the second one the staging slab, which is copied.
  for (const std::int32_t used : {std::numeric_limits<std::int32_t>::max(), 40'000'092}) {
    StoreWord(slabs[static_cast<std::size_t>(mailbox.open())], used);
    EXPECT_TRUE(mailbox.Publish());
  }
  for (const std::int32_t used : {-1, 0, 63, std::numeric_limits<std::int32_t>::min()}) {
    StoreWord(slabs[static_cast<std::size_t>(mailbox.open())], used);
    EXPECT_FALSE(mailbox.Publish()) << used;
  }
  std::vector<std::size_t> sizes;
  mailbox.Drain([&](std::span<const std::byte> records) { sizes.push_back(records.size()); });
  EXPECT_EQ(sizes, std::vector<std::size_t>(2, kSlabSize - kSlabHeader));
}

}  // namespace
}  // namespace bridge
