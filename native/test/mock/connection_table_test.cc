// The memory of connections after a burst of them.
#include "reactor/connection_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "test/support/mock_harness.h"

namespace {

using reactor::ConnectionTable;
using test::ConnectionRecord;
using test::MockHarness;
using test::MockPeer;
using test::SendText;

std::vector<MockPeer> ConnectMany(MockHarness& harness, int count) {
  std::vector<MockPeer> peers;
  for (int i = 0; i < count; ++i) {
    peers.push_back(harness.kernel.Dial(harness.port));
    if (i % 100 == 0) harness.Settle();  // the listener's queue is finite
  }
  harness.Settle();
  return peers;
}

void EndAll(MockHarness& harness, std::vector<MockPeer>& peers) {
  while (!peers.empty()) {
    peers.back().ShutdownWrite();
    peers.pop_back();
    if (peers.size() % 100 == 0) harness.Settle();
  }
}

TEST(ConnectionTableTest, M5_AfterABurstTheMemoryOfOnePageIsLeft) {
  MockHarness harness;
  harness.kernel.SetDescriptorLimit(4096);
  std::set<std::pair<std::uint32_t, std::uint32_t>> names;
  const int many = 5 * static_cast<int>(ConnectionTable::kPageSize);
  for (int round = 1; round <= 3; ++round) {
    std::vector<MockPeer> peers = ConnectMany(harness, many);
    EXPECT_EQ(harness.loop().connection_capacity(), many);
    EndAll(harness, peers);
    ASSERT_EQ(harness.handler.closed(), round * many);
    EXPECT_EQ(harness.loop().connection_capacity(), ConnectionTable::kPageSize);
    EXPECT_EQ(harness.handler.slots(), ConnectionTable::kPageSize);
  }
  for (const ConnectionRecord& each : harness.handler.records()) {
    names.emplace(each.slot, each.generation);
    EXPECT_EQ(harness.loop().Find(each.slot, each.generation), nullptr);
    EXPECT_FALSE(harness.loop().BytesOf(each.slot, each.generation));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(3 * many));  // no name was given twice
}

TEST(ConnectionTableTest, M5_WhoStaysKeepsItsPageAndTheNextTakeTheLowestSlots) {
  MockHarness harness;
  harness.kernel.SetDescriptorLimit(4096);
  std::vector<MockPeer> first = ConnectMany(harness, 700);
  MockPeer survivor = harness.Connect();
  const ConnectionRecord record = harness.handler.records().back();
  EXPECT_EQ(record.slot, 700U);
  std::vector<MockPeer> rest = ConnectMany(harness, 400);
  EndAll(harness, first);
  EndAll(harness, rest);
  EXPECT_EQ(harness.loop().connection_capacity(), 2 * ConnectionTable::kPageSize);
  ASSERT_NE(harness.loop().Find(record.slot, record.generation), nullptr);
  SendText(*harness.loop().Find(record.slot, record.generation), "still there");
  EXPECT_EQ(survivor.Receive(), "still there");
  EXPECT_EQ(harness.loop().BytesOf(record.slot, record.generation)->written, 11U);

  std::vector<MockPeer> next = ConnectMany(harness, 1);
  EXPECT_EQ(harness.newest().slot(), 0U);
  survivor.ShutdownWrite();
  EndAll(harness, next);
  EXPECT_EQ(harness.loop().connection_capacity(), ConnectionTable::kPageSize);
  EXPECT_EQ(harness.handler.slots(), ConnectionTable::kPageSize);
}

}  // namespace
